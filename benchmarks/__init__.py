"""Benchmarks of this package against its alternatives. Timings belong here, never in a test."""
