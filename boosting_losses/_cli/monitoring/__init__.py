"""The commands ``boosting-losses monitor ...``, which keep the state of a monitor in a store."""
