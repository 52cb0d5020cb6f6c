"""Views of results: text, data for programs, figures, and an HTML page. Views do not depend on how results are computed.

* ``text`` requires rich, ``figures`` requires matplotlib, and ``page`` requires matplotlib and Jinja2. ``words`` contains
  the wording that they share.
* ``figures`` and ``figures_compared`` draw each model in its style from ``looks``.
* ``page`` fills ``templates`` with the tables of ``page_tables`` and the SVG figures of ``page_pictures``. ``html``, ``svg``
  and the templates ``document.html`` and ``parts.html`` also serve other pages.
"""
