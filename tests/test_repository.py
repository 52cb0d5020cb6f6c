"""The layout, the packaging and the examples."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import boosting_losses

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: XGBoost before 3.2 has no interface for them.
HAS_SKETCHES = importlib.util.find_spec("xgboost.objective") is not None
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=600,
    )


def test_the_wheel_holds_every_package():
    folders = {"boosting_losses": ROOT / "boosting_losses", "boosting_losses.adapters": ROOT / "adapters"}
    found = set(folders)
    for folder in (ROOT / "boosting_losses").rglob("__init__.py"):
        if "adapters" not in folder.parts:
            found.add(".".join(folder.parent.relative_to(ROOT).parts))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_the_adapters_folder_is_a_link():
    link = ROOT / "boosting_losses" / "adapters"
    assert link.is_symlink()
    assert link.resolve() == ROOT / "adapters"


def test_importing_the_package_imports_no_framework():
    code = """
import sys
import boosting_losses, boosting_losses.metrics, boosting_losses.adapters
heavy = {"xgboost", "lightgbm", "catboost", "sklearn", "pandas", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_adapters_import_their_own_framework_only(library):
    code = f"""
import sys
others = {{"xgboost", "lightgbm", "catboost"}} - {{"{library}"}}
for name in others:
    sys.modules[name] = None
import boosting_losses.adapters.{library}
"""
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


def test_the_version_is_in_the_changelog():
    assert f"## {boosting_losses.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readmes_python_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        if "Sketch" in block and not HAS_SKETCHES:
            continue
        result = run("-W", "error", "-c", block, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path):
    if path.stem == "many_classes" and not HAS_SKETCHES:
        pytest.skip("needs xgboost 3.2")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    result = run("-W", "error", str(path), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "log loss" in result.stdout
