"""How often findings are right: on MIT-BIH, svdb, the QT Database, and on recordings made to be hard.

Records that a version learned from flatter it: figures are given for DS1, DS2, the paced records and all apart.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from ecg_core.datasets import physionet
from ecg_core.datasets.annotated import LabelledRecording, load_record, load_rhythm
from ecg_core.datasets.qtdb import MITDB_RECORD_OF
from ecg_core.datasets.splits import DS1, DS2, LEARNED_FROM, PACED
from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.models import LoadedModel
from ecg_core.pipeline.evaluating import log_look
from ecg_core.pipeline.score import read_beats
from ecg_core.result import Result
from ecg_core.settings import Settings
from ecg_core.training.finding_figures import Tally, durations, rate_extremes_hold, tallies, true_rhythm

GROUPS: Final = {"ds1": DS1, "ds2": DS2, "paced": PACED}
"""Groups of MIT-BIH's records, beside all of them."""

Figures = dict[str, Any]


def measure_findings(
    settings: Settings, model: LoadedModel, say: Callable[[str], None], cases: Path | None = None
) -> Figures:
    """Hold what is claimed of every record against its annotators' beats and rhythm marks.

    Parameters
    ----------
    settings : Settings
    model : LoadedModel
    say : callable
        Gets a line of progress for each record.
    cases : Path, optional
        Folder with hard recordings and their ``INDEX.csv``.

    Returns
    -------
    dict
        ``mitdb``, ``svdb``, ``qtdb`` (where they are at hand) with ``kinds``, ``heart_rate`` and ``records``;
        ``mitdb`` also with ``groups``, ``af`` and ``vf``; ``cases`` by name.
    """
    figures: Figures = {"model": model.version}
    for database, records in _records().items():
        try:
            folder = physionet.fetch(database, settings.physionet_base, settings.datasets_dir).path
        except DatasetUnavailable as error:
            say(str(error))
            continue
        there = [record for record in records if (folder / f"{record}.atr").is_file()]
        figures[database] = _on_database(folder, there, model, say)
    if "mitdb" in figures:
        log_look(model.version, "ecg benchmark findings", "mitdb", figures["mitdb"]["heart_rate"])
    if cases is not None:
        figures["cases"] = {row["name"]: said_of_case(cases, row, model) for row in case_table(cases)}
    return figures


def _records() -> dict[str, Sequence[str]]:
    of_qtdb = [record for record in LEARNED_FROM["qtdb"] if record not in MITDB_RECORD_OF]
    return {"mitdb": sorted((*DS1, *DS2, *PACED)), "svdb": LEARNED_FROM["svdb"], "qtdb": of_qtdb}


def _on_database(folder: Path, records: Sequence[str], model: LoadedModel, say: Callable[[str], None]) -> Figures:
    of_record: dict[str, dict[str, Tally]] = {}
    rates_hold: dict[str, bool] = {}
    rhythm_seconds: dict[str, list[dict[str, float]]] = defaultdict(list)
    for record in records:
        labelled = load_record(folder, record)
        result, _ = read_beats(labelled.recording, model)
        true = true_rhythm(labelled)
        of_record[record] = tallies(result.rhythm, true, labelled)
        rates_hold[record] = rate_extremes_hold(result.rhythm, true)
        if folder.parent.name == "mitdb":
            for kind, seconds in _rhythm_durations(folder, labelled, result).items():
                rhythm_seconds[kind].append(seconds)
        say(_in_one_line(record, of_record[record], rates_hold[record]))
    figures: Figures = {
        "kinds": _summed(of_record, records),
        "heart_rate": {"within_5_bpm": sum(rates_hold.values()), "records": len(records)},
        "records": {
            record: {"rate_holds": rates_hold[record], **{kind: t.as_json() for kind, t in of.items()}}
            for record, of in of_record.items()
        },
    }
    if rhythm_seconds:
        figures["groups"] = {name: _summed(of_record, group) for name, group in GROUPS.items()}
        figures |= {kind: _shares_of_time(each) for kind, each in rhythm_seconds.items()}
    return figures


def _summed(of_record: dict[str, dict[str, Tally]], records: Sequence[str]) -> Figures:
    totals: dict[str, Tally] = defaultdict(Tally)
    for record in records:
        for kind, counted in of_record.get(record, {}).items():
            totals[kind] += counted
    return {kind: counted.as_json() for kind, counted in totals.items()}


def _rhythm_durations(folder: Path, labelled: LabelledRecording, result: Result) -> dict[str, dict[str, float]]:
    """Seconds of fibrillation and of ventricular flutter: true, claimed, both."""
    marks = load_rhythm(folder, labelled.record)
    af = [(start, end) for start, end, mark in marks if mark == "(AFIB"]
    atrial_flutter = [(start, end) for start, end, mark in marks if mark == "(AFL"]
    flutter = [(start, end) for start, end, mark in marks if mark == "(VFL"]
    claimed = {
        kind: [(e.start_s, e.end_s) for e in result.rhythm.episodes if e.kind == kind]
        for kind in ("atrial_fibrillation", "vf")
    }
    return {
        "af": durations(claimed["atrial_fibrillation"], af, atrial_flutter),
        "vf": durations(claimed["vf"], flutter),
    }


def _shares_of_time(each: Sequence[dict[str, float]]) -> Figures:
    true, claimed, both = (sum(of[name] for of in each) for name in ("true", "claimed", "both"))
    return {
        "true_s": true,
        "claimed_s": claimed,
        "duration_sensitivity": both / true if true else None,
        "duration_precision": both / claimed if claimed else None,
    }


def _in_one_line(record: str, of: dict[str, Tally], rate_holds: bool) -> str:
    parts = [f"{kind} {t.right}/{t.claimed}/{t.true}" for kind, t in of.items() if t.claimed or t.true]
    return f"{record}: {', '.join(parts) or 'nothing'}; rate {'holds' if rate_holds else 'is off'} (right/claimed/true)"


def case_table(cases: Path) -> list[dict[str, str]]:
    """Read the table of hard recordings: what must be said, from when to when, and what must not be said."""
    with (cases / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def said_of_case(cases: Path, row: dict[str, str], model: LoadedModel) -> Figures:
    """Score one hard recording: its findings beside what must and what must not be said."""
    from ecg_core.report.findings import state

    result, _ = read_beats(read_recording(cases / f"{row['name']}.hea", b""), model)
    said = [f"{finding.urgency}: {state(result, finding).sentence}" for finding in result.findings]
    return {"said": said, "must_say": row["must_say"], "must_not_say": row["must_not_say"]}
