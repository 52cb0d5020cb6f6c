"""Three months of a model in production: a season, a broken feature, a real drift, and what each rule sees of them.

Labels come up to a week late. The season changes the mix of customers, and the probabilities stay right. For four days the
income of customers in France arrives as 0. In the last month the odds are 1.5 times as high as the model says.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from boosting_losses.monitor import Monitor, ThresholdRule

mpl.use("agg")
DAY, ROWS, DAYS = np.timedelta64(1, "D"), 1_000, 92
START = np.datetime64("2026-03-01")
SEASON, BROKEN, DRIFT = (10, 32), (42, 46), 62
random = np.random.default_rng(0)


def customers(rows, age=0.0, odds=1.0):
    """Draw features and labels; the log odds of the label are linear in the features."""
    X = np.column_stack([random.normal(age, 1.0, rows), random.normal(1.0, 1.0, rows), random.normal(size=rows)])
    score = 0.9 * X[:, 0] - 1.2 * X[:, 1] + 0.6 * X[:, 2] - 1.0 + np.log(odds)
    return X, (random.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(int)


model = LogisticRegression(C=1e3).fit(*customers(200_000))
X, y = customers(50_000)
validation = model.predict_proba(X)[:, 1]
baseline = -np.mean(np.log(np.where(y == 1, validation, 1.0 - validation)))

monitor = Monitor(label_delay="7d", rule=ThresholdRule(baseline, alert_threshold_pct=10.0, rolling_window=5_000))
labels = []
for day in range(DAYS):
    X, y = customers(ROWS, age=0.8 if SEASON[0] <= day < SEASON[1] else 0.0, odds=1.5 if day >= DRIFT else 1.0)
    country = random.choice(["France", "Spain"], ROWS)
    if BROKEN[0] <= day < BROKEN[1]:
        X[country == "France", 1] = 0.0
    ids = [f"{day}-{row}" for row in range(ROWS)]
    time = (
        START + day * DAY + (random.random(ROWS) * DAY.astype("timedelta64[s]").astype(float)).astype("timedelta64[s]")
    )
    monitor.record(ids, model.predict_proba(X)[:, 1], time, slices={"country": country})
    labels.append((ids, y, time + (random.random(ROWS) * 6 * 86_400).astype("timedelta64[s]")))
for (
    ids,
    y,
    time,
) in labels:  # a monitor that runs gets them as they come; here the clock of the labels moves all the same
    monitor.label(ids, y, time)

print(f"log loss on validation data: {baseline:.4f}")
for alert in monitor.alerts():
    print(f"{alert.time:%d %B}, {alert.kind}: {alert}")
last = [alert for alert in monitor.alerts() if alert.kind == "miscalibrated" and alert.slice is None][-1]
print(monitor.recalibration(start=last.since))

curve, evidence = monitor.curve("5d"), monitor.evidence()
final = ~curve.provisional
figure, (top, middle, bottom) = plt.subplots(3, figsize=(10, 9), sharex=True, layout="constrained")
top.plot(curve.end[final], curve.log_loss[final], label="observed log loss, 5 days")
top.plot(curve.end[final], curve.expected_log_loss[final], "--", label="expected log loss")
top.axhline(1.1 * baseline, color="0.5", linestyle=":", label="validation + 10 %")
middle.plot(curve.end[final], curve.difference[final], label="observed minus expected")
middle.fill_between(curve.end[final], curve.low[final], curve.high[final], alpha=0.2, label="95 % confidence sequence")
middle.axhline(0.0, color="0.5", linestyle=":")
bottom.step(evidence.end, evidence.nats, where="post", label="evidence, all rows")
bottom.axhline(evidence.needed, color="0.5", linestyle=":", label="needed for an alert")
for axes, kind, what in ((top, "threshold", "alert of the threshold"), (bottom, "miscalibrated", "alert of the test")):
    times = [alert.time for alert in monitor.alerts() if alert.kind == kind and alert.slice is None]
    for number, time in enumerate(times):
        axes.axvline(time.replace(tzinfo=None), color="tab:red", linewidth=1, label=what if number == 0 else None)
for axes, unit in ((top, "nats a row"), (middle, "nats a row"), (bottom, "nats")):
    axes.set_ylabel(unit)
    for low, high, color in ((*SEASON, "tab:green"), (*BROKEN, "tab:orange"), (DRIFT, DAYS, "tab:purple")):
        axes.axvspan(START + low * DAY, START + high * DAY, color=color, alpha=0.12)
    axes.legend(loc="upper left", fontsize="small")
top.set_title("A season (green), a broken feature (orange) and a drift (purple), and what each rule sees")
figure.savefig("monitor_drift.png", dpi=110)
print("saved monitor_drift.png")
