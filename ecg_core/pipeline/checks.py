"""Data quality as a task: after each scoring run over what is new, each night over everything."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from ecg_core.errors import DataQualityError
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import quality

log = structlog.get_logger(__name__)


def run_checks(settings: Settings, *, everything: bool = False) -> dict[str, int]:
    """Run all rules of ``sql/checks`` and write what they found to ``ecg_mart.data_quality``.

    Parameters
    ----------
    settings : Settings
    everything : bool
        Look at all scores; else only at those that no earlier round has looked at.

    Returns
    -------
    dict of str to int
        By rule: how many rows break it (up to 10,000).

    Raises
    ------
    DataQualityError
        A severe rule is broken. What was found is written all the same.
    """
    engine = store_engine(settings)
    checked_at = datetime.now(UTC)
    with engine.connect() as connection:
        since = None if everything else quality.unchecked_since(connection)
        findings = [quality.check(connection, rule, since) for rule in quality.read_rules()]
    with engine.begin() as connection:
        quality.write_findings(connection, findings, checked_at, since)
    broken = [finding for finding in findings if finding.n_rows_broken]
    for finding in broken:
        log.warning("rule broken", rule=finding.rule.name, rows=finding.n_rows_broken, severity=finding.rule.severity)
    severe = [finding for finding in broken if finding.rule.severity == "severe"]
    if severe:
        told = "; ".join(f"{finding.rule.name} ({finding.n_rows_broken} rows)" for finding in severe)
        raise DataQualityError(
            f"Stored scores break {len(severe)} severe rules: {told}.",
            "ecg_mart.data_quality names the first rows of each; sql/checks says what the rules are.",
        )
    return {finding.rule.name: finding.n_rows_broken for finding in findings}
