"""Templates of pages, which have ``document.html`` and ``parts.html`` in common."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

_PACKAGE = "boosting_losses.report._views"


def environment(*packages: str) -> Environment:
    """Return an environment with the templates of this package and of others; it escapes all values."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates") for package in (*packages, _PACKAGE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def writable(text: str) -> str:
    """Replace lone surrogates, which cannot be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
