"""Whole trainings, drawn at random: every setting of a library crossed with every other, and what must hold of each.

A case is a frozen dataclass whose ``repr`` rebuilds it. Each library's module has ``cases()``, a hypothesis strategy, and
``check(case)``, which trains and compares: the last logged values, the returned model, what a callback saw, copies and
files of the model, the library's own loss, the same training again. None of these needs to know what is right.

``python -m tests.trainings xgboost --minutes 40`` looks for failures that nobody has met yet; ``tests/test_trainings.py``
runs a fixed slice.
"""
