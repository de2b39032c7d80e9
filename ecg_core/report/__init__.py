"""One recording's result as one self-contained HTML file that a clinician can open, read and print.

``findings`` decides what is said, ``strips``, ``trend`` and ``why`` draw, ``build`` gathers it all in the typed view of
``view``, and the templates under ``templates/`` print that view and compute nothing. All words are in ``texts``.
"""

from ecg_core.report.findings import facts_of_findings
from ecg_core.report.render import WrittenReport, inline_sources, render, with_reviews, write_report

__all__ = ["WrittenReport", "facts_of_findings", "inline_sources", "render", "with_reviews", "write_report"]
