"""Five published losses, each written as its formula, on data whose class probabilities are known."""

import numpy as np
import xgboost as xgb

from boosting_losses import LogLoss, binary_loss, check_loss
from boosting_losses.adapters.xgboost import raw_score, train


@binary_loss(epsilon=">= 0")
def poly1(p, epsilon=1.0):
    """Leng et al. 2022, arXiv 2204.12511."""
    return -np.log(p) + epsilon * (1 - p)


@binary_loss(q="> 0 and <= 1")
def generalised_cross_entropy(p, q=0.7):
    """Zhang and Sabuncu 2018, arXiv 1805.07836."""
    return (1 - p**q) / q


@binary_loss(beta=">= 0")
def symmetric_cross_entropy(p, beta=1.0):
    """Wang et al. 2019, arXiv 1908.06112, with A = -4."""
    return -np.log(p) + 4 * beta * (1 - p)


@binary_loss(gamma_pos=">= 0", gamma_neg=">= 0")
def asymmetric_focusing(p, gamma_pos=1.0, gamma_neg=4.0):
    """Ridnik et al. 2021, arXiv 2009.14119: the losses of class 1 and of class 0."""
    return -((1 - p) ** gamma_pos) * np.log(p), -(p**gamma_neg) * np.log(1 - p)


@binary_loss(margin=">= 0")
def margin_on_class_1(p, margin=1.0):
    """Cao et al. 2019, arXiv 1906.07413, with a margin on the rare class."""
    raw = np.log(p) - np.log(1 - p)
    return np.logaddexp(0, margin - raw), -np.log(1 - p)


random = np.random.default_rng(0)
X = random.standard_normal((40_000, 6))
truth = 1 / (1 + np.exp(3 - 1.5 * X[:, 0] - X[:, 1] * X[:, 2]))
y = (random.random(len(X)) < truth).astype(float)
data, held_out, true = xgb.DMatrix(X[:20_000], y[:20_000]), xgb.DMatrix(X[20_000:]), truth[20_000:]

print(check_loss(poly1(epsilon=2.0)))
print(f"log loss of the true probabilities: {LogLoss()(true, np.log(true / (1 - true))):.4f}")
for made in (
    LogLoss,
    poly1,
    generalised_cross_entropy,
    symmetric_cross_entropy,
    asymmetric_focusing,
    margin_on_class_1,
):
    raw = raw_score(train({"max_depth": 4, "eta": 0.1}, data, 60, loss=made()), held_out)
    sigmoid, posterior = LogLoss()(true, raw), LogLoss()(true, made().posterior_logits(raw))
    print(f"{made.__name__:26} log loss of the sigmoid {sigmoid:.4f}, of the posterior {posterior:.4f}")
