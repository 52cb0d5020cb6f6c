"""The command line: ``boosting-losses evaluate`` and ``boosting-losses warmup``."""

import sys


def main() -> None:
    """Run the command, or say what it needs."""
    try:
        from .commands import commands  # noqa: PLC0415  (what it needs is an extra)
    except ImportError as error:
        sys.stderr.write(f'boosting-losses: the command line needs pip install "boosting-losses[cli]" ({error})\n')
        sys.exit(2)
    commands()
