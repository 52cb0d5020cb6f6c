"""Settings of the whole test run."""

import os
from pathlib import Path

import pytest

# Tests run in several processes; a thread pool per core in each of them makes everything slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent


def pytest_configure():
    """Say what to do where the adapters cannot be imported from the checkout."""
    if not (ROOT / "boosting_losses" / "adapters").is_dir():
        raise pytest.UsageError(
            "boosting_losses/adapters must be a link to adapters/. A source archive leaves it out, and git writes a text file"
            " in its place where core.symlinks is off. Remove that file, and make the link:\n"
            "  ln -s ../adapters boosting_losses/adapters           (Linux, macOS)\n"
            "  mklink /J boosting_losses\\adapters adapters          (Windows, in cmd.exe)\n"
            "or let git do it, where Windows allows it to:\n"
            "  git config core.symlinks true && git checkout -- boosting_losses/adapters\n"
            "`pip install .` needs no link."
        )
