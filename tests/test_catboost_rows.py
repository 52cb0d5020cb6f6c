"""Derivatives row by row, as CatBoost asks for them: the full Hessian, any number of classes, compiled functions."""

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses._kernels import rows
from boosting_losses.adapters.catboost import Objective, raw_score
from boosting_losses.losses.row_functions import MOST_CLASSES_IN_TUPLES

from .cases import CLASSES, compiled_variants, each_multiclass, exact, row_derivatives, sample
from .libraries import CATBOOST

# ---- the full Hessian -----------------------------------------------------------------------------------------------


@each_multiclass
def test_rows_agree_with_the_matrix_form(loss):
    y, raw = sample(loss, 100, spread=4.0)
    gradients, hessians = loss.gradient_hessian(y, raw)
    upper = np.triu_indices(CLASSES)
    for i in range(len(y)):
        gradient, packed = row_derivatives(loss, int(y[i]), raw[i], 2.0)
        full = np.zeros((CLASSES, CLASSES))
        full[upper] = packed
        full = np.triu(full) + np.triu(full, 1).T
        assert_allclose(gradient, 2 * gradients[i], rtol=1e-12)
        assert_allclose(full.sum(axis=0), 0, atol=1e-13)
        if not loss.semidefinite or loss.shape().convex:
            assert_allclose(np.diag(full), 2 * hessians[i], rtol=1e-10, atol=1e-14)
        if loss.semidefinite:
            assert np.linalg.eigvalsh(full).min() >= -1e-14


@each_multiclass
def test_the_full_hessian_is_the_derivative_of_the_gradient(loss):
    """A guarded loss adds a positive semi-definite matrix to the exact Hessian.

    For a class code, it has rank one, and is 0 if the second derivative plus p times the first is not negative.
    """
    y, raw = sample(loss, 60, spread=1.5)
    upper = np.triu_indices(CLASSES)
    step = 1e-6
    additions, curvatures = [], []
    for i in range(len(y)):
        up, down = (
            [row_derivatives(loss, int(y[i]), raw[i] + d * e)[0] for e in np.eye(CLASSES)] for d in (step, -step)
        )
        packed = np.array(row_derivatives(exact(loss), int(y[i]), raw[i])[1])
        assert_allclose(packed, ((np.array(up) - np.array(down)) / (2 * step))[upper], atol=1e-7)
        own = np.flatnonzero((upper[0] == y[i]) & (upper[1] == y[i]))[0]
        gradient = row_derivatives(loss, int(y[i]), raw[i])[0][y[i]]
        curvatures.append(packed[own] + loss.activation(raw[i : i + 1])[0, y[i]] * gradient)
        addition = np.zeros((CLASSES, CLASSES))
        addition[upper] = row_derivatives(loss, int(y[i]), raw[i])[1] - packed
        additions.append(np.linalg.eigvalsh(addition + np.triu(addition, 1).T))
    additions = np.array(additions)
    assert additions.min() > -1e-13
    if loss.label_smoothing == 0.0:
        assert abs(additions[:, :-1]).max() < 1e-13
        if loss.semidefinite:
            assert_array_equal(additions[:, -1] < 1e-13, np.array(curvatures) > -1e-13)
    if loss.semidefinite and not loss.shape().convex:
        assert additions.max() > 0.01


@each_multiclass
@pytest.mark.parametrize("size", [50.0, 800.0, 1e300])
def test_rows_far_out_stay_finite(loss, size):
    for label in range(CLASSES):
        for raw in np.eye(CLASSES):
            gradient, hessian = row_derivatives(loss, label, size * raw)
            assert np.isfinite(gradient).all()
            assert np.isfinite(hessian).all()


# ---- tuples, views and their cache ----------------------------------------------------------------------------------

#: Both forms that the derivatives of a row come in, tuples and views, and where they meet.
ROW_CLASSES = [2, 3, MOST_CLASSES_IN_TUPLES, MOST_CLASSES_IN_TUPLES + 1, 50, 300]


def many(n_classes, extra=200):
    rng = np.random.default_rng(n_classes)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, extra)])
    return rng.standard_normal((len(y), 4)) + (y % 3)[:, None], y


@pytest.mark.parametrize(  # of 2 classes CatBoost makes one score
    ("n_classes", "weighted"),
    [(3, True), (MOST_CLASSES_IN_TUPLES + 1, False)]
    + [pytest.param(n, weighted, marks=pytest.mark.slow) for n in ROW_CLASSES[1:] for weighted in (False, True)],
)
def test_any_number_of_classes_reproduces_the_builtin_loss(n_classes, weighted):
    X, y = many(n_classes)
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    loss = SoftmaxCrossEntropy()
    rounds, settings = (10, {}) if n_classes <= 50 else (1, {"depth": 1})
    data = CATBOOST.data(X, y, weight)
    ours = CATBOOST.train(data, rounds, loss=loss, settings=settings)
    start = CATBOOST.comparable(X, y, loss, weight)
    own = CATBOOST.train_builtin(start, rounds, loss=loss, settings=settings).predict(X) + loss.init_score(y, weight)
    # CatBoost rounds start scores to single precision.
    assert_allclose(loss.activation(raw_score(ours, X)), loss.activation(own), atol=1e-6, rtol=0)
    exact = CATBOOST.train(data, rounds, loss=loss, settings={**settings, "boost_from_average": False})
    own = CATBOOST.train_builtin(data, rounds, loss=loss, settings=settings).predict(X)
    assert_allclose(loss.activation(raw_score(exact, X)), loss.activation(own), atol=1e-12, rtol=0)


def row_losses(n_classes):
    weights = tuple(np.linspace(0.3, 4.0, n_classes))
    return [
        SoftmaxCrossEntropy(),
        SoftmaxCrossEntropy(weights, label_smoothing=0.1),
        SoftmaxFocalLoss(2.0, weights, hessian="exact"),
        SoftmaxFocalLoss(0.5, hessian="exact"),
    ]


@pytest.mark.parametrize("n_classes", ROW_CLASSES)
def test_rows_of_any_width_agree_with_the_matrix_form(n_classes):
    rng = np.random.default_rng(1)
    raw, init = 3.0 * rng.standard_normal((4, n_classes)), rng.standard_normal(n_classes)
    for loss in row_losses(n_classes):
        row = loss.row_function(n_classes, init, factor=-1.0)
        for scores, label in zip(raw, (0, 1, n_classes - 1, n_classes // 2), strict=True):
            gradient, (packed,) = row(scores, float(label), 2.0)
            expected, diagonal = loss.gradient_hessian([label], [scores + init])
            full = np.zeros((n_classes, n_classes))
            full[np.triu_indices(n_classes)] = packed
            assert_allclose(gradient, -2.0 * expected[0], rtol=1e-11, atol=1e-300)
            assert_allclose(np.diag(full), -2.0 * diagonal[0], rtol=1e-9, atol=1e-15)
            assert_allclose((full + np.triu(full, 1).T).sum(axis=0), 0, atol=1e-12)


def test_tuples_and_views_hold_the_same_numbers():
    raw = np.random.default_rng(2).standard_normal(6)
    for loss in row_losses(6):
        gradient, (hessian,) = loss.row_function(6)(raw, 2.0, 1.5)
        loops, parameters = loss._row_loops()
        known = rows.known_parameters(
            1.0, loss.label_smoothing, loss.semidefinite, parameters, np.zeros(6), loss._class_weights(6)
        )
        out = np.empty(rows.work_size(6))
        loops.fill(known, raw, 2.0, 1.5, out)
        assert_array_equal(gradient, out[24:30])
        assert_array_equal(hessian, out[36:])
        assert all(type(number) is float for number in (*gradient, *hessian))


@pytest.mark.parametrize("n_classes", [3, MOST_CLASSES_IN_TUPLES + 1])
def test_rows_that_would_be_read_out_of_bounds_are_refused(n_classes):
    row = SoftmaxFocalLoss().row_function(n_classes)
    for width, label in [(n_classes - 1, 0.0), (n_classes + 1, 0.0), (n_classes, n_classes), (n_classes, -1.0)]:
        with pytest.raises(ValueError, match="a row must have one score for each class of the loss"):
            row(np.zeros(width), float(label), 1.0)
    with pytest.raises(ValueError, match="init_score must hold one score per class, got 2 for"):
        SoftmaxFocalLoss().row_function(n_classes, (0.0, 1.0))


def test_other_parameters_compile_no_row_function_again():
    def ask(loss, init):
        for n_classes in (3, MOST_CLASSES_IN_TUPLES + 1):
            loss.row_function(n_classes, init)(np.zeros(n_classes), 0.0, 1.0)

    def compiled():
        loops = [loss._row_loops()[0] for loss in (SoftmaxCrossEntropy(), SoftmaxFocalLoss())]
        return compiled_variants(), [len(function.tuples(3).signatures) for function in loops]

    ask(SoftmaxCrossEntropy(), 0.0)
    ask(SoftmaxFocalLoss(), 0.0)
    before = compiled()
    for loss in (SoftmaxCrossEntropy(label_smoothing=0.3), SoftmaxFocalLoss(1.7), SoftmaxFocalLoss(0.3, None, "exact")):
        ask(loss, 1.0)
    SoftmaxCrossEntropy((1, 2, 3)).row_function(3, (1.0, 2.0, 3.0))(np.zeros(3), 0.0, 1.0)
    assert compiled() == before
    assert before[1] == [1, 1]


CACHE_HITS = """
import numpy as np
from boosting_losses import SoftmaxFocalLoss
from boosting_losses._kernels import rows
for n_classes in (3, 5, 13):
    SoftmaxFocalLoss(float(n_classes)).row_function(n_classes)(np.zeros(n_classes), 0.0, 1.0)
loops = SoftmaxFocalLoss()._row_loops()[0]
for function in (loops.tuples(3), loops.tuples(5), loops.fill):
    print(sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
print(sum(sum(f.stats.cache_misses.values()) for f in vars(rows).values() if hasattr(f, "stats")))
"""

ROW_WITHOUT_JIT = """
import numpy as np
from boosting_losses import SoftmaxFocalLoss
for n_classes in (3, 13):
    gradient, (hessian,) = SoftmaxFocalLoss(2.0).row_function(n_classes)(np.arange(n_classes) / 4, 1.0, 1.0)
    print([float(number).hex() for number in (*gradient, *hessian)])
"""


def other_process(code, **environment):
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment})
    return result.stdout.splitlines()


@pytest.mark.slow
def test_another_process_finds_row_functions_in_the_cache(tmp_path):
    other_process(CACHE_HITS, NUMBA_CACHE_DIR=str(tmp_path))
    assert other_process(CACHE_HITS, NUMBA_CACHE_DIR=str(tmp_path)) == ["1 0", "1 0", "1 0", "0"]


@pytest.mark.slow
def test_rows_without_compilation():
    compiled, interpreted = (
        [[float.fromhex(number.strip("' ")) for number in line.strip("[]").split(",")] for line in lines]
        for lines in (other_process(ROW_WITHOUT_JIT), other_process(ROW_WITHOUT_JIT, NUMBA_DISABLE_JIT="1"))
    )
    for one, other in zip(compiled, interpreted, strict=True):
        assert_allclose(one, other, rtol=1e-13)


def test_an_objective_with_compiled_rows_is_like_any_other():
    loss = SoftmaxCrossEntropy()
    objective = Objective(loss, (0.1, 0.2, -0.3))
    assert objective == Objective(loss, (0.1, 0.2, -0.3)) != Objective(loss)
    assert hash(objective) == hash(Objective(loss, (0.1, 0.2, -0.3)))
    assert repr(objective).startswith("Objective(loss=SoftmaxCrossEntropy(")
    for twin in (pickle.loads(pickle.dumps(objective)), copy.copy(objective), replace(objective)):
        assert twin == objective
        assert twin.calc_ders_multi(np.zeros(3), 1.0, 2.0) == objective.calc_ders_multi(np.zeros(3), 1.0, 2.0)
    anywhere = Objective(loss)  # knows the number of classes from each row
    assert [len(anywhere.calc_ders_multi(np.zeros(k), 1.0, 1.0)[0]) for k in (3, 20, 3)] == [3, 20, 3]
