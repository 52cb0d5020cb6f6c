"""A fixed slice of the trainings that are drawn at random; ``python -m tests.trainings`` looks for more."""

import importlib

import pytest

from .trainings.search import drawn


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost", "classifier"])
def test_numbers_of_whole_trainings_agree(library, number):
    module = importlib.import_module(f"tests.trainings.{library}")
    drawn(module.cases(), number, 15, module.check)
