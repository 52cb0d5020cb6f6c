"""Runs of ``boosting-losses evaluate`` within the process of the tests, in the current folder."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from boosting_losses._cli.commands import commands

COLUMNS = ("--label", "y", "--proba", "p")
#: A configuration for tests of other things than scores and intervals.
FAST = "metrics: [log_loss]\nbootstrap: {n_resamples: 2}\n"
#: An evaluation file that is in use elsewhere; it works as it stands.
DOCUMENT = """\
evaluation:
  primary_metric: log_loss
  metrics:
    - name: log_loss
      clip_eps: 1e-15
      sample_weight_by: inverse_class_frequency
    - name: brier_score
    - name: calibration_ece
      n_bins: 15
      strategy: uniform
  monitoring:
    baseline_log_loss: 0.35
    alert_threshold_pct: 15.0
    rolling_window: 5000
    min_samples_for_alert: 200
  calibration:
    method: isotonic  # or 'platt' (sigmoid)
    cv_folds: 5
"""


def run(*arguments, command="evaluate", stdin=None):
    """The exit code, standard output and standard error."""
    result = CliRunner().invoke(commands, [command, *map(str, arguments)], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def report(*arguments, config=FAST, stdin=None):
    """The JSON of an evaluation that says nothing else; ``config`` is written to a file."""
    Path("config.yaml").write_text(config, encoding="utf-8")
    code, _, err = run(*arguments, "--config", "config.yaml", "--json", "r.json", stdin=stdin)
    assert (code, err) == (0, "")
    written = json.loads(Path("r.json").read_text(encoding="utf-8"))
    Path("r.json").unlink()
    return written


def check_refused(message, *arguments, stdin=None):
    """One line of error, exit code 2, and nothing written."""
    before = sorted(Path.cwd().rglob("*"))
    code, out, err = run("--html", "r.html", "--plot", "r.png", "--json", "r.json", *arguments, stdin=stdin)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert re.search(message, line), line
    assert sorted(Path.cwd().rglob("*")) == before
