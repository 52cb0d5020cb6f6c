"""An HTTP service around a monitor: it receives predictions and labels, and shows status, metrics and a page.

* :func:`create_app` returns an ASGI application, to be served or mounted in another one.
* :func:`serve` runs it.
"""

from importlib.util import find_spec

_missing = [name for name in ("fastapi", "sqlalchemy", "uvicorn") if find_spec(name) is None]
if _missing:
    raise ImportError(f'the service requires {_missing[0]}: pip install "boosting-losses[service]"')

from ._app import create_app  # noqa: E402
from ._run import serve  # noqa: E402

__all__ = ["create_app", "serve"]
