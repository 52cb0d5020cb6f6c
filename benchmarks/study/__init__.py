"""What the studies of probabilities share: ``frameworks``, ``sketches`` and ``probabilities``.

``data_sets`` has bundled and made data, ``tables`` reads the user's files, and ``columns`` warns of misleading columns.
``splits`` cuts rows into parts, ``intervals`` has means with confidence intervals, and ``store`` keeps finished trainings.
"""


class TableError(ValueError):
    """A table, or a request for a study, that breaks a rule."""
