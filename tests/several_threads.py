"""Small data in many chunks, of which every thread that may take part takes some."""

import threading

from boosting_losses import _threads
from boosting_losses._threads import _chunks
from boosting_losses.metrics._statistics import bootstrap

_EACH = _threads.each


class Everyone:
    """``_threads.each``, but each thread waits before its first item until all threads that may take part do so."""

    def __init__(self):
        self.most = 0

    def __call__(self, task, items, *, several=True):
        threads = max(min(_threads.get_num_threads(), len(items)), 1) if several else 1
        everyone, own = threading.Barrier(threads), threading.local()
        self.most = max(self.most, threads)

        def after_all(item):
            if not hasattr(own, "waited"):
                own.waited = True
                everyone.wait(timeout=60)
            return task(item)

        return _EACH(after_all, items, several=several)


def take_part(monkeypatch):
    """Cut small data into many chunks, and let all threads take part; return the function that sees to it."""
    for name, size in {"FEWEST": 64, "MOST": 512, "CHUNKS": 1_000_000, "ALIGNMENT": 64}.items():
        monkeypatch.setattr(_chunks, name, size)
    each = Everyone()
    for module in (_threads, _chunks, bootstrap):
        monkeypatch.setattr(module, "each", each)
    monkeypatch.setattr(bootstrap, "_LEAST_ROWS", 1)
    return each
