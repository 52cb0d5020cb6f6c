"""The command line: ``boosting-losses evaluate`` and ``boosting-losses warmup``."""

import sys


def main() -> None:
    """Run the command line; exit with 2 if a package that it needs is missing."""
    try:
        from .commands import commands  # noqa: PLC0415  (what it needs is an extra)
    except ImportError as error:
        sys.stderr.write(f'boosting-losses: the command line needs pip install "boosting-losses[cli]" ({error})\n')
        sys.exit(2)
    commands()
