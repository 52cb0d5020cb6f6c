"""Examination of a loss before it is used: derivatives, digits, guard, posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._types import Array, Doubles
from .base import Loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The margins of the figure, and the margins at which a Newton step is reported.
_MARGINS, _STEPS = np.linspace(-12.0, 12.0, 481), np.array([-10.0, 10.0])


@dataclass(frozen=True)
class LossCheck:
    """The result of :func:`check_loss`; ``str`` returns a table, ``plot`` a figure.

    Attributes
    ----------
    loss : Loss
    derivative_error : float
        The largest error of the gradient and the Hessian, relative to their size, against differences of the loss.
    digits : dict[str, float]
        The number of digits of the gradient at margins from -30 to -20 and from 20 to 30, by tail and precision.
    negative_hessian : tuple[float, float] or None
        The range of margins from -30 to 30 in which the second derivative is negative without a guard.
    obstacle : str or None
        Why there is no posterior.
    newton_steps : tuple[float, float]
        The Newton steps at the margins -10 and 10 of the label's class.
    """

    loss: Loss
    derivative_error: float
    digits: dict[str, float]
    negative_hessian: tuple[float, float] | None
    obstacle: str | None
    newton_steps: tuple[float, float]

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self._lines())
        return "\n".join([str(self.loss), *(f"  {name:<{width}}  {text}" for name, text in self._lines())])

    def _lines(self) -> list[tuple[str, str]]:
        floor = self.loss.hessian_floor()
        if self.negative_hessian is None:
            hessian = "nowhere negative, no guard"
        else:
            low, high = self.negative_hessian
            hessian = f"negative at margins from {low:.4g} to {high:.4g}, "
            hessian += f"kept >= {floor:g} |gradient|" if floor > 0.0 else "no guard"
        posterior = "exists" if self.obstacle is None else f"does not exist: {self.obstacle}"
        servable = self.obstacle is None and self.loss.shape().offset is not None
        return [
            ("derivatives", f"agree with differences of the loss to {self.derivative_error:.0e}"),
            ("digits", ", ".join(f"{count:.0f} ({where})" for where, count in self.digits.items())),
            ("second derivative", hessian),
            ("Newton step", "{:.4g} at margin -10, {:.4g} at 10".format(*self.newton_steps)),
            ("proper", "yes" if self.loss.is_proper else "no, the activation is not the class probability"),
            ("posterior", posterior),
            ("servable", "yes" if servable else "no, the posterior is not a shifted sigmoid or softmax"),
        ]

    def plot(self) -> Figure:
        """Return a figure of the loss, its derivatives and the posterior as functions of the margin of the label's class.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure  # noqa: PLC0415
        except ImportError as error:
            raise ImportError('plot requires matplotlib: pip install "boosting-losses[report]"') from error
        value, gradient, hessian = _evaluated(self.loss, _MARGINS)
        curves = {"loss": value, "gradient": gradient, "Hessian": hessian}
        if self.obstacle is None:
            proba = self.loss.posterior(_rows(self.loss, _MARGINS))
            curves["posterior"] = proba[:, 1] if self.loss.multiclass else proba
        figure = Figure(figsize=(9.0, 6.0), layout="constrained")
        for axes, (name, curve) in zip(figure.subplots(2, 2).flat, curves.items(), strict=False):
            axes.plot(_MARGINS, curve)
            axes.set(title=name, xlabel="margin of the label's class")
        return figure


def check_loss(loss: Loss) -> LossCheck:
    """Examine a loss: run it before training with a loss of your own.

    Parameters
    ----------
    loss : Loss

    Returns
    -------
    LossCheck
        ``print`` shows a table, and ``plot()`` returns a figure.

    Raises
    ------
    TypeError
        If ``loss`` is not a loss.

    Examples
    --------
    >>> from boosting_losses import FocalLoss, check_loss
    >>> check_loss(FocalLoss()).obstacle is None
    True
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a Loss, such as LogLoss(), got {loss!r}")
    margins = np.linspace(-30.0, 30.0, 1201)
    found = margins[_exact_hessian(loss, margins) < 0.0]
    _, at, curvature = _evaluated(loss, _STEPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = -at / curvature
    return LossCheck(
        loss,
        _derivative_error(loss),
        _digits(loss),
        (float(found.min()), float(found.max())) if len(found) else None,
        loss.shape().obstacle,
        (float(steps[0]), float(steps[1])),
    )


def _rows(loss: Loss, margins: Array) -> Array:
    """Return raw scores at which class 1 has the given margins."""
    if not loss.multiclass:
        return margins
    classes = len(getattr(loss, "class_weight", None) or (1, 1))
    raw = np.zeros((len(margins), classes), margins.dtype)
    raw[:, 1] = margins + margins.dtype.type(np.log(classes - 1))
    return raw


def _evaluated(loss: Loss, margins: npt.NDArray[Any]) -> tuple[Doubles, Array, Array]:
    """Return value, gradient and Hessian of rows of class 1."""
    y, raw = np.ones(len(margins)), _rows(loss, margins)
    gradient, hessian = loss.gradient_hessian(y, raw)
    if loss.multiclass:
        gradient, hessian = gradient[:, 1], hessian[:, 1]
    return loss.per_sample(y, raw), gradient, hessian


def _exact_hessian(loss: Loss, margins: Doubles) -> npt.NDArray[Any]:
    """Return the derivative of the gradient, which has no guard."""
    step = 1e-4
    return (_evaluated(loss, margins + step)[1] - _evaluated(loss, margins - step)[1]) / (2.0 * step)


def _derivative_error(loss: Loss) -> float:
    margins, step = np.linspace(-8.0, 8.0, 65), 1e-3
    values = [_evaluated(loss, margins + k * step) for k in (-2, -1, 1, 2)]
    _, gradient, hessian = _evaluated(loss, margins)
    floor = loss.hessian_floor()

    def difference(order: int) -> Doubles:  # of fourth order in the step
        far_below, below, above, far_above = (value[order] for value in values)
        return (8.0 * (above - below) - (far_above - far_below)) / (12.0 * step)

    exact = np.maximum(difference(1), floor * abs(gradient)) if floor > 0.0 else difference(1)
    size = abs(gradient) + abs(hessian)
    return float(max((abs(gradient - difference(0)) / size).max(), (abs(hessian - exact) / size).max()))


def _digits(loss: Loss) -> dict[str, float]:
    """Return the digits of the gradient in both tails.

    Those in single precision follow from a comparison with double precision. Those in double precision are estimated from
    fourth differences of the logarithm at a small step, which are rounding errors.
    """
    found = {}
    for tail, sign in (("confident mistakes", -1.0), ("confident hits", 1.0)):
        margins = sign * (20.0 + np.arange(2561) / 256)
        single, double = (abs(_evaluated(loss, margins.astype(real))[1]) for real in (np.float32, np.float64))
        with np.errstate(all="ignore"):
            errors = {
                "float32": abs(single / double - 1.0).max(),
                "float64": abs(np.diff(np.log(double), 4)).max() / 16.0,
            }
        for name, error in errors.items():
            found[f"{tail}, {name}"] = float(-np.log10(np.clip(error, 1e-16, 1.0))) if np.isfinite(error) else 0.0
    return found
