"""A folder of JSON files with the result of every training, from which an interrupted study resumes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol


class Keyed(Protocol):
    """A training with settings and a unique file name."""

    @property
    def settings(self) -> dict[str, Any]: ...

    @property
    def key(self) -> str: ...


class Store:
    """A folder with one JSON file for each training; files are written atomically."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fits = folder / "fits"
        self._fits.mkdir(parents=True, exist_ok=True)

    def answer(self, fit: Keyed) -> dict[str, Any] | None:
        """Return the stored answer of a training, or None."""
        try:
            found: Any = json.loads(self._path(fit).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # a power failure may leave an empty file
            return None
        settings = json.loads(json.dumps(fit.settings))
        return found if isinstance(found, dict) and found.get("settings") == settings else None

    def keep(self, fit: Keyed, answer: dict[str, Any]) -> None:
        """Write an answer; a process killed in the meantime leaves no file with the final name."""
        path = self._path(fit)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        unfinished.write_text(json.dumps({"settings": fit.settings, **answer}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)

    def _path(self, fit: Keyed) -> Path:
        return self._fits / f"{fit.key}.json"
