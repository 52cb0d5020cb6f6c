"""Adding trees to a CatBoost model.

CatBoost's own ``init_model`` forgets the bias of a model that is still in the process that trained it, and refuses a
multiclass model of a custom objective that was loaded. So the scores of the first model become the baseline of the second,
and the two are summed.
"""

from __future__ import annotations

import json
from typing import Any

import catboost as cb
import numpy as np


def on_top_of(previous: cb.CatBoost, pool: cb.Pool) -> cb.Pool:
    """A copy of a pool that starts from the scores of a model, and from its own baseline if it has one."""
    start = np.asarray(previous.predict(pool, prediction_type="RawFormulaVal")).reshape(pool.num_row(), -1)
    own = np.asarray(pool.get_baseline())
    copy = pool.slice(np.arange(pool.num_row()))
    copy.set_baseline(start + own if own.size else start)
    return copy


def added(previous: cb.CatBoost, model: cb.CatBoost) -> cb.CatBoost:
    """The sum of two models of the same classes."""
    parts = [previous.copy(), model.copy()]
    class_names = [_exchange_class_names(part, []) for part in parts][-1]
    total = cb.sum_models(parts)
    _exchange_class_names(total, class_names)
    return total


def _exchange_class_names(model: cb.CatBoost, names: list[Any]) -> list[Any]:
    """Write other class names into a model and return those that it had; summing takes only binary ones."""
    metadata = model.get_metadata()
    params = json.loads(metadata.get("params") or "{}")
    options = params.setdefault("data_processing_options", {})
    before: list[Any] = options.get("class_names", [])
    options["class_names"] = names
    metadata["params"] = json.dumps(params)
    return before
