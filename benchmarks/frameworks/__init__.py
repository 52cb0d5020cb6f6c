"""The comparison of libraries, losses and calibrations: their probabilities and their costs, on the user's data or others.

The way of a run through the files:

a) ``options`` reads the command line, ``plan`` makes a list of trainings: each has a data set, a seed for its split, a
   library and a loss. The name of a training holds all that its scores depend on, so that a second call recognises it.
b) ``supervisor`` goes through the list. Each training runs in a ``worker``, one process per library, since a crash or a
   lack of memory must not stop the others. Its answer is in ``study.store`` before the next training begins.
c) In the worker, ``data`` makes and splits the data, ``training`` trains and times, and ``scoring`` calibrates the same raw
   scores in every way and scores each: one training makes several *runs*.
d) ``comparison`` compares the runs in pairs; ``figures``, ``page`` and ``markdown`` show the result.
"""
