"""Features in a form that every library knows."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_library_takes(X: Any) -> Any:
    """Return X in a form that every library knows.

    LightGBM predicts no sparse arrays and CatBoost takes none, but matrices with indices of 32 bits. A polars frame becomes
    one of pandas, its categories pandas categories.
    """
    if hasattr(X, "tocsr"):
        from scipy.sparse import csr_matrix  # noqa: PLC0415  (it is there: X is one of its kind)

        rows = X.tocsr()
        return csr_matrix((rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int32)), shape=rows.shape)
    if type(X).__module__.partition(".")[0] != "polars":
        return X
    try:
        import pandas as pd  # noqa: PLC0415  (only for this)
    except ImportError:
        raise ImportError("X is a polars frame, which needs pandas on its way to the boosting library") from None
    return pd.DataFrame({name: _column(X[name], pd) for name in X.columns})


def _column(column: Any, pd: Any) -> Any:
    kind = str(column.dtype)
    if kind.startswith(("Categorical", "Enum")):
        return pd.Categorical([None if value is None else str(value) for value in column.to_list()])
    return column.to_list() if kind.startswith(("String", "Utf8")) else column.to_numpy()
