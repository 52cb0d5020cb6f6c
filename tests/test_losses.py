"""Properties that every loss has."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses import loss_from_json, loss_to_json

from . import own_losses as own
from .cases import CLASSES, each_binary, each_dtype, each_loss, each_multiclass, exact, has_posterior, sample


def test_the_samples_reach_both_tails():
    _, raw = sample(LogLoss())
    assert raw.min() < -6 < 6 < raw.max()
    assert abs(raw.mean()) < 1


@each_loss
def test_mean_is_the_ratio_of_the_pair(loss):
    y, raw = sample(loss)
    weight = np.random.default_rng(1).random(len(y))
    total, mass = loss.sum_and_weight(y, raw, weight)
    assert loss(y, raw, weight) == total / mass
    assert_allclose(total, loss.per_sample(y, raw, weight).sum())
    assert_allclose(mass, weight.sum())
    halves = [loss.sum_and_weight(y[part], raw[part], weight[part]) for part in (slice(50), slice(50, None))]
    assert_allclose(np.sum(halves, axis=0), [total, mass], rtol=1e-14)


@each_loss
@pytest.mark.parametrize("soft", [False, True])
def test_integer_weights_are_repeated_rows(loss, soft):
    y, raw = sample(loss, soft=soft)
    weight = np.random.default_rng(2).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    assert_allclose(loss(y, raw, weight), loss(y[rows], raw[rows]), rtol=1e-14)
    for weighted, repeated in zip(
        loss.gradient_hessian(y, raw, weight), loss.gradient_hessian(y[rows], raw[rows]), strict=True
    ):
        sums = np.zeros_like(weighted)
        np.add.at(sums, rows, repeated)
        assert_allclose(weighted, sums, rtol=1e-14, atol=1e-300)
    assert_allclose(loss.init_score(y, weight), loss.init_score(y[rows]), rtol=1e-12, atol=1e-12)


@each_multiclass
@pytest.mark.parametrize("soft", [False, True])
def test_softmax_gradients_sum_to_zero(loss, soft):
    y, raw = sample(loss, soft=soft)
    gradient, _ = loss.gradient_hessian(y, raw)
    assert_allclose(gradient.sum(axis=1), 0, atol=1e-14)


@each_loss
def test_hard_labels_are_soft_labels_of_one_class(loss):
    y, raw = sample(loss)
    soft = np.eye(CLASSES)[y] if loss.multiclass else y.astype(np.float64)
    assert_allclose(loss.per_sample(y, raw), loss.per_sample(soft, raw), rtol=1e-13)
    for hard, mixed in zip(loss.gradient_hessian(y, raw), loss.gradient_hessian(soft, raw), strict=True):
        assert_allclose(hard, mixed, rtol=1e-13, atol=1e-15)
    assert_allclose(loss.init_score(y), loss.init_score(soft), atol=1e-13)


@each_loss
def test_soft_labels_mix_the_losses_of_the_classes(loss):
    y, raw = sample(loss, soft=True)
    shares = y if loss.multiclass else np.column_stack([1 - y, y])
    mixture = sum(shares[:, k] * loss.per_sample(np.full(len(raw), k), raw) for k in range(shares.shape[1]))
    assert_allclose(loss.per_sample(y, raw), mixture, rtol=1e-12)


@each_loss
def test_smoothed_labels_are_soft_labels(loss):
    if "label_smoothing" not in vars(loss):
        return
    y, raw = sample(loss)
    smoothed, plain = replace(loss, label_smoothing=0.3), replace(loss, label_smoothing=0.0)
    soft = 0.7 * np.eye(CLASSES)[y] + 0.3 / CLASSES if loss.multiclass else 0.7 * y + 0.15
    assert_allclose(smoothed.per_sample(y, raw), plain.per_sample(soft, raw), rtol=1e-12)
    for one, other in zip(smoothed.gradient_hessian(y, raw), plain.gradient_hessian(soft, raw), strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    assert_allclose(smoothed.init_score(y), plain.init_score(soft), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("focal", "plain"),
    [
        (FocalLoss(0.0), LogLoss()),
        (FocalLoss(0.0, alpha=0.5), LogLoss()),
        (FocalLoss(0.0, alpha=0.8), LogLoss(pos_weight=4.0)),
        (SoftmaxFocalLoss(0.0), SoftmaxCrossEntropy()),
        (SoftmaxFocalLoss(0.0, (1, 2, 3, 4)), SoftmaxCrossEntropy((1, 2, 3, 4))),
    ],
    ids=repr,
)
def test_focal_with_gamma_0_is_cross_entropy(focal, plain):
    y, raw = sample(focal)
    scale = 1.0 if getattr(focal, "alpha", None) is None else {0.5: 0.5, 0.8: 0.2}[focal.alpha]
    assert_allclose(focal(y, raw), scale * plain(y, raw), rtol=1e-14)
    for one, other in zip(focal.gradient_hessian(y, raw), plain.gradient_hessian(y, raw), strict=True):
        assert_allclose(one, scale * other, rtol=1e-13)
    assert_allclose(focal.posterior(raw), plain.posterior(raw), rtol=1e-13)
    assert_allclose(focal.init_score(y), plain.init_score(y), rtol=1e-12)


@pytest.mark.parametrize(
    ("multiclass", "binary"),
    [
        (SoftmaxCrossEntropy(), LogLoss()),
        (SoftmaxCrossEntropy((1.0, 3.5)), LogLoss(3.5)),
        (SoftmaxCrossEntropy((1.0, 0.4), 0.1), LogLoss(0.4, 0.1)),
        (SoftmaxFocalLoss(2.0), FocalLoss(2.0)),
        (SoftmaxFocalLoss(0.5, (0.75, 0.25)), FocalLoss(0.5, 0.25)),
        (SoftmaxFocalLoss(5.0, hessian="exact"), FocalLoss(5.0, hessian="exact")),
        (own.softmax_poly1(2.0, label_smoothing=0.1), own.poly1(2.0, label_smoothing=0.1)),
        pytest.param(own.softmax_gce(0.7), own.gce(0.7), marks=pytest.mark.slow),
        pytest.param(own.softmax_gce(1.0), own.gce(1.0), marks=pytest.mark.slow),  # has no posterior
    ],
    ids=repr,
)
def test_two_classes_are_binary(multiclass, binary):
    y, raw = sample(binary)
    pair = np.column_stack([0.25 - raw / 2, 0.25 + raw / 2])
    assert_allclose(multiclass.per_sample(y, pair), binary.per_sample(y, raw), rtol=1e-12)
    gradient, hessian = multiclass.gradient_hessian(y, pair)
    g, h = binary.gradient_hessian(y, raw)
    assert_allclose(gradient, np.column_stack([-g, g]), rtol=1e-11)
    assert_allclose(hessian, np.column_stack([h, h]), rtol=1e-10)
    assert has_posterior(multiclass) == has_posterior(binary)
    if has_posterior(binary):
        assert_allclose(multiclass.posterior(pair)[:, 1], binary.posterior(raw), rtol=1e-12)
    assert_allclose(multiclass.activation(pair)[:, 1], binary.activation(raw), rtol=1e-12)
    assert_allclose(np.diff(multiclass.init_score(y)), binary.init_score(y), rtol=1e-12)


@each_loss
def test_guard_keeps_the_hessian_in_proportion_to_the_gradient(loss):
    guarded = replace(loss, hessian="guarded") if hasattr(loss, "hessian") else loss
    y, raw = sample(guarded, 2000, spread=6.0)
    gradient, hessian = guarded.gradient_hessian(y, raw)
    exact_gradient, exact_hessian = exact(loss).gradient_hessian(y, raw)
    assert (exact_hessian < 0).any() == (guarded.hessian_floor() > 0) == (not loss.shape().convex)
    assert_array_equal(gradient, exact_gradient)
    lowest = np.maximum(exact_hessian, guarded.hessian_floor() * abs(gradient))
    if loss.label_smoothing:  # the magnitudes of the terms of a soft label add up
        assert (hessian >= lowest * (1 - 1e-13)).all()
    else:
        assert_allclose(hessian, lowest, rtol=1e-14)


def test_guard_holds_where_the_gradients_of_a_soft_label_cancel():
    gradient, hessian = FocalLoss(2.0).gradient_hessian([0.5], [0.0])
    assert gradient[0] == 0
    assert hessian[0] > 0
    far = FocalLoss(2.0).gradient_hessian([0.5, 0.5], [-30.0, 30.0])[1]
    assert (far >= 0.1).all()


@each_loss
@each_dtype
def test_dtypes_and_layouts(loss, dtype):
    y, raw = sample(loss)
    raw = raw.astype(dtype)
    predict = [loss.activation, *([loss.posterior] if has_posterior(loss) else [])]
    expected = [loss.per_sample(y, raw), *loss.gradient_hessian(y, raw), *(each(raw) for each in predict)]
    assert [array.dtype for array in expected] == [np.dtype(np.float64), *(len(expected) - 1) * [np.dtype(dtype)]]
    assert [array.shape for array in expected[1:]] == (len(expected) - 1) * [raw.shape]
    strided = np.repeat(raw, 2, axis=0)[::2]
    read_only = raw.copy()
    read_only.setflags(write=False)
    swapped = raw.astype(raw.dtype.newbyteorder())
    for other in (np.asfortranarray(raw), strided, read_only, swapped, raw[::-1].copy()[::-1], raw.tolist()):
        labels = y.tolist()
        actual = [
            loss.per_sample(labels, other),
            *loss.gradient_hessian(labels, other),
            *(each(other) for each in predict),
        ]
        for one, two in zip(actual, expected, strict=True):
            if isinstance(other, list):  # float64
                assert_allclose(one, two, rtol=4e-6, atol=3e-7)
            else:
                assert_array_equal(one, two)
                assert one.dtype == two.dtype


@each_loss
def test_labels_of_any_kind(loss):
    y, raw = sample(loss)
    weight = np.arange(1, len(y) + 1)
    expected = loss.per_sample(y, raw, weight)
    kinds = [y.astype(kind) for kind in ("int8", "uint8", "int64", "float32", "float64")]
    kinds += [y.tolist(), pd.Series(y), pd.Series(y, dtype="Int64"), pl.Series(y), y[::-1].copy()[::-1]]
    if not loss.multiclass:
        kinds.append(y.astype(bool))
    for labels in kinds:
        assert_array_equal(loss.per_sample(labels, raw, weight), expected)
    for weights in (weight.astype(np.float32), pd.Series(weight), pl.Series(weight), weight.tolist()):
        assert_array_equal(loss.per_sample(y, raw, weights), expected)
        for one, other in zip(
            loss.gradient_hessian(y, raw, weights), loss.gradient_hessian(y, raw, weight), strict=True
        ):
            assert_array_equal(one, other)


@each_binary
def test_frames_of_soft_labels_are_for_many_classes_only(loss):
    with pytest.raises(ValueError, match=r"y_true must have shape \(n,\), got \(3, 1\)"):
        loss(np.ones((3, 1)), np.zeros(3))


@each_multiclass
def test_frames_of_soft_labels(loss):
    y, raw = sample(loss, soft=True)
    expected = loss(y, raw)
    assert loss(pd.DataFrame(y), pd.DataFrame(raw)) == expected
    assert loss(pl.DataFrame(y), pl.DataFrame(raw)) == expected


@each_loss
def test_inputs_stay_as_they_are(loss):
    y, raw = sample(loss)
    weight = np.ones(len(y))
    before = y.copy(), raw.copy(), weight.copy()
    loss(y, raw, weight)
    loss.gradient_hessian(y, raw, weight)
    loss.activation(raw)
    if has_posterior(loss):
        loss.posterior(raw)
    loss.init_score(y, weight)
    for one, other in zip(before, (y, raw, weight), strict=True):
        assert_array_equal(one, other)


@each_loss
def test_a_loss_is_a_value(loss):
    twin = pickle.loads(pickle.dumps(loss))
    assert twin == loss
    assert hash(twin) == hash(loss)
    assert repr(twin) == repr(loss)
    assert copy.deepcopy(loss) is loss
    assert loss_from_json(loss_to_json(loss)) == loss
    with pytest.raises(AttributeError):
        loss.gamma = 3.0


def test_sequences_become_tuples_and_numbers_floats():
    for weights in ([1, 2, 3], np.array([1, 2, 3]), pd.Series([1, 2, 3]), (1.0, 2.0, 3.0)):
        assert SoftmaxCrossEntropy(weights).class_weight == (1.0, 2.0, 3.0)
    loss = FocalLoss(np.float32(2), alpha=np.float64(0.25))
    assert type(loss.gamma) is type(loss.alpha) is float
    assert loss_from_json(loss_to_json(loss)) == loss


def test_json_of_something_else():
    with pytest.raises(ValueError, match="text must describe one of LogLoss, FocalLoss"):
        loss_from_json('{"loss": "Hinge"}')
    with pytest.raises(TypeError, match="loss must be one of LogLoss, FocalLoss"):
        loss_to_json("LogLoss")
