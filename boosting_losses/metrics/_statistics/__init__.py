"""Scores as functions of sums over rows, and the intervals that follow.

* ``base`` defines sources, statistics and estimates. ``bootstrap`` adds up the sums, of the rows and of Poisson replicates.
* ``sample`` and ``cells`` hold what the statistics of one model share.
* ``means``, ``ranking``, ``distribution``, ``calibration_line``, ``gaps``, ``residuals``, ``isotonic`` and ``temperature``
  hold a family of scores each.
* ``closed_form`` makes intervals of means without replicates. ``differences`` compares two models, and ``redrawn_labels``
  says how much their difference varies where events are few.
"""
