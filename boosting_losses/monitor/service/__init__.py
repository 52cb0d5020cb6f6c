"""An HTTP service around a monitor: it receives predictions and labels, and shows status, metrics and a page."""
