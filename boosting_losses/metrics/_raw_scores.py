"""Raw scores of probabilities, and mean losses of raw scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels.binary import binary_loops
from .._kernels.blocks import or_empty, softmax
from .._kernels.multiclass import multiclass_loops
from .._types import Array
from ..losses.formulas import cross_entropy
from ._predictions import Predictions, add_up


def logits(proba: npt.ArrayLike) -> Array:
    """Return raw scores that give these probabilities, which are first clipped by the machine epsilon.

    Parameters
    ----------
    proba : array-like of shape (n,) or (n, K)

    Returns
    -------
    ndarray of the shape of ``proba``
        Log odds, or, for K columns, log probabilities.

    Raises
    ------
    TypeError, ValueError
        If ``proba`` does not contain probabilities.
    """
    p = _validation.numbers("proba", proba)
    _validation.refuse_bad_probabilities(p)
    eps = np.finfo(p.dtype).eps
    inner = np.clip(p, eps, 1 - eps)
    scores: Array = np.log(inner) - np.log1p(-inner) if p.ndim == 1 else np.log(inner)
    return scores


def means_of_raw(
    y_true: npt.ArrayLike,
    raw: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
) -> tuple[float, float]:
    """Return the log loss and Brier score of the sigmoid or softmax of raw scores, after adding ``shift`` if given.

    Two columns are reduced to their difference, the log odds of the second class.
    """
    if np.ndim(raw) == 2 and np.shape(raw)[1] == 2:
        scores, labels = _validation.numeric("raw", raw), _validation.numeric("y_true", y_true)
        if labels.ndim == 2:
            _validation.refuse_other_shape(labels, scores, "raw")
            _validation.refuse_class_labels(labels)
            y_true = labels[:, 1]
        raw = scores[:, 1].astype(np.float64) - scores[:, 0]
        shift = None if shift is None else float(np.diff(np.broadcast_to(np.asarray(shift, dtype=np.float64), 2))[0])
    if np.ndim(raw) == 1:
        data = _validation.binary(y_true, raw, sample_weight)
        constant = None if shift is None else float(np.asarray(shift))
        loop = binary_loops(cross_entropy, False, True).sums
        sums = _validation.each_chunk(
            lambda chunk: loop(chunk.y, chunk.raw, constant, chunk.weight, (), 1.0, 1.0, 0.0, None), *data
        )
        refuse = _validation.refuse_binary
    else:
        data = _validation.multiclass(y_true, raw, sample_weight)
        classes = data[1].shape[1]
        constants = None if shift is None else np.broadcast_to(np.asarray(shift, dtype=np.float64), classes).copy()
        if data[0].ndim == 2:  # soft labels
            proba = np.empty_like(data[1], dtype=np.float64)
            if not softmax(
                data[1].astype(np.float64), np.zeros(classes) if constants is None else constants, 0.0, proba
            ):
                _validation.refuse_raw(data[1])
            of_rows = add_up(Predictions(data[0], proba, data[2]), eps=0.0)
            return of_rows.loss / of_rows.weight, of_rows.square / of_rows.weight
        ones = np.ones(classes)
        loop = multiclass_loops(cross_entropy, True).sums

        def of(chunk: _validation.Chunk) -> tuple[bool, float, float, float]:
            _, y, z, w, *part = chunk
            nothing = np.empty(0)
            result: tuple[bool, float, float, float] = loop(
                y, z, or_empty(w, y.dtype), *part, or_empty(constants), (), ones, nothing, True, nothing
            )
            return result

        sums = _validation.each_chunk(of, *data, width=classes, whole=True)
        refuse = _validation.refuse_multiclass
    loss, square, weight = (sum(part) for part in list(zip(*sums, strict=True))[1:])
    if not (all(fine for fine, *_ in sums) and 0.0 < weight < np.inf):
        refuse(*data)
    return loss / weight, square / weight
