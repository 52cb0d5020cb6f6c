"""The variance of probabilities, and the log loss without its largest terms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._predictions import check, checked, each

#: A row whose kept weight is at most this share of the total weight is kept only because of rounding.
_ROUNDING = 1e-13


def sharpness(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the variance of the probabilities, whether or not they are correct.

    Of two calibrated models, the sharper one is better (Murphy and Winkler 1987, Mon. Weather Rev. 115, 1330-1338;
    Gneiting, Balabdaoui and Raftery 2007, J. R. Stat. Soc. B 69, 243-268).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels. They do not affect the result; ``make_scorer`` and ``Metric`` require this argument.
    proba : array-like of shape (n,) or (n, K)
        Probabilities: of y = 1, or one column per class.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``.

    Returns
    -------
    float
        Two classes: the mean of ``(p - mean p)**2``, in [0, 1/4]. K > 2 classes: the mean of ``sum_k (p_k - mean p_k)**2``,
        in [0, 1).

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values; the message names the row.
    """
    data = checked(y_true, proba, sample_weight, raw)
    p = data.proba.astype(np.float64)
    columns = p.reshape(len(p), -1)
    away = columns - np.average(columns, axis=0, weights=data.weight)
    return float(np.average((away * away).sum(axis=1), weights=data.weight))


def trimmed_log_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    trim: float = 0.01,
    eps: float | None = None,
) -> float:
    """Return the log loss without the rows of largest loss, in nats, so that a few wrong labels do not dominate it.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, K)
        Labels in [0, 1] or, for ``(n, K)`` probabilities, class codes 0..K-1 or soft labels.
    proba : array-like of shape (n,) or (n, K)
        Probabilities: of y = 1, or one column per class.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``; they are not clipped unless ``eps`` is given.
    trim : float
        The share of the total weight to omit, >= 0 and < 1. The row at the boundary is counted in part.
    eps : float, optional
        As for :func:`log_loss`.

    Returns
    -------
    float
        The mean of the smallest losses (Hadi and Luceno 1997, "Maximum trimmed likelihood estimators"); with
        ``trim=0``, the log loss. This is not a proper score: it penalises overconfidence too little, so do not select
        models by it alone.

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`, and if ``trim`` is not in [0, 1).
    """
    if isinstance(trim, bool) or not isinstance(trim, (int, float, np.integer, np.floating)) or not 0.0 <= trim < 1.0:
        raise ValueError(f"trim must be >= 0 and < 1, got {trim!r}")
    data = check(y_true, proba, sample_weight, raw)
    losses, _, _ = each(data, eps)
    weight = np.ones(len(losses)) if data.weight is None else data.weight.astype(np.float64)
    weight = weight / weight.max()
    order = np.argsort(losses)
    losses, sums = losses[order], np.concatenate([[0.0], np.cumsum(weight[order])])
    kept = np.diff(np.minimum(sums, (1.0 - float(trim)) * sums[-1]))
    some = kept > _ROUNDING * sums[-1]
    return float(kept[some] @ losses[some] / kept[some].sum())
