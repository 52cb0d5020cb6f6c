"""Code shared by the studies of probabilities: ``frameworks``, ``sketches`` and ``probabilities``.

``data_sets`` provides bundled and synthetic data, ``tables`` reads the user's files, and ``columns`` warns about misleading
columns. ``splits`` splits rows into parts, ``intervals`` computes means with confidence intervals, and ``store`` saves
finished trainings.
"""


class TableError(ValueError):
    """An error in a table or in the options of a study."""
