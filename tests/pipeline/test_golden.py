"""Golden results: what fifteen recordings give, as counts, sums and hashes.

Every table's rows, and the report's bytes but for its style.

`ECG_WRITE_GOLDEN=1 .venv/bin/pytest tests/pipeline/test_golden.py` writes them down again; a commit that does so says
which results changed, and why. Signals of databases are read where they lie: only figures about results are kept here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Table, select
from upath import UPath

from ecg_core.datasets import synth
from ecg_core.pipeline import inbox
from ecg_core.settings import Settings
from ecg_core.store import tables
from ecg_core.store.database import store_engine

KEPT: Final = Path(__file__).with_name("golden.json")
RECORDS: Final = (
    *(f"mitdb/1.0.0/{record}" for record in ("100", "105", "200", "213", "232")),
    *(f"ptb-xl/1.0.3/records100/00000/{record}_lr" for record in ("00001", "00144", "00172")),
    *(f"challenge-2017/1.0.0/training/A00/{record}" for record in ("A00001", "A00005", "A00022")),
    *(f"nstdb/1.0.0/{record}" for record in ("118e00", "118e12")),
)
"""The demo's five, then twelve leads, single leads, and noise; two generated ones come to them."""
GENERATED: Final[Mapping[str, dict[str, Any]]] = {
    "generated-pvc": {"pvc_per_minute": 8.0, "sveb_per_minute": 3.0, "seed": 1},
    "generated-af": {"af": True, "seed": 2},
}
_OF_THE_MOMENT: Final = re.compile(r"(_at|_run_id|report_id|reading_id|stage_seconds|scored_by|arrived_month)\Z")
"""Columns that say when, by whom and under which number, and not what."""
_APART: Final = ("ingest_ledger", "arrival", "model_version", "training_run", "drift_reference")
"""Tables that are not of a recording's result."""


def test_results_are_the_golden_ones(settings, physionet_base):
    absent = [record for record in RECORDS if not (physionet_base / f"{record}.hea").is_file()]
    if absent:
        pytest.skip(f"not at hand below ECG_PHYSIONET_BASE: {', '.join(absent)}")
    given = results_of(settings, physionet_base)
    if os.environ.get("ECG_WRITE_GOLDEN"):
        KEPT.write_text(json.dumps(given, indent=1, sort_keys=True) + "\n")
    assert list(differences(json.loads(KEPT.read_text()), given)) == []


def results_of(settings: Settings, base: Path) -> dict[str, Any]:
    """Score all recordings as an inbox's, and write down what they gave, by name."""
    folder = Path(settings.inbox_address)
    sources = [base / record for record in RECORDS]
    for name, kind in GENERATED.items():
        made = synth.write_wfdb(synth.synthesise(120.0, **kind), folder.parent / "generated", name)
        sources.append(Path(made).with_suffix(""))
    given: dict[str, Any] = {}
    for source in sources:
        for file in source.parent.glob(f"{source.name}.*"):
            if file.suffix in (".hea", ".dat", ".mat"):
                shutil.copyfile(file, folder / file.name)
        inbox.register_arrivals(settings, UPath(folder))
        for chunk in inbox.plan_chunks(settings):
            [outcome] = inbox.score_chunk(settings, chunk, "golden")
            given[source.name] = {
                "recording_id": outcome["recording_id"],
                "outcome": outcome["outcome"],
                "report": _report(Path(str(outcome["report"]))),
                "tables": _tables(settings, str(outcome["recording_id"])),
            }
    return given


def differences(kept: dict[str, Any], given: dict[str, Any]) -> Iterator[str]:
    """Name what differs.

    On a processor that rounds otherwise hashes differ while the results are the same: then counts must be equal, sums
    equal to a few digits, and the report the same but for its digits.
    """
    for name in sorted(kept.keys() | given.keys()):
        if (name in kept) != (name in given):
            yield f"{name}: {'no more' if name in kept else 'new'}"
            continue
        was, now = kept[name], given[name]
        yield from (f"{name}: {key}" for key in ("recording_id", "outcome") if was[key] != now[key])
        for table in sorted(was["tables"].keys() | now["tables"].keys()):
            yield from _table_differences(f"{name}.{table}", was["tables"].get(table), now["tables"].get(table))
        same_rows = all(of["sha256"] == now["tables"].get(t, of)["sha256"] for t, of in was["tables"].items())
        by = "sha256" if same_rows else "words_sha256"
        if was["report"][by] != now["report"][by]:
            yield f"{name}: report ({by})"


def _table_differences(where: str, was: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[str]:
    if was is None or now is None:
        yield f"{where}: {'new' if was is None else 'no more'}"
    elif was["sha256"] != now["sha256"]:
        if was["rows"] != now["rows"]:
            yield f"{where}: {was['rows']} rows, now {now['rows']}"
        for column in sorted(was["sums"].keys() | now["sums"].keys()):
            old, new = was["sums"].get(column), now["sums"].get(column)
            if old is None or new is None or abs(old - new) > 1e-4 * max(1.0, abs(old)):
                yield f"{where}.{column}: sum {old}, now {new}"
        if was["texts"] != now["texts"]:
            yield f"{where}: texts"


def _tables(settings: Settings, recording_id: str) -> dict[str, Any]:
    with store_engine(settings).connect() as connection:
        runs = select(tables.scoring_run.c.scoring_run_id).where(tables.scoring_run.c.recording_id == recording_id)
        found = {}
        for table in tables.metadata.sorted_tables:
            if table.name in _APART:
                continue
            if "scoring_run_id" in table.c:
                chosen = table.c.scoring_run_id.in_(runs)
            elif "reading_id" in table.c:
                parts = tables.reading_run.c
                chosen = table.c.reading_id.in_(select(parts.reading_id).where(parts.scoring_run_id.in_(runs)))
            elif "recording_id" in table.c:
                chosen = table.c.recording_id == recording_id
            else:
                continue
            found[table.name] = _digest(connection, table, chosen)
    return {name: of for name, of in found.items() if of["rows"]}


def _digest(connection: Connection, table: Table, chosen: Any) -> dict[str, Any]:
    columns = [column for column in table.c if not _OF_THE_MOMENT.search(column.name)]
    if table.name == "report":
        columns = [column for column in columns if column.name not in ("sha256", "size_bytes")]
    # A key alone orders nothing where a number of the moment is part of it: a recording's runs came in the order in
    # which Postgres kept them, which is another when a vacuum came between.
    order = sorted(columns, key=lambda column: not column.primary_key)
    rows = connection.execute(select(*columns).where(chosen).order_by(*order)).all()
    digest, texts = hashlib.sha256(), hashlib.sha256()
    sums = {}
    for column, values in zip(columns, zip(*rows, strict=True), strict=False):
        plain = [_plain(value) for value in values]
        digest.update(json.dumps([column.name, plain], sort_keys=True).encode())
        numbers = [n for value in plain for n in _numbers(value)]
        if numbers:
            sums[column.name] = float(f"{sum(numbers):.6g}")
        if any(isinstance(value, str) for value in plain) and column.name != "sentence":
            texts.update(json.dumps([column.name, plain]).encode())
    return {
        "rows": len(rows),
        "sha256": digest.hexdigest()[:16],
        "texts": texts.hexdigest()[:16],
        "sums": sums,
    }


def _plain(value: object) -> Any:
    if isinstance(value, bytes | memoryview):
        return int.from_bytes(hashlib.sha256(bytes(value)).digest()[:4])
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(value)


def _numbers(value: object) -> Iterable[float]:
    if isinstance(value, bool | int | float):
        return [float(value)] if value == value else []
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return []


def _report(path: Path) -> dict[str, Any]:
    # A rule of style changes what each report looks like, which a browser's tests look at, and none of its results; its
    # hash stands in the page's Content-Security-Policy, too.
    html = re.sub(rb"<style>.*?</style>|sha256-[0-9A-Za-z+/]{43}=", b"", path.read_bytes(), flags=re.DOTALL)
    words = re.sub(rb"[0-9A-Za-z+/=]{60,}|[-+.0-9e]+", b"", html)
    return {"sha256": hashlib.sha256(html).hexdigest()[:16], "words_sha256": hashlib.sha256(words).hexdigest()[:16]}
