"""Scores as functions of sums over rows, and their intervals.

* ``base`` defines sources, statistics and estimates. ``bootstrap`` computes the sums of the rows and of Poisson replicates.
* ``sample`` and ``cells`` contain the sources that the statistics of one model share.
* ``means``, ``ranking``, ``distribution``, ``calibration_line``, ``gaps``, ``residuals``, ``isotonic`` and ``temperature``
  each contain a family of scores.
* ``closed_form`` computes intervals of means without replicates. ``differences`` compares two models, and
  ``redrawn_labels`` estimates the variance of their difference when events are few.
"""
