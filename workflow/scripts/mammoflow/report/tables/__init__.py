"""The paper's tables 1 to 4, ours first and the published rows apart; and tables of our own: one model under
many definitions, models against each other, ablations, and the reconciliation.

Each is a module with ``table``, which makes a frame of numbers, as its CSV holds it: NaN where something does
not exist; and ``PRESENTATION``, by which `presentation` makes text of it for Markdown and the report. The
column ``source`` says whose a row is: ``ours``, ``external`` (given boxes, evaluated here), ``paper``
(Agarwal et al. 2019) or ``literature``.
"""
