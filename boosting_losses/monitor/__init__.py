"""Monitoring of served probabilities: early detection of miscalibration with a guaranteed rate of false alarms.

* :class:`Monitor` joins predictions with labels that arrive late, and provides curves, alerts and recalibrations.
* :class:`Detector` is the sequential test alone, for arrays.
"""

from ._alerts import Alert, ThresholdRule
from ._curves import Curve, EvidenceCurve
from ._detector import Detector, Evidence
from ._drift import DriftCurve, ScoreDrift
from ._monitor import Monitor
from ._recalibration import Recalibration
from ._status import Status, StreamStatus

__all__ = [
    "Alert",
    "Curve",
    "Detector",
    "DriftCurve",
    "Evidence",
    "EvidenceCurve",
    "Monitor",
    "Recalibration",
    "ScoreDrift",
    "Status",
    "StreamStatus",
    "ThresholdRule",
]
