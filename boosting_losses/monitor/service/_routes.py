"""Which path calls which method of the monitor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from ...calibration import PlattScaling, VectorScaling
from .. import Curve, Monitor, Recalibration
from ..telemetry import prometheus
from . import _requests as requests
from . import _responses as responses
from ._calls import Calls
from ._json import StrictRoute, encoded

#: Curves with more windows are refused.
_MOST_WINDOWS = 10_000
_NO_ALERT: dict[int | str, dict[str, Any]] = {
    404: {"model": responses.Problem, "description": "There is no alert of this number."}
}
_Number = Annotated[int, Path(ge=1, description="The number of an alert.")]


def routes(monitor: Monitor, calls: Calls) -> APIRouter:
    """Return the routes of a monitor."""
    router = APIRouter(route_class=StrictRoute)
    _write(router, monitor, calls)
    _read(router, monitor, calls)
    _show(router, monitor, calls)
    return router


def health() -> APIRouter:
    """Return the route that tells whether the process is alive."""
    router = APIRouter()

    @router.get("/healthz", response_model=responses.Health)
    async def alive() -> Response:
        """Answer if the process is alive. It needs no token and does not wait for the monitor."""
        return _json({"status": "ok"})

    return router


def _write(router: APIRouter, monitor: Monitor, calls: Calls) -> None:
    @router.post("/v1/predictions", response_model=responses.Accepted)
    async def record(body: requests.Predictions) -> Response:
        """Add predictions. They are committed when the response arrives; the same call again changes nothing."""
        await calls.write(partial(monitor.record, **(dict(body) | {"ids": _texts(body.ids)})))
        return _json({"rows": len(body.ids)})

    @router.post("/v1/labels", response_model=responses.Accepted)
    async def label(body: requests.Labels) -> Response:
        """Add labels of rows that are known or will be recorded later."""
        await calls.write(partial(monitor.label, _texts(body.ids), body.y, body.time))
        return _json({"rows": len(body.ids)})

    @router.post("/v1/delete", response_model=responses.Deleted)
    async def delete(body: requests.Ids) -> Response:
        """Delete the rows of ids, in memory and in the store. One call with many ids is faster than many calls."""
        return _json({"deleted": await calls.write(partial(monitor.delete, _texts(body.ids)))})

    def changed(change: Callable[[int], None], number: int) -> bytes:
        monitor.refresh()
        if number > len(monitor.alerts()):
            known = f"1..{len(monitor.alerts())}" if monitor.alerts() else "but there is none yet"
            raise HTTPException(404, f"number must be that of an alert, {known}, got {number}")
        change(number)
        return encoded(monitor.alerts()[number - 1])

    @router.post("/v1/alerts/{number}/acknowledge", response_model=responses.Alert, responses=_NO_ALERT)
    async def acknowledge(number: _Number) -> Response:
        """Mark an alert as known: its stream raises no alert of the same kind until it is resolved."""
        return _json_text(await calls.write(partial(changed, monitor.acknowledge, number)))

    @router.post("/v1/alerts/{number}/resolve", response_model=responses.Alert, responses=_NO_ALERT)
    async def resolve(number: _Number) -> Response:
        """Mark an alert as resolved."""
        return _json_text(await calls.write(partial(changed, monitor.resolve, number)))


def _read(router: APIRouter, monitor: Monitor, calls: Calls) -> None:
    async def answer(question: Callable[[], Any]) -> Response:
        return _json_text(await calls.read(lambda: encoded(question())))

    @router.get("/v1/status", response_model=responses.Status)
    async def status() -> Response:
        """Return the state of all models and slices."""
        return await answer(monitor.status)

    @router.get("/v1/alerts", response_model=list[responses.Alert])
    async def alerts(query: Annotated[requests.AlertsQuery, Query()]) -> Response:
        """Return the alerts in order of time."""
        return await answer(partial(monitor.alerts, query.state))

    @router.get("/v1/curve", response_model=responses.Curve)
    async def curve(query: Annotated[requests.CurveQuery, Query()]) -> Response:
        """Return scores over time, as columns with one entry for each window."""
        return await answer(partial(_curve, monitor, query))

    @router.get("/v1/evidence", response_model=responses.EvidenceCurve)
    async def evidence(query: Annotated[requests.StreamQuery, Query()]) -> Response:
        """Return the evidence after each look."""
        return await answer(partial(monitor.evidence, **dict(query)))

    @router.get("/v1/reliability", response_model=responses.ReliabilityCurve)
    async def reliability(query: Annotated[requests.ReliabilityQuery, Query()]) -> Response:
        """Return the reliability curve of the mature labelled rows."""
        return await answer(partial(monitor.reliability, **dict(query)))

    @router.get("/v1/recalibration", response_model=responses.Recalibration)
    async def recalibration(query: Annotated[requests.PeriodQuery, Query()]) -> Response:
        """Fit a calibrator to the mature labelled rows; for two classes it is ``shift + slope * z`` of the log odds z."""
        return await answer(lambda: _recalibration(monitor.recalibration(**dict(query))))


def _show(router: APIRouter, monitor: Monitor, calls: Calls) -> None:
    metrics = prometheus(monitor)

    @router.get("/", response_class=HTMLResponse)
    async def page() -> Response:
        """Return a page with curves and alerts."""
        return HTMLResponse(await calls.read(monitor.to_html))

    @router.get("/metrics", response_class=PlainTextResponse)
    async def exposition() -> Response:
        """Return metrics for Prometheus."""
        return Response(await calls.read(metrics.text), media_type=metrics.content_type)


def _texts(ids: list[str | int]) -> list[str]:
    """Return ids as texts, as the command line does: labels may come from files that have no numbers."""
    return list(map(str, ids))


def _json(result: object) -> Response:
    return _json_text(encoded(result))


def _json_text(text: bytes) -> Response:
    return Response(text, media_type="application/json")


def _curve(monitor: Monitor, query: requests.CurveQuery) -> Curve:
    arguments = dict(query)
    for name in ("window", "step"):
        if arguments[name] is not None and arguments[name].isdecimal():
            arguments[name] = int(arguments[name])
    curve = monitor.curve(**arguments)
    if len(curve) > _MOST_WINDOWS:
        raise ValueError(f"step must give at most {_MOST_WINDOWS:,} windows, got {len(curve):,}")
    return curve


def _recalibration(found: Recalibration) -> dict[str, Any]:
    calibrator = found.calibrator
    if isinstance(calibrator, PlattScaling):
        slope, shift = calibrator.fitted_[0]
        parameters = {"slope": slope, "shift": shift}
    elif isinstance(calibrator, VectorScaling):
        parameters = {"slope": calibrator.slope_, "shift": calibrator.intercept_}
    else:
        parameters = {"temperature": calibrator.temperature_}
    rest = {name: getattr(found, name) for name in ("saving", "low", "high", "rows", "since")}
    return {"text": str(found), "calibrator": type(calibrator).__name__, "parameters": parameters, **rest}
