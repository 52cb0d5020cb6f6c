"""The monitor: it receives predictions and labels in any order, and provides curves and alerts."""

from __future__ import annotations

import functools
import logging
import threading
import time as wall
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from .. import metrics
from .._types import Doubles
from ..calibration import Calibrator
from ._alerts import Alert, State, ThresholdRule
from ._curves import Curve, EvidenceCurve
from ._drift import DriftCurve, Reference, ScoreDrift
from ._history import Slice
from ._ids import KeyedHash
from ._input import (
    check_number,
    codes_of,
    list_of,
    probabilities_of,
    reference_of,
    refuse_unstorable,
    texts_of,
    weights_of,
)
from ._ledger import Ledger
from ._overview import overview, stream_overview
from ._recalibration import Recalibration, recalibrate
from ._rows import UNLABELLED, RowNumbers, Rows
from ._selection import Selection, within
from ._snapshot import Snapshot, snapshot_of
from ._status import Status, StreamStatus
from ._time import Times, datetime_of, duration_of, times_of
from ._watch import Stream, Watch, Watching

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ._log import Call, Log

#: Clocks of machines differ by so much, in microseconds.
_CLOCK_SKEW = 60_000_000
_VIEWS_NEED = '{} needs matplotlib and Jinja2: pip install "boosting-losses[monitor,report]"'

_LOGGER = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _in_turn(method: Callable[Concatenate[Monitor, _P], _R]) -> Callable[Concatenate[Monitor, _P], _R]:
    """Let calls from several threads take turns, and announce the alerts of a call after its turn."""

    @functools.wraps(method)
    def locked(self: Monitor, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            with self._lock:
                return method(self, *args, **kwargs)
        finally:
            self._announce()

    return locked


class Monitor:
    """Monitor of served probabilities whose labels arrive later.

    >>> from boosting_losses.monitor import Monitor
    >>> monitor = Monitor(label_delay="7d")
    >>> monitor.record(["a", "b"], [0.2, 0.9], time="2026-05-01")
    >>> monitor.label(["b", "a"], [1, 0], time="2026-05-04")
    >>> print(monitor.status())
    default: 2 predictions, 2 labels, no mature cohort yet
    labels are final for predictions before 2026-04-27 00:00
    0 alerts are not resolved
    labelled 2, recorded 2

    Parameters
    ----------
    label_delay : timedelta, str or number of seconds
        The time after a prediction at which its label is final, such as ``"30d"``. There is no default, because a wrong
        value invalidates every number: a fraud is confirmed within days, its absence only after a month, so labels in
        order of arrival are a biased sample. Rows are counted by prediction time, after this delay.
    look : timedelta, str or number of seconds, default "1d"
        The length of the cohorts of prediction times, aligned to UTC.
    n_classes : int, default 2
    run_length : float, default 1000
        The guaranteed average number of looks until a false alarm, for all streams together.
    min_saving : float, optional
        The tolerance, in nats a row. The default is 0.01 % of the expected log loss. See :class:`Detector`.
    look_effect : float, default 0.1
        See :class:`Detector`.
    missing : {None, int}, default None
        The class that is assumed for rows without a label at maturity, such as 0 if only events are reported.
    min_labels : int, default 100
        The number of labels below which a stream raises no alert of miscalibration.
    cool_down : int, default 7
        The number of looks after an alert during which the stream raises no other alert of the same kind. An acknowledged
        alert also prevents further ones until it is resolved.
    max_streams : int, default 100
        The largest number of models and slices that are watched. Curves of other slices are available.
    rule : ThresholdRule, optional
        A threshold on the rolling log loss, in addition to the sequential test.
    clock : callable, optional
        Returns the current time in seconds since 1970. Rows whose times are more than a minute later are refused. With None
        all times are accepted, as in simulations. The default is ``time.time``.
    id_key : str or bytes, optional
        A secret of at least 16 bytes. Ids and groups are replaced by hashes with this key before they reach the memory of the
        monitor or the store. The key is not stored; opening the store requires it.
    store : str or Path, optional
        A database that keeps all calls: the path of an SQLite file, or an SQLAlchemy URL such as
        ``"postgresql+psycopg://user@host/database"``. A call returns after its commit. A monitor with the same store and
        settings has the same state, after a restart or in another process. Without a store, all is in memory.
    synchronous : bool, default False
        Whether SQLite flushes each call to the disk. Without it, a call survives the death of the process, but not
        necessarily a power cut.
    on_alert : callable, optional
        Called with each new :class:`Alert`, after the commit and while no lock is held, in the thread whose call raised the
        alert; threads may call it at the same time. If several processes share a store, the process whose call raised the
        alert announces it; ``refresh`` and the opening of a store announce nothing. An exception is logged and has no other
        effect. An alert is announced at most once, and not if the process dies before. Copies and pickles of a monitor do
        not announce. :class:`boosting_losses.monitor.webhooks.Webhooks` provides such a callable.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or differs from the setting with which the store was made.
    OSError, ImportError
        If the store cannot be opened, or its driver is not installed.
    """

    def __init__(
        self,
        *,
        label_delay: Any,
        look: Any = "1d",
        n_classes: int = 2,
        run_length: float = 1000.0,
        min_saving: float | None = None,
        look_effect: float = 0.1,
        missing: int | None = None,
        min_labels: int = 100,
        cool_down: int = 7,
        max_streams: int = 100,
        rule: ThresholdRule | None = None,
        clock: Callable[[], float] | None = wall.time,
        id_key: str | bytes | None = None,
        store: str | Path | None = None,
        synchronous: bool = False,
        on_alert: Callable[[Alert], object] | None = None,
    ) -> None:
        if on_alert is not None and not callable(on_alert):
            raise TypeError(f"on_alert must be None or a callable of an alert, got {on_alert!r}")
        check_number("n_classes", n_classes, 2)
        check_number("min_labels", min_labels, 0)
        check_number("cool_down", cool_down, 0)
        check_number("max_streams", max_streams, 1)
        n_classes = int(n_classes)
        code = isinstance(missing, (int, np.integer)) and not isinstance(missing, bool)
        if missing is not None and not (code and 0 <= missing < n_classes):
            raise ValueError(f"missing must be None or a class code 0..{n_classes - 1}, got {missing!r}")
        self._n_classes = n_classes
        self._look = duration_of("look", look)
        self._clock = clock
        watching = Watching(
            n_classes, self._look, run_length, min_saving, look_effect, min_labels, cool_down, max_streams, rule
        )
        watching.detector()  # checks its parameters
        self._watch = Watch(watching, self._raise, self._alerts_of)
        self._ledger = Ledger(
            n_classes,
            self._look,
            duration_of("label_delay", label_delay, zero=True),
            UNLABELLED if missing is None else int(missing),
            self._count,
        )
        self._hash = None if id_key is None else KeyedHash(id_key)
        self._lock = threading.RLock()
        self._alerts: list[Alert] = []
        self._on_alert = on_alert
        self._unannounced: list[Alert] = []
        #: Numbers of calls of this process that have been committed, but not applied yet.
        self._own_calls: set[int] = set()
        #: The settings that determine the state for given calls, as JSON stores them.
        self._settings: dict[str, Any] = {
            "label_delay": duration_of("label_delay", label_delay, zero=True) / 1e6,
            "look": self._look / 1e6,
            "n_classes": n_classes,
            "run_length": run_length,
            "min_saving": min_saving,
            "look_effect": look_effect,
            "missing": None if missing is None else int(missing),
            "min_labels": min_labels,
            "cool_down": cool_down,
            "max_streams": max_streams,
            "rule": None if rule is None else asdict(rule),
            "id_key": None if self._hash is None else self._hash.fingerprint,
        }
        self._log: Log | None = None
        self._closed = False
        self._seen = 0
        if store is not None:
            self._log = _log(store, synchronous=synchronous)
            self._log.append_first("settings", self._settings)
            self.refresh()

    @classmethod
    def open(
        cls,
        store: str | Path,
        *,
        clock: Callable[[], float] | None = wall.time,
        id_key: str | bytes | None = None,
        synchronous: bool = False,
        **given: Any,
    ) -> Self:
        """Open a store with the settings with which it was made.

        Parameters
        ----------
        store, clock, id_key, synchronous
            As in the constructor.
        **given
            Other arguments of the constructor. They must agree with the settings of the store. If the store is empty and
            they include ``label_delay``, they become its settings.

        Raises
        ------
        ValueError
            If an argument differs from the setting of the store, or if the store is empty and ``label_delay`` is not given.
        OSError, ImportError
            If the store cannot be opened, or its driver is not installed.
        """
        first, reason = None, f"{store} does not exist"  # not a URL, which may contain a password
        if "://" in str(store) or Path(store).exists():
            reason = "the store is empty"
            log = _log(store, synchronous=synchronous)
            first = next(log.read(), None)
            log.close()
        if first is None and "label_delay" in given:
            return cls(**given, clock=clock, id_key=id_key, store=store, synchronous=synchronous)
        if first is None:
            raise ValueError(f"label_delay must be given for a new store, such as '30d', got none, and {reason}")
        settings = dict(first.payload["settings"] if first.kind == "snapshot" else first.payload)
        if settings["rule"] is not None:
            settings["rule"] = ThresholdRule(**settings["rule"])
        del settings["id_key"]  # the fingerprint of the key, which is compared
        return cls(**(settings | given), clock=clock, id_key=id_key, store=store, synchronous=synchronous)

    @_in_turn
    def refresh(self) -> None:
        """Apply the calls that other processes have added to the store."""
        if self._log is not None:
            self._catch_up(self._log.read(self._seen))

    @_in_turn
    def close(self) -> None:
        """Close the store. What the monitor has in memory can still be read."""
        if self._log is not None:
            self._log.close()
            self._log, self._closed = None, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        if self._log is not None:
            raise TypeError("a monitor with a store cannot be copied or pickled; open the store again")
        state = {name: value for name, value in vars(self).items() if name != "_lock"}
        return state | {"_on_alert": None, "_unannounced": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()

    # ---- input --------------------------------------------------------------------------------------------------

    @_in_turn
    def record(
        self,
        ids: Sequence[Hashable],
        proba: npt.ArrayLike,
        time: Any,
        *,
        model: str = "default",
        slices: Mapping[str, Any] | None = None,
        weight: npt.ArrayLike | None = None,
        group: Sequence[Hashable] | None = None,
    ) -> None:
        """Add predictions.

        Parameters
        ----------
        ids : sequence of length n
            Hashable keys that labels refer to, such as strings or numbers. A known id with the same probability and time
            is a replay and changes nothing. A known id with other values is a conflict; the first values are kept.
        proba : array-like of shape (n,), (n, 2) or (n, K)
            Served probabilities. Rows with NaN or values outside [0, 1] are counted as invalid and are not scored.
        time : datetime, str, number or array-like of shape (n,)
            Prediction times.
        model : str, default "default"
        slices : dict of str to str or sequence, optional
            Such as ``{"country": countries}``. Every value is watched as a stream of its own.
        weight : array-like of shape (n,), optional
            Finite, >= 0.
        group : sequence of length n, optional
            Rows of one group, such as a merchant, may have labels that depend on each other. In the evidence of a look they
            count as one row.

        Raises
        ------
        TypeError, ValueError
            If shapes disagree or an argument is invalid. Nothing is recorded in this case.
        """
        keys = self._keys(ids)
        served = probabilities_of(proba, len(keys), self._n_classes)
        times = times_of("time", time, len(keys))
        weights = weights_of(weight, len(keys))
        groups = None if group is None else self._groups(group, len(keys))
        by_slice = {
            str(name): texts_of(f"slices[{name!r}]", values, len(keys)) for name, values in (slices or {}).items()
        }
        here = self._not_from_the_future(times)
        if not here.all():
            chosen = np.flatnonzero(here)
            keys, served, times, weights = [keys[i] for i in chosen], served[chosen], times[chosen], weights[chosen]
            groups = None if groups is None else [groups[i] for i in chosen]
            by_slice = {name: [values[i] for i in chosen] for name, values in by_slice.items()}
        self._call(
            "record",
            {
                "refused": int(np.sum(~here)),
                "model": str(model),
                "ids": keys,
                "time": times,
                "proba": served,
                "weight": weights,
                "groups": groups,
                "slices": by_slice,
            },
        )

    @_in_turn
    def label(self, ids: Sequence[Hashable], y: npt.ArrayLike, time: Any = None) -> None:
        """Add labels of rows that are known or will be recorded later.

        Parameters
        ----------
        ids : sequence of length n
        y : array-like of shape (n,)
            Class codes 0..K-1. A different label for a labelled row corrects it unless its time is earlier. Corrections
            change curves, but not evidence that has been counted.
        time : datetime, str, number or array-like of shape (n,), optional
            The times at which the labels became known. The clock of the monitor moves to the latest of them. By default,
            labels became known now, or at the maturity of their rows if this is earlier.

        Raises
        ------
        TypeError, ValueError
            If shapes disagree or a label is not a class code. Nothing is recorded in this case.
        """
        keys = self._keys(ids)
        codes = codes_of(y, len(keys), self._n_classes)
        if time is not None:
            times = times_of("time", time, len(keys))
        elif self._clock is not None:
            self.refresh()  # the rows may have been recorded by another process
            times = self._ledger.known_by(keys, round(self._clock() * 1_000_000))
        else:
            raise ValueError("time must be given if the monitor has no clock, got None")
        here = np.flatnonzero(self._not_from_the_future(times))
        refused = len(keys) - len(here)
        if refused:
            keys, codes, times = [keys[i] for i in here], codes[here], times[here]
        self._call("label", {"refused": refused, "ids": keys, "y": codes, "time": times})

    @_in_turn
    def advance(self, now: Any) -> None:
        """Move the clock and count the cohorts that become mature, for times when no labels arrive."""
        moment = times_of("now", now, 1)
        if self._not_from_the_future(moment).all():
            self._call("advance", {"clock": int(moment[0])})
        else:
            self._call("refuse", {"refused": 1})

    @_in_turn
    def forget(self, before: Any) -> None:
        """Delete rows, and keep the sums of their cohorts.

        Curves over time keep their values if windows and steps are multiples of the look; windows of a number of rows,
        ``reliability``, ``drift`` and ``recalibration`` use the remaining rows. The store is replaced by the current state.

        Parameters
        ----------
        before : datetime, str or number
            Rows of cohorts that ended by this time are deleted.

        Raises
        ------
        ValueError
            If labels of these rows are not final yet.
        """
        until = int(times_of("before", before, 1)[0]) // self._look * self._look
        self.refresh()
        if until > self._ledger.mature_until:
            last = (
                "none are"
                if not self._ledger.has_begun
                else f"those before {datetime_of(self._ledger.mature_until)} are"
            )
            raise ValueError(f"before must be a time whose cohorts are mature ({last}), got {before!r}")
        self._rewrite(lambda: self._ledger.forget(until))

    @_in_turn
    def delete(self, ids: Sequence[Hashable]) -> int:
        """Delete the rows, waiting labels and invalid predictions of ids, in all models.

        Curves change as if these rows had not been recorded, and cohorts that are not mature yet are counted without them.
        Evidence that has been counted, alerts, and the sums of cohorts that ``forget`` has deleted do not change. The store
        is replaced by the current state, so that its files contain neither the rows nor the ids. Its time grows with the size
        of the store: delete many ids in one call.

        Parameters
        ----------
        ids : sequence of length n
            As they were recorded, also with ``id_key``. Unknown ids are ignored.

        Returns
        -------
        int
            The number of ids that were known.

        Raises
        ------
        OSError
            If the disk is full, or others hold the store for too long. Either nothing has been deleted, or all, and only the
            files of SQLite still contain it. Repeat the call in both cases.
        """
        keys = self._keys(ids)
        return self._rewrite(lambda: self._ledger.delete(keys))

    # ---- output -------------------------------------------------------------------------------------------------

    @_in_turn
    def status(self) -> Status:
        """Return the state of all streams; ``print`` shows it as text."""
        counts = dict(self._ledger.counts) | {"unwatched_slices": self._watch.unwatched}
        known = {stream.model for stream in self._watch.streams.values()}
        waiting = [
            Stream(model, None, -1, None, cast(Any, None)) for model in self._ledger.models if model not in known
        ]
        return Status(
            datetime_of(self._ledger.clock) if self._ledger.has_begun else None,
            self._mature_until(),
            [self._stream_status(stream) for stream in (*self._watch.streams.values(), *waiting)],
            sum(alert.state != "resolved" for alert in self._alerts),
            {name: count for name, count in counts.items() if count},
        )

    @_in_turn
    def alerts(self, state: State | None = None) -> list[Alert]:
        """Return the alerts in order of time, all of them or those in one state."""
        return [alert for alert in self._alerts if state in (None, alert.state)]

    @_in_turn
    def acknowledge(self, number: int) -> None:
        """Mark an alert as known: its stream raises no alert of the same kind until it is resolved."""
        self._set_state(number, "acknowledged")

    @_in_turn
    def resolve(self, number: int) -> None:
        """Mark an alert as resolved."""
        self._set_state(number, "resolved")

    @_in_turn
    def curve(
        self,
        window: Any = "7d",
        *,
        step: Any = None,
        start: Any = None,
        end: Any = None,
        model: str | None = None,
        slice: str | None = None,
    ) -> Curve:
        """Return scores over time.

        Parameters
        ----------
        window : int, str or timedelta, default "7d"
            An int is a number of labelled rows in order of prediction time; other values are durations.
        step : int, str or timedelta, optional
            The distance between windows. The default is one look, or a twentieth of a number of rows. With a step equal to
            ``window``, windows do not overlap.
        start, end : datetime, str or number, optional
            Windows of time that end after ``start`` and by ``end``; windows of rows that were predicted in [start, end).
        model : str, optional
            May be omitted if there is only one model.
        slice : str, optional
            As ``"country=DE"``.

        Returns
        -------
        Curve
        """
        return self._selected(model, slice).curve(window, step, start, end)

    @_in_turn
    def evidence(self, *, model: str | None = None, slice: str | None = None) -> EvidenceCurve:
        """Return the evidence after each counted look."""
        name = self._model(model)
        stream = self._watch.streams.get((name, *self._slice(self._ledger.models[name], slice)))
        cohorts, nats = ([], []) if stream is None else (stream.cohorts, stream.nats)
        ends = (np.array(cohorts, np.int64) + 1) * self._look
        return EvidenceCurve(ends.astype("datetime64[us]"), np.array(nats), self._watch.needed)

    @_in_turn
    def reliability(
        self,
        start: Any = None,
        end: Any = None,
        *,
        model: str | None = None,
        slice: str | None = None,
        n_bins: int = 15,
        strategy: Literal["uniform", "quantile"] = "uniform",
    ) -> metrics.ReliabilityCurve:
        """Return the reliability curve of the mature labelled rows predicted in [start, end).

        ``n_bins`` and ``strategy`` are those of :func:`boosting_losses.metrics.reliability_curve`.
        """
        found = self._selected(model, slice)
        rows, chosen = found.rows, found.mature(start, end)
        return metrics.reliability_curve(
            rows.y[chosen].astype(np.float64),
            rows.proba[chosen],
            rows.weight[chosen],
            n_bins=n_bins,
            strategy=strategy,
        )

    @_in_turn
    def drift(
        self,
        start: Any,
        end: Any,
        *,
        reference: tuple[Any, Any] | npt.ArrayLike,
        model: str | None = None,
        slice: str | None = None,
    ) -> ScoreDrift:
        """Compare the probabilities served in [start, end) with a reference, without labels.

        Parameters
        ----------
        start, end : datetime, str or number
        reference : pair of times, or array-like of shape (m,)
            Another period of the same stream, or probabilities such as those of the validation data. For K classes, the
            largest probability of each row is compared.
        """
        found = self._selected(model, slice)
        time, scores = found.time, found.scores
        invalid_times = self._ledger.invalid_times(self._model(model), slice)

        def between(low: Any, high: Any) -> tuple[Doubles, int]:
            first, last = (int(times_of("time", edge, 1)[0]) for edge in (low, high))
            inside, invalid = scores[within(time, first, last)], int(within(invalid_times, first, last).sum())
            if not len(inside) + invalid:
                raise ValueError(f"drift needs predictions between {low} and {high}, got none")
            return inside, invalid

        now, invalid = between(start, end)
        if isinstance(reference, tuple) and len(reference) == 2:
            before, _ = between(*reference)
        else:
            before = reference_of(reference, self._n_classes)
        if not len(before):
            raise ValueError("reference must have at least one valid probability, got none")
        return Reference(before).drift(now, invalid)

    @_in_turn
    def drift_curve(
        self, window: Any = "7d", *, step: Any = None, model: str | None = None, slice: str | None = None
    ) -> DriftCurve:
        """Compare the probabilities served in windows of time with those of the first two windows, without labels.

        Parameters
        ----------
        window : str or timedelta, default "7d"
        step : str or timedelta, optional
            The distance between windows; the default is one look.
        model, slice
            As for :meth:`curve`.

        Returns
        -------
        DriftCurve

        Raises
        ------
        ValueError
            If there are no valid predictions.
        """
        invalid = self._ledger.invalid_times(self._model(model), slice)
        return self._selected(model, slice).drift_curve(window, step, invalid)

    @_in_turn
    def recalibration(
        self,
        start: Any = None,
        end: Any = None,
        *,
        model: str | None = None,
        slice: str | None = None,
        calibrator: Calibrator | None = None,
    ) -> Recalibration:
        """Fit a calibrator to the mature labelled rows predicted in [start, end), and estimate the saving.

        Parameters
        ----------
        start, end : datetime, str or number, optional
            The default is all mature rows. After an alert, use ``start=alert.since``.
        calibrator : Calibrator, optional
            An unfitted calibrator of :mod:`boosting_losses.calibration`. The default is Platt scaling for two classes, and
            vector scaling for more, or temperature scaling if there are few rows.
        """
        found = self._selected(model, slice)
        rows, chosen = found.rows, found.mature(start, end)
        since = datetime_of(int(rows.time[chosen[0]])) if len(chosen) else datetime_of(0)
        return recalibrate(rows.proba[chosen], rows.y[chosen], rows.weight[chosen], since, calibrator)

    def to_html(self, *, title: str | None = None) -> str:
        """Return a self-contained HTML page of the state, with figures; requires matplotlib and Jinja2.

        The page has the alerts, a table of models and slices, and figures of models and of slices with alerts. The number of
        figures and of points in a figure is limited.

        Parameters
        ----------
        title : str, optional
            The heading of the page.
        """
        try:
            from ._views.page import page  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(_VIEWS_NEED.format("to_html")) from error
        with self._lock:
            found = overview(self, self._settings)
        return page(found, title)

    def plot(
        self,
        file: str | Path | IO[bytes] | None = None,
        *,
        model: str | None = None,
        slice: str | None = None,
        format: str | None = None,
    ) -> Figure:
        """Draw log loss, evidence, coverage, rates and drift over time, and reliability; requires matplotlib.

        Parameters
        ----------
        file : str, Path or binary file, optional
            The file to which the figure is written.
        model : str, optional
            May be omitted if there is only one model.
        slice : str, optional
            As ``"country=DE"``.
        format : str, optional
            The format of the file: "png", "svg" or "pdf"; by default, the extension of the path determines it.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If there are no predictions, or the model or slice is unknown.
        """
        try:
            from ..report._views.figures import save  # noqa: PLC0415
            from ._views import figures  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(_VIEWS_NEED.format("plot")) from error
        with self._lock:
            name = self._model(model)
            where = self._slice(self._ledger.models[name], slice)
            stream = self._watch.streams.get((name, *where)) or Stream(name, *where, slice, cast(Any, None))
            found = stream_overview(self, self._stream_status(stream), self._mature_until(), self._look)
        figure = figures.overview(found)
        if file is not None:
            save(figure, file, format=format, dpi=150)
        return figure

    # ---- internals ----------------------------------------------------------------------------------------------

    @_in_turn
    def _snapshot(self, most: int) -> Snapshot:
        """Return the state of at most so many streams, for exports; this is quick for any number of rows."""
        now = None if self._clock is None else self._clock()
        return snapshot_of(self._ledger, self._watch, self._alerts, self._look, self._n_classes, most, now)

    def _call(self, kind: str, payload: dict[str, Any]) -> None:
        """Apply a valid call; with a store, commit it first."""
        self._refuse_closed()
        if self._log is None:
            self._apply_own(kind, payload)
            return
        refuse_unstorable(payload.get("ids", ()), payload.get("groups"))
        self._own_calls.add(self._log.append(kind, payload))
        self._catch_up(self._log.read(self._seen))

    def _apply_own(self, kind: str, payload: dict[str, Any]) -> None:
        """Apply a call of this process, whose alerts it announces."""
        known = len(self._alerts)
        self._apply(kind, payload)
        if self._on_alert is not None:
            self._unannounced += self._alerts[known:]

    def _announce(self) -> None:
        """Pass new alerts to ``on_alert``; the lock must not be held."""
        if self._on_alert is None or not self._unannounced:
            return
        with self._lock:
            alerts, self._unannounced = self._unannounced, []
        for alert in alerts:
            try:
                self._on_alert(alert)
            except Exception:
                _LOGGER.exception("on_alert failed for alert %d", alert.number)

    def _rewrite(self, change: Callable[[], _R]) -> _R:
        """Change the ledger, and replace the store by the state after it, all or nothing."""
        self._refuse_closed()
        if self._log is None:
            return change()
        self.refresh()  # what is read here is not read while other writers wait
        before = None
        try:
            with self._log.writing() as connection:
                self._catch_up(self._log.read(self._seen, connection))
                before = self._ledger.state()
                found = change()
                number = self._log.replace(connection, "snapshot", self._state())
        except BaseException:
            if before is not None:
                self._ledger.load(before)
            raise
        self._seen = number
        self._log.erase()
        return found

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ValueError("the store must be open, got a closed one; use Monitor.open")

    def _catch_up(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call.number in self._own_calls:
                self._own_calls.remove(call.number)
                self._apply_own(call.kind, call.payload)
            else:
                self._apply(call.kind, call.payload)
            self._seen = call.number

    def _apply(self, kind: str, payload: dict[str, Any]) -> None:
        self._ledger.counts["from_the_future"] += payload.pop("refused", 0)
        if kind == "record":
            self._ledger.record(**payload)
        elif kind == "label":
            self._ledger.label(**payload)
        elif kind == "advance":
            self._ledger.advance(**payload)
        elif kind == "state":
            index = payload["number"] - 1
            self._alerts[index] = self._alerts[index].in_state(payload["state"])
        elif kind == "snapshot":
            self._refuse_other_settings(payload["settings"])
            self._ledger.load(payload["ledger"])
            self._watch.load(payload["watch"])
            self._alerts = [Alert.from_dict(record) for record in payload["alerts"]]
        elif kind == "settings":
            self._refuse_other_settings(payload)
        elif kind == "forget":  # in stores that were made with schema version 1
            self._ledger.forget(**payload)

    def _state(self) -> dict[str, Any]:
        return {
            "settings": self._settings,
            "ledger": self._ledger.state(),
            "watch": self._watch.state(),
            "alerts": [alert.to_dict() for alert in self._alerts],
        }

    def _refuse_other_settings(self, stored: Mapping[str, Any]) -> None:
        for name, value in self._settings.items():
            known = stored[name]
            if known == value:
                continue
            if name == "id_key":
                words = ["no key" if one is None else f"the key with fingerprint {one}" for one in (known, value)]
                raise ValueError(f"id_key must be that of the store, {words[0]}, got {words[1]}")
            raise ValueError(f"{name} must be that of the store, {known!r}, got {value!r}")

    def _raise(self, alert: Alert) -> None:
        self._alerts.append(replace(alert, number=len(self._alerts) + 1))

    def _count(self, model: str, cohort: int, numbers: RowNumbers) -> None:
        self._watch.count(model, self._ledger.models[model], cohort, numbers)

    def _alerts_of(self, stream: Stream, kind: str) -> list[Alert]:
        whose = (stream.model, stream.slice, kind)
        return [alert for alert in self._alerts if (alert.model, alert.slice, alert.kind) == whose]

    def _set_state(self, number: int, state: State) -> None:
        self.refresh()
        if not isinstance(number, (int, np.integer)) or not 1 <= number <= len(self._alerts):
            raise ValueError(f"number must be that of an alert, 1..{len(self._alerts)}, got {number!r}")
        self._call("state", {"number": int(number), "state": state})

    def _mature_until(self) -> datetime | None:
        return datetime_of(self._ledger.mature_until) if self._ledger.has_begun else None

    def _stream_status(self, stream: Stream) -> StreamStatus:
        return self._selection(stream.model, stream.where).status(stream, self._watch.needed)

    def _model(self, model: str | None) -> str:
        known = list(self._ledger.models)
        if model is None and len(known) == 1:
            return known[0]
        if not known:
            raise ValueError("the monitor must have predictions, got none")
        if model not in known:
            raise ValueError(f"model must be one of {known}, got {model!r}")
        return model

    def _selected(self, model: str | None, slice: str | None) -> Selection:
        name = self._model(model)
        return self._selection(name, self._slice(self._ledger.models[name], slice))

    def _selection(self, model: str, where: Slice) -> Selection:
        return Selection(self._ledger.models[model], where, self._n_classes, self._look, self._ledger.mature_until)

    def _slice(self, rows: Rows, slice: str | None) -> Slice:
        if slice is None:
            return None, -1
        known = {
            f"{name}={value}": (name, code)
            for name, values in rows.slice_values.items()
            for code, value in enumerate(values)
        }
        if slice not in known:
            raise ValueError(f"slice must be one of {list(known)[:10]}, got {slice!r}")
        return known[slice]

    def _not_from_the_future(self, times: Times) -> npt.NDArray[np.bool_]:
        if self._clock is None:
            return np.ones(len(times), bool)
        here: npt.NDArray[np.bool_] = times <= round(self._clock() * 1_000_000) + _CLOCK_SKEW
        return here

    def _keys(self, ids: Sequence[Hashable]) -> list[Hashable]:
        keys = list_of("ids", ids)
        return keys if self._hash is None else self._hash.ids(keys)

    def _groups(self, group: Sequence[Hashable], count: int) -> list[Hashable]:
        groups = list_of("group", group, count)
        return groups if self._hash is None else self._hash.groups(groups)


def _log(store: str | Path, *, synchronous: bool) -> Log:
    try:
        from ._log import Log  # noqa: PLC0415  (a monitor in memory needs no SQLAlchemy)
    except ImportError:
        raise ImportError('store= needs SQLAlchemy: pip install "boosting-losses[monitor]"') from None
    return Log(str(store), synchronous=synchronous)
