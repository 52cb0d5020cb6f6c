"""Measurements against what a user would otherwise run. Timings belong here, never in a test."""
