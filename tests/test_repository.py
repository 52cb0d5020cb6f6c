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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]


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
    found = set()
    for folder, package in (
        (ROOT / "boosting_losses", "boosting_losses"),
        (ROOT / "adapters", "boosting_losses.adapters"),
    ):
        for init in folder.rglob("__init__.py"):
            if "adapters" not in init.relative_to(folder).parts:  # the link to the other folder
                found.add(".".join((package, *init.parent.relative_to(folder).parts)))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_the_adapters_folder_is_a_link():
    assert (ROOT / "boosting_losses" / "adapters").resolve() == ROOT / "adapters"


def test_importing_the_package_imports_no_framework():
    code = """
import sys
import boosting_losses, boosting_losses.metrics, boosting_losses.adapters
heavy = {"xgboost", "lightgbm", "catboost", "sklearn", "pandas", "matplotlib", "dask"} & set(sys.modules)
assert not heavy, heavy
"""
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_adapters_import_their_own_framework_only(library):
    others = {"xgboost", "lightgbm", "catboost"} - {library}
    result = run("-c", f"{without(*others)}import boosting_losses.adapters.{library}")
    assert result.returncode == 0, result.stderr


def without(*modules):
    """Return a line of Python that blocks the import of modules."""
    return f"import sys; sys.modules.update(dict.fromkeys({modules}))\n"


@pytest.mark.slow
def test_everything_but_the_classifier_is_there_without_scikit_learn():
    code = """
from boosting_losses import *
import boosting_losses
assert FocalLoss is boosting_losses.FocalLoss
assert "CalibratedBoostingClassifier" not in [*boosting_losses.__all__, *dir(boosting_losses)]
try:
    boosting_losses.CalibratedBoostingClassifier
except ImportError as error:
    assert "sklearn" in str(error)
else:
    raise SystemExit("scikit-learn was not needed")
"""
    result = run("-c", without("sklearn") + code)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_scores_on_dask_collections_say_what_they_need():
    result = run("-c", f"{without('dask')}import boosting_losses.dask")
    assert 'ImportError: boosting_losses.dask requires Dask: pip install "boosting-losses[dask]"' in result.stderr


def test_the_package_shows_the_classifier():
    names = {}
    exec("from boosting_losses import *", names)
    assert names["CalibratedBoostingClassifier"] is boosting_losses.CalibratedBoostingClassifier
    assert set(boosting_losses.__all__) <= set(dir(boosting_losses))
    with pytest.raises(AttributeError, match="has no attribute 'Calibrated'"):
        boosting_losses.Calibrated  # noqa: B018


def test_the_version_is_in_the_changelog():
    assert f"## {boosting_losses.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def named(path):
    return path.relative_to(ROOT).as_posix()


def python_in(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if python_in(page)], ids=named)
def test_the_python_of_the_pages_runs(page, tmp_path):
    for block in python_in(page):
        if "Sketch" in block and not HAS_SKETCHES:
            continue
        result = run("-W", "error", "-c", block, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_the_readme_has_python():
    assert python_in(ROOT / "README.md")


def prose(path):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """The anchors that GitHub gives the headings of a page: a number follows the second of the same words."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(path), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = sum(1 for other in found if re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other))
        found.add(f"{anchor}-{number}" if number else anchor)
    return found


def broken_links(page):
    """The links and pictures of a page that lead to no file of the repository, or to no heading of a page."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    targets = re.findall(r"\]\(\s*<?([^\s)>]+)", text) + re.findall(r"^\[[^]]+\]: *(\S+)", text, re.MULTILINE)
    targets += re.findall(r"<(?:img|a)\b[^>]*?\b(?:src|href)=[\"']([^\"']+)", text)
    for target in targets:
        if re.match(r"[a-z]+:", target):  # of the web
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        leads_to_a_file = path.exists() and path.is_relative_to(ROOT.resolve())
        if not leads_to_a_file or (anchor and (path.suffix != ".md" or anchor not in anchors(path))):
            yield target


@pytest.mark.parametrize("page", LINKING, ids=named)
def test_links_lead_somewhere(page):
    assert not list(broken_links(page))


def test_broken_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "there.md").write_text("# One `name`, two\n\n```\n# no heading\n```\n\n## Same\n\n## Same\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#one-name-two) [c](there.md#same-1) [d](https://example.org/x) `[e](code.md)`\n"
        "![a picture over\ntwo lines](gone.png) [f](gone.md) [g](there.md#no-heading) [h](../outside.md) [i](#none)\n"
    )
    assert list(broken_links(page)) == ["gone.png", "gone.md", "there.md#no-heading", "../outside.md", "#none"]


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path):
    if path.stem == "many_classes" and not HAS_SKETCHES:
        pytest.skip("needs xgboost 3.2")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    result = run("-W", "error", str(path), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "log loss" in result.stdout
