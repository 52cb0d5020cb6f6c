"""The parts of an accumulator: merged, they give what one pass over all rows gives."""

import itertools
import pickle

import numpy as np
import pytest
from numba.core import config
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses._kernels import poisson
from boosting_losses.metrics import _binned_rows, _even_sample
from boosting_losses.metrics._even_sample import EvenSample
from boosting_losses.metrics._predictions import Predictions
from boosting_losses.metrics._statistics.bootstrap import Bootstrap, Columns
from boosting_losses.metrics._statistics.streams import jumped
from boosting_losses.report import Accumulator, ProbabilityReport, Settings
from boosting_losses.report._moments import GroupSums

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

N = 3000
CUTS = [0, 0, 1, 777, 1500, 1500, 2990, N]


def drawn(classes):
    rng = np.random.default_rng(classes)
    if classes == 2:
        z = rng.normal(-1.0, 1.5, N)
        y, p = (rng.random(N) < 1 / (1 + np.exp(-z))).astype(int), 1 / (1 + np.exp(-1.6 * z))
        q = p**2
    else:
        p = rng.dirichlet(np.ones(classes), N)
        y, q = np.array([rng.choice(classes, p=row) for row in p]), p**2 / (p**2).sum(axis=1, keepdims=True)
    w = rng.random(N) * (rng.random(N) > 0.2)
    return y, [p, q], w, np.sort(rng.integers(0, 300, N)), rng.integers(0, 2, N)


def prepared(data, n_rows=None, *, grouped=False):
    y, probas, w, _, _ = data
    settings = Settings(n_resamples=100, thresholds=(0.2,) if probas[0].ndim == 1 else ())
    accumulator = Accumulator(["p", "q"], settings, 300 if grouped else None, {"half": ["a", "b"]})
    accumulator.prepare(y[::2], [p[::2] for p in probas], w[::2], n_rows=n_rows)
    return accumulator


def add(accumulator, data, start, stop):
    y, probas, w, groups, halves = (
        [p[start:stop] for p in part] if isinstance(part, list) else part[start:stop] for part in data
    )
    own = None if accumulator.n_groups is None else groups
    if stop > start:
        accumulator.add(y, probas, w, groups=own, slices={"half": halves})


def part_of(whole, data, start, stop):
    """A part that has been in another process before and after."""
    _, _, w, groups, _ = data
    before, after = groups[:start][w[:start] > 0], groups[start:][w[start:] > 0]
    ended = len(np.unique(before)) - (len(before) > 0 and len(after) > 0 and before[-1] == after[0])
    own = pickle.loads(pickle.dumps(whole)).part(start, counted=np.count_nonzero(w[:start]), groups=int(ended))
    add(own, data, start, stop)
    return pickle.loads(pickle.dumps(own))


@pytest.mark.parametrize("merges_rows", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_merged_parts_are_one_pass(classes, grouped, merges_rows, monkeypatch):
    if merges_rows:
        monkeypatch.setattr(_binned_rows, "MOST_ROWS", 500)
        monkeypatch.setattr(_even_sample, "SAMPLE", 300)
    data = drawn(classes)
    one, whole = prepared(data, grouped=grouped), prepared(data, N if merges_rows else None, grouped=grouped)
    for start in range(0, N, 400):
        add(one, data, start, start + 400)
    parts = [part_of(whole, data, *ends) for ends in itertools.pairwise(CUTS)]
    for later in parts[3:5]:
        parts[2].merge(later)  # in a tree
    for part in [*parts[:3], *parts[5:]]:
        whole.merge(part)
    for sums, others in zip(one.totals().values(), whole.totals().values(), strict=True):
        for a, b in zip(sums, others, strict=True):
            for values, expected in zip(b, a, strict=True):
                assert_allclose(values, expected, rtol=1e-9, atol=1e-9)
    for a, b in zip(one.models, whole.models, strict=True):
        for values, expected in zip(b.points, a.points, strict=True):
            assert_allclose(values, expected, rtol=1e-9)
        assert_array_equal(b.worst.row, a.worst.row)
        if classes > 2:
            assert_array_equal(b.rows().proba, a.rows().proba)
    reports = [ProbabilityReport.from_accumulator(accumulator) for accumulator in (one, whole)]
    assert reports[0].findings == reports[1].findings
    for name in (
        "log_loss",
        "brier_score",
        "normalized_cross_entropy",
        "roc_auc",
        "average_precision",
        "miscalibration",
    ):
        assert_allclose(reports[1].models[1].scores[name], reports[0].models[1].scores[name], rtol=1e-7, err_msg=name)
        pairs = [report.differences["q", "p"][name] for report in reports]
        assert_allclose(pairs[1], pairs[0], rtol=1e-7, atol=1e-12, err_msg=name)
    assert_allclose(reports[1].models[0].slices[0].rows[1].log_loss, reports[0].models[0].slices[0].rows[1].log_loss)


def test_rows_can_be_added_after_a_merge():
    data = drawn(2)
    one, whole = prepared(data, grouped=True), prepared(data, grouped=True)
    add(one, data, 0, N)
    for part in [part_of(whole, data, 0, 1000), part_of(whole, data, 1000, 2000)]:
        whole.merge(part)
    add(whole, data, 2000, N)
    for sums, others in zip(one.totals().values(), whole.totals().values(), strict=True):
        assert_allclose(others[1].weight, sums[1].weight, rtol=1e-9)
    assert whole.models[0].worst.row.max() > 2000


def test_parts_of_unknown_size_have_independent_replicates():
    data = drawn(2)
    one, whole = prepared(data), prepared(data)
    add(one, data, 0, N)
    parts = [whole.part(i * 2**40) for i in range(len(CUTS) - 1)]
    for part, ends in zip(parts, itertools.pairwise(CUTS), strict=True):
        add(part, data, *ends)
        whole.merge(part)
    reports = [ProbabilityReport.from_accumulator(accumulator) for accumulator in (one, whole)]
    for name, estimate in reports[0].models[0].scores.items():
        other = reports[1].models[0].scores[name]
        width = estimate.high - estimate.low
        assert_allclose(other.value, estimate.value, atol=0.3 * width, err_msg=name)
        assert 0.6 < (other.high - other.low) / width < 1.6, name


def test_what_parts_refuse():
    data = drawn(2)
    whole, other = prepared(data), prepared(data)
    with pytest.raises(
        ValueError, match="part requires a prepared accumulator without rows, got one that has not been"
    ):
        Accumulator(["p"]).part(0)
    later = whole.part(100)
    add(later, data, 100, 200)
    whole.merge(later)
    with pytest.raises(ValueError, match="part requires a prepared accumulator without rows, got one with 100 rows"):
        whole.part(200)
    with pytest.raises(ValueError, match="got a part that starts at row 100 after 200 rows"):
        whole.merge(later)
    with pytest.raises(ValueError, match="merge requires parts of one prepared accumulator, got another accumulator"):
        whole.merge(other)
    with pytest.raises(ValueError, match="merge requires parts of one prepared accumulator, got another accumulator"):
        Accumulator(["p"]).merge(Accumulator(["p"]))


def test_an_invalid_row_of_one_model_is_named():
    y, (p, q), w, _, _ = drawn(2)
    q[70] = -1.0
    with pytest.raises(ValueError, match=r"model 'q': proba must lie in \[0, 1\], got -1.0 in row 70"):
        ProbabilityReport.from_predictions(y, {"p": p, "q": q}, w)


# ---- the pieces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 2, 1000])
def test_a_jump_is_that_number_of_steps(steps):
    first, second = np.random.default_rng(0).integers(0, 2**63, (2, 12)).astype(np.uint64)
    found = jumped(first, second, steps)
    bits = np.empty_like(first)
    for _ in range(steps):
        poisson.advance(first, second, bits)
    assert_array_equal(found, (first, second))


def test_long_jumps_add_up():
    states = np.random.default_rng(0).integers(0, 2**63, (2, 12)).astype(np.uint64)
    assert_array_equal(jumped(*jumped(*states, 2**61 + 5), 3**20), jumped(*states, 2**61 + 5 + 3**20))


def test_a_group_that_continues_in_a_part_counts_as_often():
    rng = np.random.default_rng(0)
    n, groups = 40, np.sort(rng.integers(0, 10, 40))
    weight, columns = rng.random(n), Columns(rng.random((n, 1)), np.zeros((n, 1), np.int32), rng.random((n, 1)))

    def added(bootstrap, first, stop):
        rows = np.arange(first, stop)
        bootstrap.add(weight[rows], columns.take(rows), np.diff(groups[rows], prepend=-1) == 0)
        return bootstrap

    whole = added(Bootstrap(1, 1, 100, 3), 0, n).totals()
    for cut in range(1, n):
        parts = added(Bootstrap(1, 1, 100, 3), 0, cut)
        ended = len(np.unique(groups[:cut])) - int(groups[cut] == groups[cut - 1])
        parts.merge(added(Bootstrap(1, 1, 100, 3, ended), cut, n))
        for a, b in zip(whole, parts.totals(), strict=True):
            assert_allclose(b, a, rtol=1e-12)


def test_an_even_sample_does_not_depend_on_parts(monkeypatch):
    monkeypatch.setattr(_even_sample, "SAMPLE", 50)
    rng = np.random.default_rng(0)
    for n in (50, 51, 777):
        rows = Predictions(np.zeros(n), np.arange(n) * 1.0, None)
        for _ in range(20):
            cuts = [0, *np.sort(rng.integers(0, n, 5)), n]
            whole = EvenSample()
            for start, stop in itertools.pairwise(cuts):
                part = EvenSample(start)
                for block in np.array_split(np.arange(start, stop), 3):
                    part.add(rows.take(block), np.ones(len(block)))
                whole.merge(part)
            step = 2 ** int(np.ceil(np.log2(n / 50)))
            assert_array_equal(whole.rows().proba, np.arange(0, n, step))


def test_sums_of_groups_in_any_order():
    rng = np.random.default_rng(0)
    codes, columns = rng.integers(0, 500, 2000), rng.random((2000, 3))
    sums, later = GroupSums(3), GroupSums(3)
    for i, rows in enumerate(np.array_split(np.arange(2000), 40)):
        (sums if i % 2 else later).add(codes[rows], columns[rows])
    sums.merge(later, np.zeros(2))
    expected = np.zeros((500, 3))
    np.add.at(expected, codes, columns)
    some = sums.sums[:, 0] > 0
    assert_allclose(sums.sums[some], expected[expected[:, 0] > 0])
    assert len(sums.sums) <= 1500
