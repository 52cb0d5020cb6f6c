"""A folder of JSON files with the result of every training, from which an interrupted study goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol


class Keyed(Protocol):
    """A training with a file name of its own."""

    @property
    def settings(self) -> dict[str, Any]: ...

    @property
    def key(self) -> str: ...


class Store:
    """A folder with one JSON file for each training, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fits = folder / "fits"
        self._fits.mkdir(parents=True, exist_ok=True)

    def answer(self, fit: Keyed) -> dict[str, Any] | None:
        """Return the answer of a training, None if there is none yet."""
        try:
            found: Any = json.loads(self._path(fit).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # a file that a power cut has emptied counts as none
            return None
        settings = json.loads(json.dumps(fit.settings))
        return found if isinstance(found, dict) and found.get("settings") == settings else None

    def keep(self, fit: Keyed, answer: dict[str, Any]) -> None:
        """Write an answer; a process that is killed meanwhile leaves no file of that name."""
        path = self._path(fit)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        unfinished.write_text(json.dumps({"settings": fit.settings, **answer}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)

    def _path(self, fit: Keyed) -> Path:
        return self._fits / f"{fit.key}.json"
