"""The trainings to run: the settings that determine the scores of each, and a unique name for them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .data import Source

#: The names of the libraries, by their names on PyPI.
LIBRARIES = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost"}
#: The library's own log loss, as used without this package.
BUILTIN = "builtin"
#: The log loss of this package: unweighted, and with weights that give all classes equal total weight.
PLAIN, WEIGHTED = "plain", "weighted"
_SHARED_PACKAGES = ("boosting-losses", "numpy", "numba", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Budget:
    """The budget of every training; all other settings keep the library's defaults."""

    rounds: int = 300
    learning_rate: float = 0.1
    depth: int = 4
    patience: int = 20
    threads: int = 1


@dataclass(frozen=True)
class Fit:
    """One training: the data, the seed that draws and splits them, the library, the loss and the budget."""

    source: Source
    seed: int
    library: str
    loss: str
    budget: Budget

    def __str__(self) -> str:
        return f"{self.source.name}, seed {self.seed}, {LIBRARIES[self.library]}, {self.loss}"

    @property
    def settings(self) -> dict[str, Any]:
        """All settings and versions that the scores depend on."""
        return {
            "data": self.source.identity,
            "seed": self.seed,
            "library": self.library,
            "loss": self.loss,
            "budget": asdict(self.budget),
            "versions": versions(self.library),
        }

    @property
    def key(self) -> str:
        """A file name that is unique to the settings."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]
        words = f"{self.source.name} {self.seed} {self.library} {self.loss}"
        return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words)[:80] + "-" + digest


def focal(gamma: float) -> str:
    """Return the name of a focal loss."""
    return f"focal {np.format_float_positional(gamma, trim='-')}"


def fits(
    sources: Sequence[Source], seeds: int, libraries: Sequence[str], losses: Sequence[str], budget: Budget
) -> Iterator[Fit]:
    """Yield all trainings seed by seed, so that an interrupted comparison is complete for the finished seeds."""
    for seed in range(seeds):
        for source in sources:
            for library in libraries:
                for loss in losses:
                    yield Fit(source, seed, library, loss, budget)


@functools.cache
def versions(library: str) -> dict[str, str]:
    """Return the versions of the packages that the scores depend on."""
    packages = (library, *_SHARED_PACKAGES)
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}
