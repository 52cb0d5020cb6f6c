"""Conversion of features to a form that every library accepts."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_library_takes(X: Any) -> Any:
    """Return X in a form that every library accepts.

    Sparse input becomes a CSR matrix with 32-bit indices: LightGBM cannot predict on sparse arrays, and CatBoost does not
    accept them. A polars DataFrame becomes a pandas DataFrame, and its categorical columns become pandas categoricals.
    """
    if hasattr(X, "tocsr"):
        from scipy.sparse import csr_matrix  # noqa: PLC0415  (installed, because X is sparse)

        rows = X.tocsr()
        return csr_matrix((rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int32)), shape=rows.shape)
    if type(X).__module__.partition(".")[0] != "polars":
        return X
    try:
        import pandas as pd  # noqa: PLC0415  (needed only here)
    except ImportError:
        raise ImportError("X is a polars DataFrame; pandas is required to pass it to the boosting library") from None
    return pd.DataFrame({name: _column(X[name], pd) for name in X.columns})


def _column(column: Any, pd: Any) -> Any:
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        return pd.Categorical([None if value is None else str(value) for value in column.to_list()])
    return column.to_list() if kind.startswith(("String", "Utf8")) else column.to_numpy()
