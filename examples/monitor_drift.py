"""Three months of a model in production: a season, a broken feature and a drift, and the alerts of two rules.

The season changes the mix of customers; the probabilities stay right. For four days the second feature of customers in France
is 0. In the last month the odds are 1.5 times as high as the model says. Labels arrive up to six days late.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from boosting_losses.monitor import Monitor, ThresholdRule

random, rows, days, day_length = np.random.default_rng(0), 1_000, 92, 86_400
start = np.datetime64("2026-03-01", "s")
season, broken, drift = range(10, 32), range(42, 46), range(62, days)


def customers(count, age=0.0, odds=1.0):
    """Draw features and labels."""
    X = random.normal([age, 1.0, 0.0], 1.0, (count, 3))
    score = X @ [0.9, -1.2, 0.6] - 1.0 + np.log(odds)
    return X, (random.random(count) < 1.0 / (1.0 + np.exp(-score))).astype(int)


model = LogisticRegression(C=1e3).fit(*customers(200_000))
X, y = customers(50_000)
baseline = log_loss(y, model.predict_proba(X))  # on validation data
rule = ThresholdRule(baseline, alert_threshold_pct=10.0, rolling_window=5_000)
monitor = Monitor(label_delay="7d", rule=rule, clock=None)  # the times are simulated
for day in range(days):
    X, y = customers(rows, age=0.8 * (day in season), odds=1.5 if day in drift else 1.0)
    country = random.choice(["France", "Spain"], rows)
    X[(country == "France") & (day in broken), 1] = 0.0
    ids = [f"{day}-{row}" for row in range(rows)]
    time = start + day * day_length + random.integers(0, day_length, rows)
    monitor.record(ids, model.predict_proba(X), time, slices={"country": country})
    monitor.label(ids, y, time + random.integers(0, 6 * day_length, rows))
print(f"log loss on validation data: {baseline:.4f}", *monitor.alerts(), sep="\n")
curve, evidence = monitor.curve("5d", end=start + days * day_length), monitor.evidence()
figure, axes = plt.subplots(3, figsize=(10, 9), sharex=True, layout="constrained", subplot_kw={"ylabel": "nats"})
axes[0].plot(curve.end, curve.log_loss, label="log loss of 5 days")
axes[0].plot(curve.end, curve.expected_log_loss, "--", label="expected log loss")
axes[0].axhline(1.1 * baseline, color="0.5", linestyle=":", label="validation + 10 %")
axes[1].plot(curve.end, curve.difference, label="observed minus expected")
axes[1].fill_between(curve.end, curve.low, curve.high, alpha=0.2, label="95 % confidence sequence")
axes[2].step(evidence.end, evidence.nats, where="post", label="evidence, all rows")
axes[2].axhline(evidence.needed, color="0.5", linestyle=":", label="needed for an alert")
for number, kind in ((0, "threshold"), (2, "miscalibrated")):
    times = [a.time.replace(tzinfo=None) for a in monitor.alerts() if a.kind == kind and a.slice is None]
    axes[number].vlines(times, *axes[number].get_ylim(), color="tab:red", linewidth=1, label=f"alert: {kind}")
for ax in axes:
    for period, color in ((season, "tab:green"), (broken, "tab:orange"), (drift, "tab:purple")):
        ax.axvspan(start + period[0] * day_length, start + (period[-1] + 1) * day_length, color=color, alpha=0.12)
    ax.legend(loc="upper left", fontsize="small")
axes[0].set_title("A season (green), a broken feature (orange) and a drift (purple)")
figure.savefig("monitor_drift.png", dpi=110)
Path("monitor.html").write_text(monitor.to_html(title="Three months of a model"), encoding="utf-8")
