"""How a day's inputs and scores are distributed, beside the training data of the version that scored.

The population stability index is the sum over bins of (share - reference) * ln(share / reference); shares below 0.0001
are taken as that, or an empty bin would make it infinite. Rule of thumb (Siddiqi 2006, Credit Risk Scorecards): below
0.1 alike, above 0.25 far off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from ecg_core.labels import CLASSES
from ecg_core.store import tables

BINS: Final[Mapping[str, tuple[str, ...]]] = {
    "class": CLASSES,
    "class_probability": ("-infinity", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.99"),
    "deviation_z": ("-infinity", "-2", "-1", "0", "1", "2", "3", "5"),
    "rr_next_to_rr_prev": ("-infinity", "-1.5", "-0.75", "-0.3", "-0.1", "0.1", "0.3", "0.75", "1.5"),
}
"""By quantity: the classes, or the lower bound of each bin."""
_SMALLEST_SHARE: Final = 1e-4
_VALUES: Final = {
    "class": "NULL::double precision",
    "class_probability": "CASE class WHEN 'N' THEN probability_n WHEN 'S' THEN probability_s "
    "WHEN 'V' THEN probability_v WHEN 'F' THEN probability_f ELSE probability_q END",
    # Of beats called N alone: that is what the z-score is a score against.
    "deviation_z": "CASE WHEN class = 'N' THEN deviation_z END",
    # greatest and least pass over NULL, so an unknown interval must be told first.
    "rr_next_to_rr_prev": "CASE WHEN rr_next_ms / rr_prev_ms IS NOT NULL "
    "THEN greatest(-3, least(3, 2 * ln(rr_next_ms / rr_prev_ms) / ln(2.0))) END",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """How a quantity was distributed over the training data: shares of `BINS`, and where that comes from.

    `mean` is None where it is unknown or the quantity has none, `n_beats` where it follows from a definition.
    """

    quantity: str
    shares: tuple[float, ...]
    mean: float | None
    n_beats: int | None
    source: str


def references(conn: Connection, version: str) -> dict[str, list[float]]:
    """Return the reference shares of a model version, by quantity."""
    row = tables.drift_reference.c
    found = select(row.quantity, row.shares).where(row.model_version == version)
    return dict(conn.execute(found).tuples().all())


def write_references(conn: Connection, version: str, given: Sequence[Reference]) -> None:
    """Enter the references of a registered version; what is there already stays."""
    rows = [{"model_version": version, "bins": list(BINS[one.quantity]), **asdict(one)} for one in given]
    if rows:
        conn.execute(insert(tables.drift_reference).on_conflict_do_nothing(), rows)


def scored_days(conn: Connection, since: date) -> list[tuple[str, date]]:
    """Return each model version and day (UTC) on which it scored, from a day on."""
    found = text(
        "SELECT DISTINCT model_version, (scored_at AT TIME ZONE 'UTC')::date AS scored_on FROM ecg.scoring_run "
        "WHERE task = 'beats' AND scored_at >= :since ORDER BY 2, 1"
    )
    return [(row.model_version, row.scored_on) for row in conn.execute(found, {"since": since})]


def measure_day(conn: Connection, version: str, day: date) -> dict[str, float]:
    """Measure every quantity that has a reference over the beats scored on a day; measured again, it is replaced.

    Returns
    -------
    dict of str to float
        Population stability index by quantity; without those of which no beat is known.
    """
    indices = {}
    for quantity, reference in references(conn, version).items():
        counts, mean = _histogram(conn, quantity, version, day)
        total = sum(counts)
        if not total:
            continue
        shares = [count / total for count in counts]
        indices[quantity] = stability_index(shares, reference)
        values = {"n_beats": total, "mean": mean, "shares": shares, "population_stability_index": indices[quantity]}
        conn.execute(
            insert(tables.drift)
            .values(model_version=version, scored_on=day, quantity=quantity, **values)
            .on_conflict_do_update(
                index_elements=["model_version", "scored_on", "quantity"], set_={**values, "measured_at": tables.now}
            )
        )
    return indices


def stability_index(shares: Sequence[float], reference: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same bins, 0 and up."""
    pairs = zip(shares, reference, strict=True)
    floored = [(max(share, _SMALLEST_SHARE), max(other, _SMALLEST_SHARE)) for share, other in pairs]
    return max(0.0, sum((share - other) * math.log(share / other) for share, other in floored))


def _histogram(conn: Connection, quantity: str, version: str, day: date) -> tuple[list[int], float | None]:
    bins = BINS[quantity]
    bounds = [float(bound) for bound in bins[1:]] if bins is not CLASSES else []
    place = "array_position(:classes, class) - 1" if bins is CLASSES else "width_bucket(value, :bounds)"
    rows = conn.execute(
        text(
            f"SELECT {place} AS place, count(*) AS n, sum(value) AS total FROM ("
            f"SELECT class, ({_VALUES[quantity]})::double precision AS value FROM ecg.beat "
            "JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month) "
            "WHERE run.model_version = :version AND run.scored_at >= :day "
            "AND run.scored_at < CAST(:day AS date) + 1 AND analysable) AS told "
            f"WHERE {'class' if bins is CLASSES else 'value'} IS NOT NULL GROUP BY 1"
        ),
        {"classes": list(CLASSES), "bounds": bounds, "version": version, "day": day},
    ).all()
    counts = [0] * len(bins)
    for row in rows:
        counts[row.place] = row.n
    known = sum(counts)
    mean = sum(row.total for row in rows) / known if known and bins is not CLASSES else None
    return counts, mean
