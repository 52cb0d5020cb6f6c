"""The comparison of libraries, losses and calibrations by their probabilities and costs, on bundled or user data.

The steps of a comparison:

a) ``options`` reads the command line, and ``plan`` lists the trainings: each has a data set, a seed for its split, a
   library and a loss. The name of a training encodes all that its scores depend on, so that a second call recognises it.
b) ``supervisor`` processes the list. Each training runs in a ``worker``, one process per library, since a crash or a lack
   of memory must not stop the others. Its result is saved in ``study.store`` before the next training begins.
c) In the worker, ``data`` creates and splits the data, ``training`` trains and times, and ``scoring`` applies every
   calibration to the same raw scores and scores the results: one training yields several *runs*.
d) ``comparison`` compares the runs in pairs; ``figures``, ``page`` and ``markdown`` present the result.
"""
