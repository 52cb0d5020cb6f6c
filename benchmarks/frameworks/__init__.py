"""Which library, which loss, which calibration gives the best probabilities, for data like mine, and at what cost?

The way of a run through the files:

a) ``options`` says what is asked for, ``plan`` makes a list of trainings of it: each a data set, a seed for its split, a
   library, a loss. All that the scores depend on is part of the name of a training, so that a second call knows it again.
b) ``supervisor`` goes through the list. Each training runs in a ``worker``, a process per library, since a crash or a
   lack of memory must not stop the others; its answer lies in the ``store``, a folder, before the next begins.
c) In the worker ``data`` makes the data and splits them, ``training`` trains and times, and ``scoring`` calibrates the same
   raw scores in every way and scores each: one training makes several *runs*.
d) ``comparison`` looks at all runs in pairs, ``figures``, ``page`` and ``markdown`` show them.
"""
