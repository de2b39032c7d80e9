"""One recording's result as one self-contained HTML file that a clinician can open, read and print.

``findings`` puts the findings into words, ``strips``, ``trend`` and ``why`` draw, ``build`` gathers it all in the
typed view of ``view``; the templates under ``templates/`` print that view and compute nothing. Words are in ``texts``.
"""

from ecg_core.report.findings import sentences
from ecg_core.report.render import WrittenReport, render, with_reviews, with_whole, write_report

__all__ = ["WrittenReport", "render", "sentences", "with_reviews", "with_whole", "write_report"]
