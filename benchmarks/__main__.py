"""Command line: ``python -m benchmarks import``."""

from __future__ import annotations

import argparse

from . import imports


def main() -> None:
    """Run the benchmark that the command names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("import", help="seconds that `import boosting_losses` takes in a fresh process")
    command.add_argument("--repeats", type=int, default=15, help="processes per measurement (default: %(default)s)")
    arguments = parser.parse_args()
    imports.run(arguments.repeats)


if __name__ == "__main__":
    main()
