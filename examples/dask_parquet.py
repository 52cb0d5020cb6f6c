"""Training on a Dask cluster from Parquet files, with the intercept and the metrics of the rows of all workers."""

import tempfile

import dask.dataframe as dd
import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost.dask as xgb_dask
from distributed import Client, LocalCluster

from boosting_losses import FocalLoss
from boosting_losses.adapters.lightgbm import dask as lightgbm
from boosting_losses.adapters.xgboost import dask as xgboost
from boosting_losses.metrics import log_loss

FEATURES = ["a", "b", "c"]


def rows(seed):
    """Return one partition: a rare event, whose log odds are linear."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.standard_normal((5000, 3)), columns=FEATURES)
    odds = np.exp(frame["a"] + frame["b"] - 3.0)
    return frame.assign(y=(rng.random(5000) < odds / (1.0 + odds)).astype(float))


def main():
    """Write Parquet files, and train on them with both libraries."""
    # On a real cluster, connect to its scheduler instead:
    #     with Client("tcp://scheduler:8786") as client:
    #         data = dd.read_parquet("s3://bucket/rows/")
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        for seed in range(6):
            rows(seed).to_parquet(f"{folder}/{seed}.parquet")
        data = dd.read_parquet(folder)
        fit, held_out = (client.persist(data.partitions[part]) for part in (slice(0, 4), slice(4, 6)))
        loss = FocalLoss(gamma=1.0)

        train, valid = (xgb_dask.DaskDMatrix(client, part[FEATURES], part["y"]) for part in (fit, held_out))
        options = {"evals": [(valid, "valid")], "early_stopping_rounds": 5, "verbose_eval": False}
        result = xgboost.train(client, {"max_depth": 3}, train, 100, loss=loss, **options)
        proba = xgboost.predict_proba(client, result, held_out[FEATURES])
        print("XGBoost:  log loss", round(log_loss(held_out["y"].compute(), proba.compute()), 4))

        # LightGBM's own Dask interface hangs if early stopping does not stop all workers in the same round.
        evaluation = {"eval_X": [held_out[FEATURES]], "eval_y": [held_out["y"]]}
        callbacks = [lgb.early_stopping(5, verbose=False)]
        settings = {"num_leaves": 8, "verbosity": -1}
        model = lightgbm.train(settings, fit[FEATURES], fit["y"], 100, loss=loss, callbacks=callbacks, **evaluation)
        proba = lightgbm.predict_proba(model, held_out[FEATURES])
        print("LightGBM: log loss", round(log_loss(held_out["y"].compute(), proba.compute()), 4))


if __name__ == "__main__":
    main()
