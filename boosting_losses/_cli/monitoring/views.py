"""The commands that show the state of a monitor, and the command that fits a calibrator."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np

from ... import calibration
from ...monitor import Alert, Monitor
from ..outputs import refuse_odd_outputs, write
from .store import opened_store, with_store

_CALIBRATORS = {
    "platt": calibration.PlattScaling,
    "isotonic": calibration.IsotonicCalibration,
    "beta": calibration.BetaCalibration,
    "temperature": calibration.TemperatureScaling,
    "vector": calibration.VectorScaling,
}
_WRITTEN = click.Path(dir_okay=False, path_type=Path)


@click.command()
@with_store
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(store: str, as_json: bool) -> None:
    """Show the state of all streams and the open alerts.

    \b
    Exit codes:
      0  There is no open alert.
      1  There are open alerts.
      2  The store or the options are invalid.
    """  # noqa: D301
    with opened_store(store) as found:
        state, alerts = found.status(), found.alerts("open")
    if as_json:
        click.echo(_json({"status": asdict(state), "alerts": [alert.to_dict() for alert in alerts]}))
    else:
        click.echo(state)
        for alert in alerts:
            click.echo(f"alert {alert.number}: {alert}")
    if alerts:
        raise click.exceptions.Exit(1)


@click.command()
@with_store
@click.option("--html", metavar="PATH", type=_WRITTEN, help="Write an HTML page with figures.")
@click.option(
    "--plot", metavar="PATH", type=_WRITTEN, help="Write the figures of one stream to a .png, .svg or .pdf file."
)
@click.option(
    "--json",
    "json_path",
    metavar="PATH",
    type=_WRITTEN,
    help="Write the status, the alerts and the curve to a JSON file.",
)
@click.option("--model", metavar="NAME", help="Model of the figure and of the curve; only needed if there are several.")
@click.option("--slice", "slice_", metavar="NAME=VALUE", help="Slice of the figure and of the curve.")
@click.option("--window", metavar="DURATION", default="7d", show_default=True, help="Window of the curve.")
def report(
    store: str,
    html: Path | None,
    plot: Path | None,
    json_path: Path | None,
    model: str | None,
    slice_: str | None,
    window: str,
) -> None:
    """Write what the monitor knows to files."""
    outputs = [path for path in (html, plot, json_path) if path is not None]
    if not outputs:
        raise ValueError("--html, --plot or --json must be given, got none of them")
    refuse_odd_outputs(outputs, [Path(store)])
    written: list[tuple[Path, bytes]] = []
    with opened_store(store) as found:
        if html is not None:
            written.append((html, found.to_html().encode()))
        if plot is not None:
            picture = io.BytesIO()
            found.plot(picture, model=model, slice=slice_, format=plot.suffix[1:].lower())
            written.append((plot, picture.getvalue()))
        if json_path is not None:
            curve = found.curve(window, model=model, slice=slice_).to_dict()
            content = {
                "status": asdict(found.status()),
                "alerts": [alert.to_dict() for alert in found.alerts()],
                "curve": curve,
            }
            written.append((json_path, _json(content).encode()))
    write(written)


@click.command()
@with_store
@click.option("--model", metavar="NAME", help="Only needed if there are several models.")
@click.option("--slice", "slice_", metavar="NAME=VALUE", help="Slice whose rows are used.  [default: all rows]")
@click.option("--start", metavar="TIME", help="Use rows predicted from this time on.  [default: all mature rows]")
@click.option("--end", metavar="TIME", help="Use rows predicted before this time.")
@click.option("--alert", "number", metavar="NUMBER", type=int, help="Use the model, slice and start of this alert.")
@click.option(
    "--method",
    type=click.Choice(list(_CALIBRATORS)),
    help="Calibrator.  [default: platt for two classes, otherwise vector or temperature]",
)
@click.option("--out", metavar="PATH", type=_WRITTEN, required=True, help="File of the calibrator, for joblib.load.")
def recalibrate(
    store: str,
    model: str | None,
    slice_: str | None,
    start: str | None,
    end: str | None,
    number: int | None,
    method: str | None,
    out: Path,
) -> None:
    """Fit a calibrator to mature rows, and show the log loss that it saves.

    The file contains a Recalibration: joblib.load(PATH).predict_proba(proba) returns recalibrated probabilities.
    """
    refuse_odd_outputs([out], [Path(store)])
    with opened_store(store) as found:
        if number is not None:
            alert = _alert(found, number)
            model, slice_ = model or alert.model, slice_ or alert.slice
            start = start or (None if alert.since is None else alert.since.isoformat())
        calibrator = None if method is None else _CALIBRATORS[method]()
        result = found.recalibration(start, end, model=model, slice=slice_, calibrator=calibrator)
    buffer = io.BytesIO()
    joblib.dump(result, buffer)
    write([(out, buffer.getvalue())])
    click.echo(result)


def _alert(found: Monitor, number: int) -> Alert:
    alerts = found.alerts()
    if not 1 <= number <= len(alerts):
        raise ValueError(f"--alert must be the number of an alert, 1..{len(alerts)}, got {number}")
    return alerts[number - 1]


def _json(content: dict[str, Any]) -> str:
    """Return JSON text, with null for numbers that are not finite and ISO 8601 for times."""
    return json.dumps(_plain(content), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.datetime64):
        return np.datetime_as_string(value, unit="us", timezone="UTC")
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else value
