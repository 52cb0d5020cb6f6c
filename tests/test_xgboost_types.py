"""What a type checker makes of the XGBoost adapter."""

import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = """
    import xgboost as xgb
    from typing import assert_type
    from boosting_losses.adapters.xgboost import servable

    def served(booster: xgb.Booster, classifier: xgb.XGBClassifier, forest: xgb.XGBRFClassifier) -> None:
        assert_type(servable(booster), xgb.Booster)
        assert_type(servable(classifier), xgb.XGBClassifier)
        assert_type(servable(forest), xgb.XGBRFClassifier)
        servable(classifier).predict_proba([[0.0]])
"""


@pytest.mark.slow
def test_a_served_model_is_of_the_type_of_the_model(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    file = tmp_path / "served.py"
    file.write_text(textwrap.dedent(SOURCE))
    output, errors, status = api.run(
        [
            "--config-file",
            "pyproject.toml",
            "--cache-dir",
            str(tmp_path / "cache"),
            "--follow-imports",
            "silent",
            str(file),
        ]
    )
    assert status == 0, output + errors
