"""Run the command line as ``python -m boosting_losses.cli``."""

from . import main

main()
