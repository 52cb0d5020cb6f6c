"""The command line: ``boosting-losses evaluate`` and ``boosting-losses warmup``."""

import sys


def main() -> None:
    """Run the command line; exit with code 2 if a required package is missing."""
    try:
        from .commands import commands  # noqa: PLC0415  (its dependencies are an optional extra)
    except ImportError as error:
        sys.stderr.write(f'boosting-losses: the command line requires pip install "boosting-losses[cli]" ({error})\n')
        sys.exit(2)
    commands()
