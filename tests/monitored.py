"""Monitors with simulated predictions and labels, for the tests of what is exported."""

import numpy as np

from boosting_losses.monitor import Monitor

DAY = 86_400


def filled(
    days=20, *, shift_from=None, n_classes=2, models=("default",), rows=60, seed=0, values=("DE", "FR"), **options
):
    """Return a monitor of some days; with ``shift_from``, the served probabilities are wrong from this day on."""
    monitor = Monitor(**{"label_delay": "2d", "clock": None, "n_classes": n_classes} | options)
    for day in range(days):
        for model in models:
            add_days(monitor, [day], shift_from=shift_from, model=model, rows=rows, seed=seed, values=values)
    return monitor


def add_days(monitor, days, *, shift_from=None, model="default", rows=60, seed=0, values=("DE", "FR")):
    classes = monitor._n_classes
    for day in days:
        random = np.random.default_rng([seed, day])
        z = 1.5 * random.normal(size=(rows, classes))
        wrong = 0.0 if shift_from is None or day < shift_from else 2.0
        served, true = (softmax(z + np.eye(classes)[-1] * move) for move in (0.0, wrong))
        y = (true.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1).clip(0, classes - 1)
        ids = [f"{seed}-{day}-{row}" for row in range(rows)]
        monitor.record(
            ids,
            served[:, 1] if classes == 2 else served,
            day * DAY + 10,
            model=model,
            slices={"country": random.choice(list(values), rows)},
            weight=random.uniform(0.5, 1.0, rows),
        )
        kept = random.random(rows) < 0.9
        monitor.label([key for key, keep in zip(ids, kept, strict=True) if keep], y[kept], day * DAY + 100)


def softmax(z):
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
