"""Settings of the whole test run."""

import os

# Tests run in several processes; a thread pool per core in each of them makes everything slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
