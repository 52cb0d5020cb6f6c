"""Views of results: a text, data for programs, pictures, and a page. No view knows how results are made.

* ``text`` needs rich, ``figures`` matplotlib, and ``page`` both matplotlib and Jinja2. ``words`` is what they share.
* ``figures`` and ``figures_compared`` draw models in their ``looks``.
* ``page`` puts ``page_tables`` and ``page_pictures``, as ``svg``, into ``templates``.
"""
