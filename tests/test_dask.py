"""Training on a Dask cluster of two processes, against one machine on the same rows.

Features have few distinct values, so that the bins do not depend on the distribution of the rows. LightGBM limits the size of
leaves by the Hessian, because it estimates the number of rows of a leaf on a cluster in another way than on one machine, also
with its builtin objectives. The models are then the same.
"""

import gc
import inspect
import os
import re
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import dask.array as da
import dask.dataframe as dd
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
import xgboost.dask as xgb_dask
from distributed import Client, LocalCluster, get_worker
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters import lightgbm as lgb_one
from boosting_losses.adapters import xgboost as xgb_one
from boosting_losses.adapters.lightgbm import dask as lgb_many
from boosting_losses.adapters.xgboost import dask as xgb_many
from boosting_losses.metrics import average_precision

ROOT = Path(__file__).parent.parent
LOSSES = [LogLoss(3.0), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss(1.0, (1.0, 2.0, 3.0, 2.0, 1.0))]
SETTINGS = {
    "xgboost": {"max_depth": 3, "eta": 0.5, "verbosity": 0},
    "lightgbm": {
        "num_leaves": 8,
        "learning_rate": 0.5,
        "verbosity": -1,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 10,
        "max_cat_to_onehot": 32,
    },
}
LIBRARIES = list(SETTINGS)


@pytest.fixture(autouse=True)
def limit(request):
    """Let a test fail that takes more than two minutes, instead of waiting for a worker forever."""

    def stop(*_):
        pytest.fail(f"{request.node.name} took more than two minutes")  # no TimeoutError, which the code may expect

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "host": "127.0.0.1"}
    with LocalCluster(silence_logs=50, **options) as cluster, Client(cluster) as connected:
        yield connected


def rows(loss, n=3000, seed=0):
    """Return features, labels and weights, sorted by label."""
    rng = np.random.default_rng(seed)
    classes = 5 if loss.multiclass else 2
    X = rng.integers(0, 8, (n, 5)).astype(float)
    y = np.argmax(X[:, :classes] / 3 + rng.gumbel(size=(n, classes)), axis=1).astype(float)
    order = np.argsort(y, kind="stable")
    return X[order], y[order], rng.integers(1, 6, n).astype(float)


def first_class(y):
    """Return unequal shares: the rows of class 0, and the others."""
    return int((y == 0).sum()), int((y != 0).sum())


def spread(client, values, sizes):
    """Return a Dask array whose chunks lie on the workers in turn."""
    workers = sorted(client.ncores())
    chunks = []
    for number, part in enumerate(np.split(values, np.cumsum(sizes)[:-1])):
        held = client.scatter(part, workers=[workers[number % len(workers)]], hash=False)
        chunks.append(da.from_delayed(held, part.shape, part.dtype))
    return da.concatenate(chunks)


def together(client, library, loss, data, valid, rounds=40, stop=4, **options):
    """Return the booster and the history of a distributed training."""
    if library == "xgboost":
        X, y, *weight = data
        dtrain = xgb_dask.DaskDMatrix(client, X, y, weight=weight[0] if weight else None, enable_categorical=True)
        evals = [(dtrain, "train")]
        if valid:
            X, y, *weight = valid
            matrix = xgb_dask.DaskDMatrix(client, X, y, weight=weight[0] if weight else None, enable_categorical=True)
            evals.append((matrix, "valid"))
        options = {"early_stopping_rounds": stop, "verbose_eval": False, **options}
        found = xgb_many.train(client, SETTINGS[library], dtrain, rounds, loss=loss, evals=evals, **options)
        return found["booster"], found["history"]
    history = {}
    both = list(zip(data, valid or data, strict=True))
    options = {"callbacks": [lgb.early_stopping(stop, verbose=False)], "evals_result": history, **options}
    if len(data) == 3:
        options |= {"sample_weight": data[2], "eval_sample_weight": both[2]}
    names = {"eval_X": both[0], "eval_y": both[1], "eval_names": ["train", "valid"]}
    model = lgb_many.train(SETTINGS[library], *data[:2], rounds, loss=loss, client=client, **names, **options)
    return model, history


def alone(library, loss, data, valid, rounds=40, stop=4):
    """Return the booster and the history of a training on one machine."""
    history = {}
    if library == "xgboost":
        sets = [xgb.DMatrix(X, y, weight=weight) for X, y, weight in (data, valid)]
        evals = list(zip(sets, ("train", "valid"), strict=True))
        options = {"early_stopping_rounds": stop, "evals_result": history, "verbose_eval": False}
        return xgb_one.train(SETTINGS[library], sets[0], rounds, loss=loss, evals=evals, **options), history
    sets = [lgb.Dataset(X, y, weight=weight) for X, y, weight in (data, valid)]
    callbacks = [lgb.early_stopping(stop, verbose=False), lgb.record_evaluation(history)]
    names = {"valid_sets": sets, "valid_names": ["train", "valid"]}
    return lgb_one.train(SETTINGS[library], sets[0], rounds, loss=loss, callbacks=callbacks, **names), history


def proba(client, library, model, X):
    return xgb_many.predict_proba(client, model, X) if library == "xgboost" else lgb_many.predict_proba(model, X)


def check_same_as_alone(client, library, loss):
    data, valid = rows(loss), rows(loss, 900, seed=1)
    sizes = first_class(data[1])
    shared = [spread(client, values, sizes) for values in data]
    on_one_worker = [spread(client, values, (len(values),)) for values in valid]
    model, history = together(client, library, loss, shared, on_one_worker)
    expected, expected_history = alone(library, loss, data, valid)
    assert list(history) == ["train", "valid"]
    for name, label in product(history, expected_history["valid"]):
        assert_allclose(history[name][label], expected_history[name][label], atol=1.001e-6)
    assert model.best_iteration == expected.best_iteration < 39
    adapter = {"xgboost": xgb_one, "lightgbm": lgb_one}[library]
    found = proba(client, library, model, shared[0]).compute()
    assert_allclose(found, adapter.predict_proba(expected, data[0]), atol=1e-5)
    assert_allclose(found, adapter.predict_proba(model, data[0], loss), atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_cluster_trains_like_one_machine(client, library):
    check_same_as_alone(client, library, FocalLoss())


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("library", LIBRARIES)
def test_every_loss_trains_like_on_one_machine(client, library, loss):
    check_same_as_alone(client, library, loss)


class Rounds:
    """Callback that writes the number of rounds of each process."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, env):
        (self.folder / str(os.getpid())).write_text(str(env.iteration + 1))


Rounds.order = 0  # before early stopping


@pytest.mark.slow
@pytest.mark.parametrize("first", range(5, 51, 5))
def test_lightgbm_stops_in_the_same_round_on_all_workers(client, first, tmp_path):
    for patience in range(first, first + 5):
        loss = LOSSES[patience % 4]
        data, valid = rows(loss, 400, seed=patience), rows(loss, 200, seed=patience + 100)
        sizes = ((300, 100), (50, 350), (30, 20, 10, 340))[patience % 3]
        shared = [spread(client, values, sizes) for values in data]
        # In two of three runs, a worker has no evaluation rows.
        held_out = [spread(client, values, (150, 50) if patience % 3 == 0 else (200,)) for values in valid]
        folder = tmp_path / str(patience)
        folder.mkdir()
        callbacks = [lgb.early_stopping(patience, verbose=False), Rounds(folder)]
        model, history = together(client, "lightgbm", loss, shared, held_out, 300, callbacks=callbacks)
        label = lgb_one.Metric(loss).label
        stopped = {int(file.read_text()) for file in folder.iterdir()}
        assert len(list(folder.iterdir())) == 2
        assert stopped == {len(history["valid"][label])}
        assert 1 <= model.best_iteration <= stopped.pop() - patience < 300


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_killed_worker_gives_an_error_that_names_the_others(library):
    run = subprocess.run(
        [sys.executable, "-m", "tests.dask_fault", library],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=110,
    )
    assert "the error came in time and names the workers" in run.stdout, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_empty_partitions_and_unknown_chunk_sizes(client, library):
    loss = LogLoss()
    X, y, weight = rows(loss)
    X, y, weight = X[::-1].copy(), y[::-1].copy(), weight[::-1].copy()  # the last chunk has class 0 only
    weight[3::7] = 0.0
    sizes = (0, 1000, 1, 1999)
    shared = [spread(client, values, sizes) for values in (X, y, weight)]
    kept = [values[shared[0][:, 0] < 8] for values in shared]  # all rows, but Dask does not know how many
    assert np.isnan(kept[0].chunks[0]).all()
    valid = rows(loss, 900, seed=1)
    model, history = together(client, library, loss, kept, [spread(client, values, (1, 899, 0)) for values in valid])
    adapter = {"xgboost": xgb_one, "lightgbm": lgb_one}[library]
    label = adapter.Metric(loss).label
    for name, held in (("train", (X, y, weight)), ("valid", valid)):
        of_rounds = [
            loss(held[1], adapter.raw_score(model, held[0], rounds=number), held[2])
            for number in range(1, model.best_iteration + 1)
        ]
        assert_allclose(history[name][label][: len(of_rounds)], of_rounds, atol=1e-6)
    found = proba(client, library, model, kept[0])
    assert_allclose(found.compute(), adapter.predict_proba(model, X, loss), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [LogLoss(), SoftmaxFocalLoss()], ids=repr)
@pytest.mark.parametrize("library", LIBRARIES)
def test_scores_of_frames_have_their_index(client, library, loss):
    X, y, _ = rows(loss)
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) * 2)
    frames = [dd.from_pandas(values, npartitions=3) for values in (frame, pd.Series(y, frame.index))]
    model, _ = together(client, library, loss, frames, None, 5)
    of_rows = {"xgboost": xgb_one, "lightgbm": lgb_one}[library]
    raw = xgb_many.raw_score(client, model, frames[0]) if library == "xgboost" else lgb_many.raw_score(model, frames[0])
    few = frames[0][frames[0]["a"] < 1]  # may leave partitions without rows
    for scores, expected in (
        (raw, of_rows.raw_score),
        (proba(client, library, model, frames[0]), of_rows.predict_proba),
    ):
        found = scores.compute()
        assert (found.index == frame.index).all()
        assert_allclose(found.to_numpy(), expected(model, frame), atol=1e-6)
    assert proba(client, library, model, few).compute().shape == ((X[:, 0] < 1).sum(), 5 if loss.multiclass else 2)


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [False, True])
def test_xgboost_evaluates_frames_that_one_worker_does_not_hold(client, quantile):
    loss = SoftmaxCrossEntropy()
    X, y, weight = rows(loss)
    frame = pd.DataFrame(X, columns=list("abcde"))
    parts = [dd.from_pandas(values, npartitions=4) for values in (frame, pd.Series(y), pd.Series(weight))]
    kind = xgb_dask.DaskQuantileDMatrix if quantile else xgb_dask.DaskDMatrix
    train = kind(client, *parts[:2], weight=parts[2])
    options = {"ref": train} if quantile else {}
    valid = kind(client, *(part.partitions[:1] for part in parts[:2]), weight=parts[2].partitions[:1], **options)
    assert len(train.worker_map) == 2 > len(valid.worker_map) == 1
    for evals in ([(valid, "valid")], [(valid, "valid"), (train, "train")]):
        found = xgb_many.train(client, SETTINGS["xgboost"], train, 3, loss=loss, evals=evals, verbose_eval=False)
        value = loss(y[:750], xgb_one.raw_score(found["booster"], frame[:750]), weight[:750])
        assert_allclose(found["history"]["valid"]["softmax_cross_entropy"][-1], value, atol=1e-6)
    assert len(valid.worker_map) == 1


@pytest.mark.slow
def test_lightgbm_on_sparse_arrays(client):
    loss = LogLoss()
    X, y, _ = rows(loss)
    X[X < 3] = 0.0
    dense, labels = (spread(client, values, (1000, 0, 2000)) for values in (X, y))
    data = dense.map_blocks(csr_matrix, meta=csr_matrix((0, 0)))
    model, _ = together(client, "lightgbm", loss, [data, labels], None, 5)
    proba = lgb_many.predict_proba(model, data)
    assert_allclose(proba.compute(), lgb_one.predict_proba(model, X), atol=1e-12)
    with pytest.raises(TypeError, match="num_iteration must be omitted, got 3; use rounds="):
        lgb_many.raw_score(model, data, num_iteration=3)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_rows_and_one_row_are_refused(client, library):
    loss = LogLoss()
    X, y, _ = rows(loss)
    none = [spread(client, values[:0], (0,)) for values in (X, y)]
    with pytest.raises(ValueError, match="must have rows, got none"):
        together(client, library, loss, none, None)
    one = [spread(client, values[:1], (1,)) for values in (X, y)]
    with pytest.raises(ValueError, match=r"must hold both|positive weight"):
        together(client, library, loss, one, None)
    shared = [spread(client, values, (1000, 2000)) for values in (X, y)]
    with pytest.raises(ValueError, match=r"valid.*must have rows, got none"):
        together(client, library, loss, shared, none)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_categorical_columns_and_missing_values(client, library):
    loss = LogLoss()
    X, y, weight = rows(loss)
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.loc[::5, "b"] = np.nan
    frame["a"] = pd.Categorical([f"{value:.0f}" for value in frame["a"]])
    series = [pd.Series(values) for values in (y, weight)]
    parts = [dd.from_pandas(values, npartitions=4) for values in (frame, *series)]
    _, history = together(client, library, loss, parts, parts)
    if library == "lightgbm":
        _, expected = alone(library, loss, (frame, *series), (frame, *series))
    else:
        expected = history_with_categories(loss, frame, *series)
    label = next(iter(history["valid"]))
    assert_allclose(history["valid"][label], expected["valid"][label], atol=1.001e-6)
    other = frame.assign(a=frame["a"].cat.rename_categories(list("abcdefgh")))
    mixed = dd.from_map(lambda number: (frame, other)[number], [0, 1], meta=frame[:0])
    labels = dd.from_map(lambda number: series[0], [0, 1], meta=series[0][:0])
    with pytest.raises(ValueError, match=r"must have the same categories in all partitions.*in column 'a'; use categ"):
        together(client, library, loss, [mixed, labels], None)


def history_with_categories(loss, frame, y, weight):
    history = {}
    data = xgb.DMatrix(frame, y, weight=weight, enable_categorical=True)
    options = {"early_stopping_rounds": 4, "evals_result": history, "verbose_eval": False}
    evals = [(data, "train"), (data, "valid")]
    xgb_one.train(SETTINGS["xgboost"], data, 40, loss=loss, evals=evals, **options)
    return history


@pytest.mark.slow
@pytest.mark.parametrize("loss", [FocalLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_xgboost_with_a_bare_objective_and_metric(client, loss):
    data, valid = rows(loss), rows(loss, 900, seed=1)
    sizes = first_class(data[1])
    X, y, weight = (spread(client, values, sizes) for values in data)
    held_out = [spread(client, values, (900,)) for values in valid]
    settings = xgb_many.params(loss, y, weight, client=client)
    assert settings == xgb_one.params(loss, *data[1:])
    matrices = [xgb_dask.DaskDMatrix(client, *part[:2], weight=part[2]) for part in ((X, y, weight), held_out)]
    options = {"evals": [(matrices[1], "valid")], "early_stopping_rounds": 4, "verbose_eval": False}
    objective, metric = xgb_one.Objective(loss), xgb_one.Metric(loss)
    settings = {**SETTINGS["xgboost"], **settings}
    found = xgb_dask.train(client, settings, matrices[0], 40, obj=objective, custom_metric=metric, **options)
    _, expected = alone("xgboost", loss, data, valid)
    assert_allclose(found["history"]["valid"][metric.label], expected["valid"][metric.label], atol=1.001e-6)
    settings = {"max_depth": 3, "learning_rate": 0.5, "n_estimators": 40, "early_stopping_rounds": 4}
    settings |= xgb_many.params(loss, y, weight, client=client, sklearn=True)
    model = xgb_dask.DaskXGBClassifier(**settings)
    model.client = client
    model.fit(X, y, sample_weight=weight, eval_set=[held_out[:2]], sample_weight_eval_set=[held_out[2]], verbose=False)
    found = model.evals_result()["validation_0"][metric.label]
    assert_allclose(found, expected["valid"][metric.label], atol=1.001e-6)
    proba = xgb_many.predict_proba(client, model, held_out[0]).compute()
    assert_allclose(proba, xgb_one.predict_proba(model.get_booster(), valid[0], loss), atol=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Parameter n_jobs will be ignored")
@pytest.mark.parametrize("loss", [FocalLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_a_dask_lgbm_classifier_with_global_metrics(client, loss):
    data, valid = (
        [values[np.random.default_rng(2).permutation(len(values))] for values in part]  # every worker needs all classes
        for part in (rows(loss), rows(loss, 900, seed=1))
    )
    X, y, weight = (spread(client, values, (1000, 2000)) for values in data)
    held_out = [spread(client, values, (900,)) for values in valid]
    settings = lgb_many.params(loss, y, weight, client=client, sklearn=True)
    init_score = settings["objective"].init_score
    assert_allclose(init_score, lgb_one.params(loss, *data[1:])["objective"].init_score, rtol=1e-12)
    sets = {"eval_X": (X, held_out[0]), "eval_y": (y, held_out[1])}
    if "eval_X" not in inspect.signature(lgb.DaskLGBMClassifier.fit).parameters:  # LightGBM before 4.7
        sets = {"eval_set": list(zip(*sets.values(), strict=True))}
    model = lgb.DaskLGBMClassifier(client=client, n_estimators=40, **SETTINGS["lightgbm"], **settings)
    model.fit(
        X,
        y,
        sample_weight=weight,
        **sets,
        eval_sample_weight=[weight, held_out[2]],
        eval_names=["train", "valid"],
        eval_metric=lgb_one.Metric(loss, init_score=init_score),
        callbacks=[lgb_many.global_metrics(client), lgb.early_stopping(4, verbose=False)],
    )
    _, expected = alone("lightgbm", loss, data, valid)
    for name in ("train", "valid"):
        (found,), (values,) = model.evals_result_[name].values(), expected[name].values()
        assert_allclose(found, values, atol=1e-6)
    assert_allclose(
        lgb_many.predict_proba(model, held_out[0]).compute(), lgb_one.predict_proba(model, valid[0]), atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_model_is_continued(client, library):
    loss = SoftmaxFocalLoss()
    X, y, _ = rows(loss)
    shared = [spread(client, values, (1000, 2000)) for values in (X, y)]
    argument = {"xgboost": "xgb_model", "lightgbm": "init_model"}[library]
    first, _ = together(client, library, loss, shared, None, 3)
    more, _ = together(client, library, loss, shared, None, 3, **{argument: first})
    whole, _ = together(client, library, loss, shared, None, 6)
    found, expected = (proba(client, library, model, shared[0]).compute() for model in (more, whole))
    assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ValueError, match="must have been trained with loss=SoftmaxCrossEntropy"):
        together(client, library, SoftmaxCrossEntropy(), shared, None, 3, **{argument: first})


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_invalid_data_are_refused_before_training(client, library):
    loss = LogLoss()
    X, y, weight = rows(loss)
    wrong = y.copy()
    wrong[1500] = 2.0
    shared = [spread(client, values, (1000, 2000)) for values in (X, y, weight)]
    with pytest.raises(ValueError, match=r"partition 0 of tcp://.*y_true must .*got 2.0 in row 500"):
        together(client, library, loss, [shared[0], spread(client, wrong, (1000, 2000))], None)
    with pytest.raises(ValueError, match=r"sample_weight must .*got -1.0 in row 0"):
        together(client, library, loss, [*shared[:2], spread(client, 0 * weight - 1, (1000, 2000))], None)
    with pytest.raises(ValueError, match=r"valid.* must have rows of weight > 0, got none"):
        together(client, library, loss, shared, [*shared[:2], spread(client, 0 * weight, (1000, 2000))])
    several = [spread(client, np.arange(3000.0) % count, (1000, 2000)) for count in (3, 4)]
    with pytest.raises(ValueError, match=r"valid.* must hold class codes 0..2, as the training data do, got 3"):
        together(client, library, SoftmaxCrossEntropy(), [shared[0], several[0]], [shared[0], several[1]])
    soft = spread(client, np.full((3000, 3), 1 / 3), (1000, 2000))
    labels = [several[0], soft] if library == "xgboost" else [soft, soft]
    with pytest.raises(ValueError, match="got soft labels"):
        together(client, library, SoftmaxCrossEntropy(), [shared[0], labels[0]], [shared[0], labels[1]])


def test_settings_that_a_cluster_does_not_allow(client):
    X, y = (da.zeros((4, 1)), da.zeros(4))
    cases = {
        "tree_learner must be 'data' or 'voting', because each worker has some of the rows, got 'x'": {"tree": "x"},
        "num_machines must be omitted, because the workers of the cluster are used, got 2": {"num_machines": 2},
        "local_listen_port must be a port from 1 to 65535, or 0 for a free port, got -1": {"local_listen_port": -1},
    }
    for message, settings in cases.items():
        with pytest.raises(ValueError, match=message):
            lgb_many.train(settings, X, y, loss=LogLoss(), client=client)
    with pytest.raises(ValueError, match="eval_y must have one entry per set in eval_X, got 0 for 1"):
        lgb_many.train({}, X, y, loss=LogLoss(), client=client, eval_X=[X])
    with pytest.raises(TypeError, match="eval_X must be a list of Dask collections, one per set, got Array"):
        lgb_many.train({}, X, y, loss=LogLoss(), client=client, eval_X=X, eval_y=y)
    with pytest.raises(ValueError, match=r"must have the same number of partitions, got {'X': 1, 'y': 2}"):
        lgb_many.train({}, X, y.rechunk(2), loss=LogLoss(), client=client)
    with pytest.raises(TypeError, match="X must be a Dask array, DataFrame or Series, got ndarray"):
        lgb_many.train({}, np.zeros((4, 1)), y, loss=LogLoss(), client=client)
    with pytest.raises(TypeError, match="dtrain must be a DaskDMatrix, got ndarray"):
        xgb_many.train(client, {}, np.zeros((4, 1)), loss=LogLoss())
    with pytest.raises(TypeError, match=r"client must be a synchronous distributed\.Client, got str"):
        xgb_many.train("tcp://127.0.0.1", {}, None, loss=LogLoss())


@pytest.mark.slow
def test_a_score_that_is_no_mean_warns(client):
    loss = LogLoss()
    X, y, _ = rows(loss)
    shuffled = [spread(client, values[np.random.default_rng(0).permutation(3000)], (1500, 1500)) for values in (X, y)]
    metric = lgb_one.Metric(loss, average_precision, name="no_mean_on_dask", greater_is_better=True)
    with pytest.warns(UserWarning, match="'no_mean_on_dask' is not known to be a mean over rows"):
        together(client, "lightgbm", loss, shuffled, None, 2, feval=metric)


class Failure:
    """Metric of two evaluation sets that fails on one of the workers in the fourth round."""

    def __init__(self, worker):
        self.worker = worker
        self.calls = 0

    def __call__(self, raw, data):
        self.calls += 1
        if self.calls == 7 and get_worker().address == self.worker:
            raise OSError("the disk is full")
        return "failure", 0.0, False


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the metric .* is not known to be a mean")
def test_a_metric_that_fails_on_one_worker_ends_the_training_on_all(client):
    loss = LogLoss()
    X, y, _ = rows(loss)
    shared = [spread(client, values, (1000, 2000)) for values in (X, y)]
    for worker in client.ncores():
        with pytest.raises(OSError, match="the disk is full") as caught:
            together(client, "lightgbm", loss, shared, None, feval=Failure(worker))
        assert not hasattr(caught.value, "__notes__")  # no worker is still busy
    together(client, "lightgbm", loss, shared, None)


class CollectGarbage:
    """Callback that deletes objects of earlier trainings."""

    order = 0

    def __call__(self, env):
        gc.collect()


@pytest.mark.slow
def test_a_training_that_lightgbm_refuses_leaves_no_network(client):
    loss = LogLoss()
    X, y, _ = rows(loss)
    shared = [spread(client, values, (1000, 2000)) for values in (X, y)]
    with pytest.raises(lgb.basic.LightGBMError, match="max_bin"):
        lgb_many.train({**SETTINGS["lightgbm"], "max_bin": 1}, *shared, loss=loss, client=client)
    _, history = together(client, "lightgbm", loss, shared, None, 5, callbacks=[CollectGarbage()])
    assert len(history["valid"]["log_loss"]) == 5


@pytest.mark.slow
def test_a_served_xgboost_model_refuses_base_margins(client):
    loss = LogLoss(3.0)
    X, y, weight = rows(loss)
    shared = [spread(client, values, (1000, 2000)) for values in (X, y)]
    model, _ = together(client, "xgboost", loss, shared, None, 3)
    served = xgb_one.servable(model)
    proba = xgb_many.predict_proba(client, served, xgb_dask.DaskDMatrix(client, shared[0])).compute()
    assert_allclose(proba, xgb_one.predict_proba(served, X), atol=1e-12)
    margins = xgb_dask.DaskDMatrix(client, shared[0], base_margin=spread(client, weight, (1000, 2000)))
    with pytest.raises(ValueError, match="X must have no base margins for this served model"):
        xgb_many.predict_proba(client, served, margins)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_extra_is_named_without_dask(library):
    code = f"import sys; sys.modules['distributed'] = None; import boosting_losses.adapters.{library}.dask"
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=110,
    )
    assert 'ImportError: the Dask adapters require Dask: pip install "boosting-losses[dask]"' in run.stderr


@pytest.mark.parametrize(
    ("estimator", "name"), [(xgb_dask.DaskXGBClassifier, "xgboost"), (lgb.DaskLGBMClassifier, "lightgbm")]
)
def test_the_calibrated_classifier_refuses_dask_estimators(estimator, name):
    rule = f"estimator must train on one machine, got {estimator.__name__}: train with boosting_losses.adapters.{name}.dask"
    with pytest.raises(TypeError, match=re.escape(rule)):
        CalibratedBoostingClassifier(estimator()).fit(np.eye(4), [0, 1, 0, 1])
