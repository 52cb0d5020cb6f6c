"""The state of a monitor as figures and as an HTML page."""
