"""Boosting libraries: one module each, with the same public names in all.

They translate conventions (shape, order, sign, dtype, weights, intercept, metric direction) and do no mathematics.
Importing one imports its library and no other.
"""
