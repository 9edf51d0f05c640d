"""Tables 1 to 4 of the paper with our results, and additional tables.

The additional tables show one model under many definitions, comparisons of models, ablations, and the
reconciliation. Each table is a module with ``table``, which returns the numbers as in the CSV file, NaN if
undefined; and ``PRESENTATION``, by which `presentation` converts them to text for Markdown and the report.
The column ``source`` gives the origin of a row: ``ours``, ``external`` (external boxes, evaluated here),
``paper`` (Agarwal et al. 2019) or ``literature``.
"""
