"""A training on Dask during which a worker is killed: ``python -m tests.dask_fault xgboost``, or ``lightgbm``."""

import os
import signal
import sys
import time

import dask.array as da
import numpy as np
import xgboost as xgb
import xgboost.dask as xgb_dask
from distributed import Client, LocalCluster, get_worker

from boosting_losses import LogLoss
from boosting_losses.adapters.lightgbm import dask as lgb_many
from boosting_losses.adapters.xgboost import dask as xgb_many


def kill(victim, round_number):
    """Kill the victim in its tenth round, and note the time before."""
    if round_number == 10 and get_worker().address == victim:
        print("killed at", time.time(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class LightGBMKill:
    def __init__(self, victim):
        self.victim = victim

    def __call__(self, env):
        kill(self.victim, env.iteration)


class XGBoostKill(xgb.callback.TrainingCallback):
    def __init__(self, victim):
        self.victim = victim

    def after_iteration(self, model, epoch, evals_log):
        kill(self.victim, epoch)
        return False


def main(library):
    options = {"n_workers": 3, "threads_per_worker": 1, "dashboard_address": ":0", "host": "127.0.0.1"}
    client = Client(LocalCluster(silence_logs=50, **options))
    processes = client.run(os.getpid)
    victim, *others = processes
    rng = np.random.default_rng(0)
    X = da.from_array(rng.standard_normal((3000, 5)), chunks=(1000, 5)).persist()
    y = da.from_array(rng.integers(0, 2, 3000).astype(float), chunks=1000).persist()
    start = time.monotonic()
    try:
        if library == "xgboost":
            data = xgb_dask.DaskDMatrix(client, X, y)
            xgb_many.train(client, {}, data, 1000, loss=LogLoss(), callbacks=[XGBoostKill(victim)])
        else:
            settings = {"verbosity": -1}
            lgb_many.train(settings, X, y, 1000, loss=LogLoss(), client=client, callbacks=[LightGBMKill(victim)])
    except RuntimeError as error:
        seconds, message = time.monotonic() - start, str(error)
        print(f"after {seconds:.1f} s: {message}")
        state = message.partition("of the others, ")[2]
        named = "none is busy" in state or any(f"'{worker}'" in state for worker in others)
        if f"left the cluster: {victim};" in message and named and seconds < 60:
            print("the error came in time and names the workers", flush=True)
    for process in processes.values():  # a surviving LightGBM may wait in native code
        if process != processes[victim]:
            os.kill(process, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
