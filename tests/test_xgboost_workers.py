"""XGBoost in several processes: metrics, intercept and early stopping are those of all rows.

XGBoost tells its processes apart by thread, so that threads with its own tracker between them do here.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from xgboost import collective
from xgboost.tracker import RabitTracker

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, raw_score, train
from boosting_losses.metrics import brier_score, log_loss

QUIET = {"nthread": 1, "max_depth": 3, "verbosity": 0}
LOSSES = [LogLoss(), LogLoss(3.0), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss(1.0, (1.0, 2.0, 3.0))]


def together(work, workers=2):
    """Return what each of several workers returns."""
    tracker = RabitTracker(host_ip="127.0.0.1", n_workers=workers)
    tracker.start()

    def one(_):
        with collective.CommunicatorContext(**tracker.worker_args()):
            return work(collective.get_rank())

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(one, range(workers)))
    tracker.wait_for()
    return results


def rows(loss, soft=False, n=300, seed=0):
    """Return features, labels, weights and raw scores; labels are sorted, so that workers have different ones."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    classes = 3 if loss.multiclass else 2
    y = np.sort((X[:, :classes] + rng.standard_normal((n, classes))).argmax(axis=1)).astype(float)
    if soft:
        y = 0.8 * (np.eye(classes)[y.astype(int)] if loss.multiclass else y) + 0.2 / classes
    raw = rng.standard_normal((n, 3) if loss.multiclass else n).astype(np.float32)
    return X, y, rng.integers(1, 6, n).astype(float), raw


#: Unequal shares; in the second case one has no rows.
SHARES = [(slice(0, 60), slice(60, 300)), (slice(0, 300), slice(300, 300))]


@pytest.mark.parametrize("shares", SHARES, ids=["unequal", "empty"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_mean_is_that_of_all_rows(loss, shares):
    X, y, weight, raw = rows(loss)
    for score in (None, log_loss, brier_score):
        metric = Metric(loss, score)
        expected = metric(y, raw, weight)

        def work(rank, metric=metric):
            part = shares[rank]
            data = xgb.DMatrix(X[part], y[part], weight=weight[part])
            return metric(raw[part], data)[1], metric(y[part], raw[part], weight[part]), metric(y[part], raw[part])

        for of_matrix, of_arrays, unweighted in together(work):
            assert_allclose([of_matrix, of_arrays], expected, rtol=1e-6)
            assert_allclose(unweighted, metric(y, raw), rtol=1e-6)


def test_a_worker_whose_rows_have_no_weight_adds_nothing():
    loss = LogLoss()
    _, y, weight, raw = rows(loss)
    weight[:60] = 0.0
    values = together(lambda rank: Metric(loss)(y[SHARES[0][rank]], raw[SHARES[0][rank]], weight[SHARES[0][rank]]))
    assert_allclose(values, loss(y, raw, weight), rtol=1e-12)
    with pytest.raises(ValueError, match="must have rows of weight > 0 in at least one process, got none"):
        together(lambda _: Metric(loss)([0.0], [0.0], [0.0]))


def test_a_score_that_is_no_mean_warns_once():
    loss = LogLoss()
    _, y, weight, raw = rows(loss)
    y = np.random.default_rng(1).permutation(y)
    metric = Metric(loss, roc_auc_score, greater_is_better=True, name="no_mean")
    parts = SHARES[0]

    def work(rank):
        return metric(y[parts[rank]], raw[parts[rank]], weight[parts[rank]])

    with pytest.warns(UserWarning, match="'auc_no_mean' is not known to be a mean over rows: in distributed"):
        values = together(work)
    assert together(work) == values  # a second warning would be an error
    own = [roc_auc_score(y[part], raw[part], sample_weight=weight[part]) for part in parts]
    assert_allclose(values, np.average(own, weights=[weight[part].sum() for part in parts]), rtol=1e-6)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("shares", SHARES, ids=["unequal", "empty"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_training_has_one_intercept_one_loss_and_one_best_round(loss, shares, soft):
    X, y, weight, _ = rows(loss, soft)
    held_out, labels, weights, _ = rows(loss, soft, seed=1)

    def work(rank):
        part, history = shares[rank], {}
        data = xgb.DMatrix(X[part], y[part], weight=weight[part])
        valid = xgb.DMatrix(held_out[part], labels[part], weight=weights[part])
        options = {"evals": [(valid, "valid")], "evals_result": history, "verbose_eval": False}
        model = train({**QUIET, "eta": 0.9}, data, 60, loss=loss, early_stopping_rounds=3, **options)
        return history["valid"][Metric(loss).label], model

    (history, model), (other_history, other_model) = together(work)
    everything = xgb.DMatrix(held_out)
    assert history == other_history
    assert_array_equal(raw_score(model, everything), raw_score(other_model, everything))
    empty = raw_score(train(QUIET, xgb.DMatrix(X, y, weight=weight), 0, loss=loss), everything)
    trees = raw_score(model, xgb.DMatrix(held_out, base_margin=np.zeros_like(empty)))
    assert_allclose(raw_score(model, everything) - trees, empty, atol=2e-6)
    of_rounds = [
        loss(labels, raw_score(model, everything, rounds=number + 1), weights)
        for number in range(model.num_boosted_rounds())
    ]
    assert_allclose(history, of_rounds, atol=2e-6)
    assert model.best_iteration == other_model.best_iteration == np.argmin(history) < 59


def test_continuation_and_base_margins_where_one_worker_has_no_rows():
    loss = SoftmaxFocalLoss()
    X, y, weight, raw = rows(loss)

    def work(rank):
        part = SHARES[1][rank]
        data = xgb.DMatrix(X[part], y[part], weight=weight[part])
        model = train(QUIET, data, 2, loss=loss)
        if len(y[part]):
            data.set_base_margin(raw[part])
        on_margins = train(QUIET, data, 2, loss=loss)
        return train(QUIET, xgb.DMatrix(X[part], y[part]), 2, loss=loss, xgb_model=model), on_margins

    (model, on_margins), (other, other_on_margins) = together(work)
    assert_array_equal(raw_score(model, X), raw_score(other, X))
    assert_array_equal(raw_score(on_margins, X), raw_score(other_on_margins, X))
    assert model.num_boosted_rounds() == 4
