"""Run the command line as ``python -m boosting_losses``."""

from ._cli import main

main()
