"""Data quality: each file of ``sql/checks`` is a query for the rows that break its rule."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, cast

from sqlalchemy import Connection, func, insert, select

from ecg_core.errors import StoreError
from ecg_core.settings import PROJECT_DIR
from ecg_core.store.tables import data_quality

CHECKS_DIR: Final = PROJECT_DIR / "sql" / "checks"
COUNTED: Final = 10_000
"""Broken rows are counted up to here: more would say no more."""
EXAMPLES: Final = 20
_LONGEST_TRANSACTION: Final = timedelta(hours=1)
"""Rows of a run carry the time of their writing and are seen when their transaction ends."""

Severity = Literal["severe", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of ``sql/checks``: its sentence, how severe it is, and the query for what breaks it."""

    name: str
    sentence: str
    severity: Severity
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the number of rows that break the rule, and the keys of the first of them."""

    rule: Rule
    n_rows_broken: int
    examples: list[dict[str, Any]]
    seconds: float


def read_rules(folder: Path = CHECKS_DIR) -> list[Rule]:
    """Read all rules, by name.

    Raises
    ------
    StoreError
        A file does not begin with its sentence and its severity.
    """
    return [_read(path) for path in sorted(folder.glob("*.sql"))]


def check(conn: Connection, rule: Rule, since: datetime | None) -> Finding:
    """Look for rows that break a rule; only among what was scored from `since` on where that is given."""
    started = time.perf_counter()
    query = f"SELECT to_jsonb(broken) FROM ({rule.query}) AS broken LIMIT {COUNTED}"
    broken = list(conn.exec_driver_sql(query, {"since": since}).scalars())
    return Finding(rule, len(broken), broken[:EXAMPLES], time.perf_counter() - started)


def write_findings(conn: Connection, findings: list[Finding], checked_at: datetime, since: datetime | None) -> None:
    """Add one row for each rule of a round of checks."""
    conn.execute(
        insert(data_quality),
        [
            {
                "checked_at": checked_at,
                "rule": finding.rule.name,
                "severity": finding.rule.severity,
                "scored_since": since,
                "n_rows_broken": finding.n_rows_broken,
                "examples": finding.examples,
                "seconds": finding.seconds,
            }
            for finding in findings
        ],
    )


def unchecked_since(conn: Connection) -> datetime | None:
    """Return from when on scores have not been checked, with an hour to spare; None where nothing ever was."""
    newest: datetime | None = conn.execute(select(func.max(data_quality.c.checked_at))).scalar_one()
    return newest - _LONGEST_TRANSACTION if newest else None


def _read(path: Path) -> Rule:
    content = path.read_text("utf-8")
    head = re.match(r"-- (?P<sentence>.+)\n-- Severity: (?P<severity>severe|warning)\n", content)
    if head is None:
        raise StoreError(
            f"{path.name} does not begin with its rule and its severity.",
            "Begin it with two lines: `-- The rule in a sentence.` and `-- Severity: severe` (or warning).",
        )
    return Rule(path.stem, head["sentence"], cast("Severity", head["severity"]), content[head.end() :])
