"""Randomly drawn whole trainings, which combine all settings of a library, and the invariants that each must satisfy.

A case is a frozen dataclass whose ``repr`` recreates it. The module of each library contains ``cases()``, a hypothesis
strategy, and ``check(case)``, which trains and compares the last logged values, the returned model, the model as seen by a
callback, copies and files of the model, the library's own loss, and a repeated training. None of these comparisons needs
known correct results.

``python -m tests.trainings xgboost --minutes 40`` searches for unknown failures; ``tests/test_trainings.py`` runs a fixed
sample of cases.
"""
