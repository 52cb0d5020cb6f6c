"""Views of results: a text, data for programs, pictures, and a page.

* ``text`` needs rich, ``page`` Jinja2 and, with ``page_pictures`` and ``svg``, matplotlib; ``words`` is what they share.
* ``figures`` and ``figures_compared`` draw, in the ``looks`` of the models; ``page_tables`` and ``page_pictures`` are the parts
  of a page, and ``templates`` its form.
* No view knows how results are made.
"""
