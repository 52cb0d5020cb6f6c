"""Bad input is refused in words: what was asked, the rule, and what came."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.metrics import brier_score, log_loss

from .cases import each_binary, each_loss, each_multiclass, has_posterior, sample

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FocalLoss(-1.0), ValueError, "gamma must be finite and >= 0, got -1.0"),
        (lambda: FocalLoss(NAN), ValueError, "gamma must be finite and >= 0, got nan"),
        (lambda: SoftmaxFocalLoss(INF), ValueError, "gamma must be finite and >= 0, got inf"),
        (lambda: FocalLoss(1e300), ValueError, "gamma must be at most 100, got 1e+300"),
        (lambda: SoftmaxFocalLoss(100.5), ValueError, "gamma must be at most 100, got 100.5"),
        (lambda: FocalLoss("2"), TypeError, "gamma must be a number that is finite and >= 0, got '2'"),
        (lambda: FocalLoss(True), TypeError, "gamma must be a number that is finite and >= 0, got True"),
        (lambda: FocalLoss(None), TypeError, "gamma must be a number that is finite and >= 0, got None"),
        (lambda: FocalLoss(alpha=0.0), ValueError, "alpha must be > 0 and < 1, got 0.0"),
        (lambda: FocalLoss(alpha=1), ValueError, "alpha must be > 0 and < 1, got 1.0"),
        (lambda: FocalLoss(alpha=NAN), ValueError, "alpha must be > 0 and < 1, got nan"),
        (lambda: FocalLoss(hessian="abs"), ValueError, "hessian must be 'guarded' or 'exact', got 'abs'"),
        (lambda: FocalLoss(hessian=["exact"]), ValueError, "hessian must be 'guarded' or 'exact', got ['exact']"),
        (lambda: LogLoss(0), ValueError, "pos_weight must be finite and > 0, got 0.0"),
        (lambda: LogLoss(INF), ValueError, "pos_weight must be finite and > 0, got inf"),
        (lambda: LogLoss(label_smoothing=1.0), ValueError, "label_smoothing must be >= 0 and < 1, got 1.0"),
        (lambda: LogLoss(label_smoothing=-0.1), ValueError, "label_smoothing must be >= 0 and < 1, got -0.1"),
        (lambda: SoftmaxCrossEntropy([1, -1]), ValueError, "class_weight[1] must be finite and > 0, got -1.0"),
        (lambda: SoftmaxCrossEntropy([1, "a"]), TypeError, "class_weight[1] must be a number that is finite and > 0"),
        (
            lambda: SoftmaxCrossEntropy([1.0]),
            ValueError,
            "class_weight must hold at least 2 weights, one per class, got 1",
        ),
        (lambda: SoftmaxCrossEntropy("balanced"), TypeError, "class_weight must be a sequence with one weight per"),
        (lambda: SoftmaxCrossEntropy({1.0, 2.0}), TypeError, "class_weight must be a sequence with one weight per"),
        (lambda: SoftmaxCrossEntropy(b"12"), TypeError, "class_weight must be a sequence with one weight per class"),
        (lambda: SoftmaxCrossEntropy({0: 1.0, 1: 2.0}), TypeError, "class_weight must be a sequence with one weight"),
        (lambda: SoftmaxCrossEntropy(2.0), TypeError, "class_weight must be a sequence with one weight per class"),
    ],
)
def test_parameters(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert message in str(raised.value)


def spoil(values, row, value):
    spoiled = np.array(values, dtype=float)
    spoiled[row] = value
    return spoiled


def every_call(loss, y, raw, weight=None):
    """Each way in; a generator of calls."""
    yield lambda: loss(y, raw, weight)
    yield lambda: loss.sum_and_weight(y, raw, weight)
    yield lambda: loss.per_sample(y, raw, weight)
    yield lambda: loss.gradient_hessian(y, raw, weight)


def label_call(loss, y, weight=None):
    yield lambda: loss.init_score(y, weight)


def raw_calls(loss, raw):
    yield lambda: loss.activation(raw)
    yield lambda: loss.posterior_logits(raw)
    if has_posterior(loss):
        yield lambda: loss.posterior(raw)


def check(calls, error, message):
    for call in calls:
        with pytest.raises(error) as raised:
            call()
        assert message in str(raised.value)
        assert "numba" not in str(raised.value).lower()
        assert raised.value.__cause__ is None


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_without_meaning(loss, dtype):
    y, raw = sample(loss, 20)
    ones = np.ones(20, dtype)
    rule = "y_true must hold class codes 0..3, got" if loss.multiclass else "y_true must lie in [0, 1], got"
    for bad in (NAN, INF, -1.0, 4.0):
        labels = spoil(y, 7, bad).astype(dtype)
        check(every_call(loss, labels, raw.astype(dtype)), ValueError, f"{rule} {bad} in row 7")
        if bad != 4.0 or not loss.multiclass:
            check(label_call(loss, labels), ValueError, f"got {bad} in row 7")
    for bad in (NAN, INF, -INF):
        scores = spoil(raw, (3, 1) if loss.multiclass else 3, bad).astype(dtype)
        check(every_call(loss, y, scores), ValueError, f"raw must be finite, got {bad} in row 3")
        check(raw_calls(loss, scores), ValueError, "raw must be finite")
    for bad in (NAN, INF, -0.5):
        weight = spoil(ones, 5, bad).astype(dtype)
        message = f"sample_weight must be finite and >= 0, got {bad} in row 5"
        check([*every_call(loss, y, raw, weight), *label_call(loss, y, weight)], ValueError, message)
    message = "sample_weight must have a sum > 0, got 20 weights that are all 0"
    check([*every_call(loss, y, raw, 0 * ones), *label_call(loss, y, 0 * ones)], ValueError, message)


@each_loss
def test_shapes(loss):
    y, raw = sample(loss, 20)
    check(every_call(loss, y[:-1], raw), ValueError, "y_true must have one label per row of raw, got 19 labels for 20")
    check(
        every_call(loss, y, raw, np.ones(19)), ValueError, "sample_weight must have shape (20,), one weight per label"
    )
    check(every_call(loss, y, raw, np.ones((20, 1))), ValueError, "got (20, 1)")
    check(every_call(loss, y, raw, 2.0), ValueError, "sample_weight must have shape (20,)")
    check(every_call(loss, y, 1.0), ValueError, "raw must have shape")
    check(every_call(loss, 1, raw), ValueError, "y_true must have shape")
    empty = raw[:0]
    check(
        [*every_call(loss, y[:0], empty), *label_call(loss, y[:0])], ValueError, "y_true must hold at least one label"
    )


@each_binary
def test_binary_losses_want_one_score_per_sample(loss):
    message = "raw must have shape (n,) for a binary loss, got"
    for raw in (np.zeros((5, 3)), np.zeros((5, 1))):
        calls = [*every_call(loss, np.zeros(5), raw), *raw_calls(loss, raw)]
        check(calls, ValueError, f"{message} {raw.shape}")
    check([lambda: loss.init_score([0, 1], n_classes=3)], ValueError, "n_classes must be 2 or None for a binary loss")


@each_multiclass
def test_multiclass_losses_want_a_score_per_class(loss):
    message = "raw must have shape (n, K) with K >= 2 for a multiclass loss, got"
    for raw in (np.zeros(5), np.zeros((5, 1)), np.zeros((5, 2, 2))):
        calls = [*every_call(loss, np.zeros(5), raw), *raw_calls(loss, raw)]
        check(calls, ValueError, f"{message} {raw.shape}")


@each_multiclass
def test_class_codes_and_soft_labels(loss):
    y, raw = sample(loss, 20)
    check(every_call(loss, spoil(y, 2, 1.5), raw), ValueError, "y_true must hold class codes 0..3, got 1.5 in row 2")
    check(label_call(loss, spoil(y, 2, 1.5)), ValueError, "y_true must hold class codes 0, 1, 2, ..., got 1.5 in row 2")
    soft = np.full((20, 4), 0.25)
    check(every_call(loss, soft[:, :3], raw), ValueError, "y_true with soft labels must have the shape of raw, got")
    message = "rows of y_true with soft labels must sum to 1, got 0.85"
    calls = [*every_call(loss, spoil(soft, (4, 1), 0.1), raw), *label_call(loss, spoil(soft, (4, 1), 0.1))]
    check(calls, ValueError, message)
    calls = every_call(loss, spoil(soft, (4, 1), -0.1), raw)
    check(calls, ValueError, "y_true with soft labels must lie in [0, 1], got -0.1 in row 4")
    check([lambda: loss.init_score(soft, n_classes=5)], ValueError, "must have n_classes=5 columns, got 4")
    check([lambda: loss.init_score(y, n_classes=3)], ValueError, "y_true must hold class codes 0..2, got 3.0 in row")


def test_class_weight_of_the_wrong_length():
    for loss in (SoftmaxCrossEntropy((1, 2, 3)), SoftmaxFocalLoss(class_weight=(1, 2, 3))):
        message = "class_weight must hold one weight per class, got 3 for 4"
        calls = [
            *every_call(loss, [0, 1, 2, 3], np.zeros((4, 4))),
            *label_call(loss, [0, 1, 2, 3]),
            lambda loss=loss: loss.posterior(np.zeros((4, 4))),
        ]
        check(calls, ValueError, message)


@each_loss
def test_dtypes(loss):
    y, raw = sample(loss, 20)
    rule = "must be of a float32, float64, integer or boolean dtype, got"
    check(every_call(loss, y, raw.astype(np.float16)), TypeError, f"raw {rule} float16")
    check(raw_calls(loss, raw.astype(np.float16)), TypeError, f"raw {rule} float16")
    check(every_call(loss, y, raw.astype(np.longdouble)), TypeError, f"raw {rule} float128")
    check(every_call(loss, y, raw.astype(complex)), TypeError, f"raw {rule} complex128")
    check(every_call(loss, y.astype(str), raw), TypeError, f"y_true {rule} <U")
    check(label_call(loss, y.astype(str)), TypeError, f"y_true {rule} <U")
    check(every_call(loss, y.astype("datetime64[s]"), raw), TypeError, f"y_true {rule} datetime64")
    words = pd.Series(["no", "yes"] * 10)
    check(every_call(loss, words, raw), TypeError, "y_true must be")
    check(every_call(loss, words.astype(object), raw), TypeError, "y_true must be numeric, got non-numeric objects")
    check(every_call(loss, words.astype("category"), raw), TypeError, "y_true must be")
    check(every_call(loss, pl.Series(["no", "yes"] * 10), raw), TypeError, "y_true must be")
    check(every_call(loss, y, raw, ["1"] * 20), TypeError, f"sample_weight {rule} <U1")
    missing = pd.Series(y, dtype="Int64").mask(pd.Series(range(20)) == 3)
    for call in every_call(loss, missing, raw):
        with pytest.raises((TypeError, ValueError), match="y_true must"):
            call()
    if not loss.multiclass:
        check(every_call(loss, pl.Series([None, *y[1:].tolist()]), raw), ValueError, "got nan in row 0")


@each_loss
def test_one_class_only(loss):
    for kind in (0, 1):
        labels = np.full(10, kind)
        check(label_call(loss, labels), ValueError, f"got only class {kind}")
    y, _ = sample(loss, 20)
    check(label_call(loss, y, (y == 1).astype(float)), ValueError, "got only class 1")


def test_a_missing_class():
    for loss in (SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
        message = "y_true must hold every class 0..3 with positive weight, got none of class 1: its best score is"
        check([lambda loss=loss: loss.init_score([0, 2, 3, 3])], ValueError, message)
        check([lambda loss=loss: loss.init_score([0, 1, 2], n_classes=4)], ValueError, "got none of class 3")
    assert np.isfinite(SoftmaxCrossEntropy(label_smoothing=0.1).init_score([0, 2, 3, 3])).all()


def test_probabilities():
    for score in (log_loss, brier_score):
        check([lambda s=score: s([0, 1], [0.2, 1.2])], ValueError, "proba must lie in [0, 1], got 1.2 in row 1")
        check([lambda s=score: s([0, 1], [0.2, NAN])], ValueError, "proba must lie in [0, 1], got nan in row 1")
        check([lambda s=score: s([0, 1], [[0.2, 0.7], [0.5, 0.5]])], ValueError, "rows of proba must sum to 1")
        check([lambda s=score: s([0, 2], [[0.3, 0.7], [0.5, 0.5]])], ValueError, "class codes 0..1, got 2.0 in row 1")
        check([lambda s=score: s([0, 2], [0.3, 0.7])], ValueError, "y_true must lie in [0, 1], got 2.0 in row 1")
        check([lambda s=score: s([0], [0.3, 0.7])], ValueError, "y_true must have one label per row of proba, got 1")
        check([lambda s=score: s([[1.0, 0.0]], [[0.3, 0.5, 0.2]])], ValueError, "must have the shape of proba")
        check([lambda s=score: s([1], [[1.0]])], ValueError, "proba must have shape (n,) or (n, K) with K >= 2")
        check([lambda s=score: s([0, 1], [0.3, 0.7], [-1, 1])], ValueError, "sample_weight must be finite and >= 0")
        check([lambda s=score: s([0, 1], [0.3, 0.7], [0, 0])], ValueError, "sample_weight must have a sum > 0")


@each_loss
def test_masked_entries_and_numbers_as_text(loss):
    y, raw = sample(loss, 20)
    message = "must not contain masked entries, got 1"
    weight = np.ma.masked_equal(np.arange(20), 3)
    check(every_call(loss, np.ma.masked_array(y, np.arange(20) == 3), raw), ValueError, f"y_true {message}")
    check(every_call(loss, y, raw, weight), ValueError, f"sample_weight {message}")
    check(label_call(loss, y, weight), ValueError, f"sample_weight {message}")
    scores = np.ma.masked_array(raw, np.zeros(raw.shape, bool))
    assert loss(y, scores) == loss(y, raw), "nothing is masked"
    scores[0] = np.ma.masked
    check(every_call(loss, y, scores), ValueError, "raw must not contain masked entries")
    for kind in (str, lambda label: str(label).encode()):
        labels = np.array([kind(label) for label in y], dtype=object)
        check(
            [*every_call(loss, labels, raw), *label_call(loss, labels)],
            TypeError,
            "y_true must be numeric, got non-numeric obj",
        )


@each_loss
def test_weights_of_an_infinite_sum(loss):
    y, raw = sample(loss, 20)
    weight = np.full(20, 1e308)
    message = "sample_weight must have a finite sum, got 20 weights up to 1e+308"
    calls = [lambda: loss(y, raw, weight), lambda: loss.sum_and_weight(y, raw, weight), *label_call(loss, y, weight)]
    check(calls, ValueError, message)
    check([lambda: log_loss([0, 1], [0.3, 0.6], [1e308, 1e308])], ValueError, "sample_weight must have a finite sum")


@each_multiclass
def test_numbers_of_classes(loss):
    y, _ = sample(loss, 20)
    for value in ("4", 4.0, True):
        message = f"n_classes must be an integer >= 2 or None, got {value!r}"
        check([lambda v=value: loss.init_score(y, n_classes=v)], TypeError, message)
    for value in (0, -1):
        message = f"n_classes must be at least 2 for a multiclass loss, got {value}"
        check([lambda v=value: loss.init_score(y, n_classes=v)], ValueError, message)
    assert np.array_equal(loss.init_score(y, n_classes=np.int64(4)), loss.init_score(y))


@each_multiclass
def test_huge_class_codes(loss):
    for code in (1e12, 1e300):
        check(
            label_call(loss, [0.0, 1.0, 3.0, code]),
            ValueError,
            "with positive weight, got none of class 2 among 4 labels",
        )
    if not getattr(loss, "label_smoothing", 0.0):
        check([lambda: loss.init_score([0, 1, 2], n_classes=10**12)], ValueError, "got none of class 3 among 3 labels")
