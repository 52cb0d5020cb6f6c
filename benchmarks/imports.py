"""What importing the package costs beyond importing NumPy and Numba."""

from __future__ import annotations

import statistics
import subprocess
import sys

from rich.console import Console
from rich.progress import track
from rich.table import Table

_TIMED = """
import time
start = time.perf_counter()
import numpy, numba
middle = time.perf_counter()
import boosting_losses
print(middle - start, time.perf_counter() - middle)
"""


def run(repeats: int) -> None:
    """Print the medians over fresh processes."""
    pairs = []
    for _ in track(range(repeats), "import", transient=True):
        printed = subprocess.run([sys.executable, "-c", _TIMED], check=True, capture_output=True, text=True).stdout
        pairs.append([float(seconds) for seconds in printed.split()])
    dependencies, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    table = Table("import", "median seconds", title=f"{repeats} fresh processes")
    table.add_row("numpy, numba", f"{dependencies:.3f}")
    table.add_row("boosting_losses beyond them", f"{ours:.3f}")
    Console().print(table)
