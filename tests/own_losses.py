"""Published losses as a user writes them."""

import numpy as np

from boosting_losses import binary_loss, multiclass_loss


def of_poly1(p, epsilon):
    return -np.log(p) + epsilon * (1 - p)


def of_gce(p, q):
    return -np.expm1(q * np.log(p)) / q


def of_focal(p, gamma):
    return -((1 - p) ** gamma) * np.log(p)


@binary_loss(epsilon=">= 0")
def poly1(p, epsilon=1.0):
    """Poly-1 (Leng et al. 2022, arXiv 2204.12511)."""
    return of_poly1(p, epsilon)


@multiclass_loss(epsilon=">= 0")
def softmax_poly1(p, epsilon=1.0):
    return of_poly1(p, epsilon)


@binary_loss(q="> 0 and <= 1")
def gce(p, q=0.7):
    """Generalised cross-entropy (Zhang and Sabuncu 2018, arXiv 1805.07836); for q = 1 the mean absolute error."""
    return of_gce(p, q)


@multiclass_loss(q="> 0 and <= 1")
def softmax_gce(p, q=0.7):
    return of_gce(p, q)


@binary_loss
def focal(p, gamma=2.0):
    return of_focal(p, gamma)


@multiclass_loss
def softmax_focal(p, gamma=2.0):
    return of_focal(p, gamma)


@binary_loss
def asymmetric_focusing(p, gamma_pos=1.0, gamma_neg=4.0):
    """Asymmetric loss (Ridnik et al. 2021, arXiv 2009.14119) without a margin."""
    return -((1 - p) ** gamma_pos) * np.log(p), -(p**gamma_neg) * np.log(1 - p)


@binary_loss(margin="> 0 and < 1", gamma_pos=">= 0", gamma_neg=">= 0")
def asymmetric_margin(p, margin=0.1, gamma_pos=1.0, gamma_neg=4.0):
    """Asymmetric loss; that of class 0 is 0 where its probability is above 1 - margin, so that there is no posterior."""
    shifted = np.maximum(p - margin, 0)
    return -((1 - p) ** gamma_pos) * np.log(p), -(shifted**gamma_neg) * np.log(1 - shifted)


@binary_loss
def cost_sensitive(p, ratio=5.0):
    return -ratio * np.log(p), -np.log(1 - p)


@multiclass_loss(tau="> 1")
def softmax_huberised(p, tau=50.0):
    """Partially Huberised cross-entropy (Menon et al. 2020, ICLR), linear in p below 1 / tau: there is no posterior."""
    return np.minimum(-np.log(p), np.log(tau)) + np.maximum(1 - tau * p, 0)


@multiclass_loss
def softmax_truncated(p, q=0.7, k=0.5):
    """Truncated generalised cross-entropy (Zhang and Sabuncu 2018), constant where p is below k: it has many minima."""
    return np.minimum(of_gce(p, q), (1 - k**q) / q)


@multiclass_loss
def softmax_with_everything(p, a=0.5):
    """Use every function that a formula may contain."""
    x = np.log(p) - np.log(1 - p)
    smooth = np.logaddexp(0, -x) + np.logaddexp(a - x, 0.0) + np.tanh(-x / 4) + np.exp(-x / 8) + np.expm1(-p)
    steps = np.maximum(1 - p, 0.25) + np.minimum(-p, -0.25) + abs(-2 - x * 0) / 2 - np.sqrt(p) - np.log1p(p)
    more = 2 * x if x > 1e9 or p < -1 or not p < 2 or x * 0 <= -1 else 0 * x  # comparisons
    return more + smooth + steps + 1 / (1 + np.square(p)) + (2 - p) / (1 + p) - p * p
