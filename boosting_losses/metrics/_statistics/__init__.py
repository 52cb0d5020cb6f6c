"""Scores as functions of sums over rows, and the intervals that follow.

* ``base`` defines sources, statistics and estimates; ``bootstrap`` adds the sums up, of the data and of Poisson replicates.
* ``cells`` and ``sample`` hold what several statistics share.
* ``means``, ``ranking``, ``distribution``, ``calibration_line``, ``gaps``, ``residuals``, ``isotonic`` and ``temperature`` hold
  one family of scores each.
* ``closed_form`` makes intervals of means without replicates, ``differences`` those of two models; ``redrawn_labels`` says how
  much such differences vary where events are few.
"""
