"""Optional dependencies of the adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def requires_dask() -> Iterator[None]:
    """Name the extra if the imports within the block fail."""
    try:
        yield
    except ImportError as error:
        raise ImportError('the Dask adapters require Dask: pip install "boosting-losses[dask]"') from error
