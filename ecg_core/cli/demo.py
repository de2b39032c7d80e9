"""`ecg demo`: real recordings arrive, are scored by Airflow, explained, stored and reported.

The arrivals are five MIT-BIH recordings of patients that no model was trained on, four resting ECGs of PTB-XL's fold 10
(one of each superclass but NORM) where the base is a folder that has them, one truncated file, one that is no ECG, and
one duplicate under another name. Where no PhysioNet base answers, generated recordings take their place, and output and
reports say so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ecg_core.datasets import physionet, synth
from ecg_core.datasets.databases import DATABASES
from ecg_core.errors import DatasetUnavailable, StackError
from ecg_core.operations.maintenance import measure_drift
from ecg_core.readers.reports import ArrivalOutcome, list_arrivals
from ecg_core.settings import Settings
from ecg_core.stack import StackInfo
from ecg_core.stack.api import AirflowApi

RECORDS: Final = ("100", "105", "200", "213", "232")
"""All in DS2: no model of ours was trained on these patients."""
TRUNCATED, NO_ECG, DUPLICATE = "truncated", "shopping-list.txt", "same-as-first"
RESTING: Final = {"mi": "00210_lr", "sttc": "00167_lr", "cd": "00180_lr", "hyp": "00299_lr"}
"""PTB-XL's records of fold 10, by the kind of recording that is generated where one is not at hand."""
RUN_LIMIT_S = 900.0

Say = Callable[[str], None]


def run_demo(settings: Settings, stack: StackInfo, say: Say) -> list[ArrivalOutcome]:
    """Fill an inbox, let Airflow work through it, and write ``demo.json`` in the home folder.

    Parameters
    ----------
    settings : Settings
        With the database of `stack`.
    stack : StackInfo
        A running stack.
    say : callable
        Gets each line of progress.

    Returns
    -------
    list of ArrivalOutcome
        One per arrived file, in the order of their names.

    Raises
    ------
    StackError
        The scoring run failed or took too long.
    """
    started = time.monotonic()
    inbox = settings.home / "demo" / "inbox"
    source = fill_inbox(settings, inbox, say)
    before = {arrival.recording_id for arrival in list_arrivals(settings, str(inbox)) if arrival.outcome == "scored"}
    _score_by_airflow(stack, inbox, say)
    arrivals = [
        arrival.known_before() if arrival.recording_id in before else arrival for arrival in _ended(settings, inbox)
    ]
    # What maintenance does at night: so that every question of the analysts has an answer here.
    measure_drift(settings)
    report = {
        "seconds": round(time.monotonic() - started, 1),
        "source": source,
        "arrivals": [arrival.as_json() for arrival in arrivals],
    }
    temporary = settings.home / "demo.json.tmp"
    temporary.write_text(json.dumps(report, indent=2) + "\n")
    temporary.rename(settings.home / "demo.json")
    return arrivals


def _ended(settings: Settings, inbox: Path) -> list[ArrivalOutcome]:
    """Wait until none of the inbox's files waits or is being scored: another run may have taken one of them.

    Raises
    ------
    StackError
        That took too long.
    """
    deadline = time.monotonic() + RUN_LIMIT_S
    while True:
        found = list_arrivals(settings, str(inbox))
        unfinished = [arrival.file for arrival in found if arrival.outcome in ("waiting", "claimed")]
        if not unfinished:
            return found
        if time.monotonic() > deadline:
            raise StackError(
                f"After {RUN_LIMIT_S:.0f} s there is no outcome of {', '.join(unfinished)}.",
                "Look at the runs of ecg_score_inbox in Airflow's UI.",
            )
        time.sleep(1)


def fill_inbox(settings: Settings, inbox: Path, say: Say) -> str:
    """Put the arrivals into `inbox`; what is there already is left as it is.

    Returns
    -------
    str
        ``"physionet"`` or ``"generated"``.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    names: tuple[str, ...]
    try:
        # The whole database, once: the nightly retraining needs it too.
        fetched = physionet.fetch("mitdb", settings.physionet_base, settings.datasets_dir)
        source, folder, names = "physionet", fetched.path, RECORDS
        say(f"Five recordings of the MIT-BIH Arrhythmia Database, from {settings.physionet_base}.")
    except DatasetUnavailable as error:
        say(f"{error.what} The demo goes on with five GENERATED recordings: they come from a formula, not from people.")
        source, folder = "generated", settings.home / "demo" / "generated"
        names = _generate(folder)
    for name in names:
        for suffix in (".hea", ".dat"):
            _copy_once(folder / f"{name}{suffix}", inbox / f"{name}{suffix}")
    _resting_arrivals(settings, inbox, say)
    _derive_bad_arrivals(folder, names, inbox)
    return source


def _resting_arrivals(settings: Settings, inbox: Path, say: Say) -> None:
    """Put resting ECGs of twelve leads into the inbox: PTB-XL's, or else generated ones."""
    records = Path(settings.physionet_base) / "ptb-xl" / DATABASES["ptb-xl"].version / "records100" / "00000"
    real = [name for name in RESTING.values() if (records / f"{name}.dat").is_file()]
    if real:
        say(f"{len(real)} resting ECGs of PTB-XL's fold 10, of {', '.join(kind.upper() for kind in RESTING)}.")
    for kind, name in RESTING.items():
        folder, record = records, name
        if name not in real:
            folder, record = settings.home / "demo" / "generated", f"generated-resting-{kind}"
            if not (folder / f"{record}.hea").exists():
                made = synth.synthesise(10.0, 500, 12, pvc_per_minute=0, sveb_per_minute=0, kind=kind)
                synth.write_wfdb(made, folder, record)
        for suffix in (".hea", ".dat"):
            _copy_once(folder / f"{record}{suffix}", inbox / f"{record}{suffix}")


def _generate(folder: Path) -> tuple[str, ...]:
    """Five generated recordings of ten minutes, each of another kind."""
    kinds: dict[str, dict[str, Any]] = {
        "generated-1-normal": {"pvc_per_minute": 0.0, "sveb_per_minute": 0.0},
        "generated-2-pvc": {"pvc_per_minute": 6.0},
        "generated-3-sveb": {"sveb_per_minute": 6.0},
        "generated-4-af": {"af": True},
        "generated-5-noise": {"noise_mv": 0.15, "pvc_per_minute": 2.0},
    }
    for seed, (name, kind) in enumerate(kinds.items()):
        if not (folder / f"{name}.hea").exists():
            synth.write_wfdb(synth.synthesise(600.0, seed=seed, **kind), folder, name)
    return tuple(kinds)


def _derive_bad_arrivals(folder: Path, names: tuple[str, ...], inbox: Path) -> None:
    first, last = names[0], names[-1]
    _write_once(inbox / f"{TRUNCATED}.hea", _renamed_header(folder / f"{last}.hea", TRUNCATED))
    whole = (folder / f"{last}.dat").read_bytes()
    _write_once(inbox / f"{TRUNCATED}.dat", whole[: len(whole) * 2 // 5])
    _write_once(inbox / NO_ECG, b"milk, bread, batteries for the Holter recorder\n")
    _write_once(inbox / f"{DUPLICATE}.hea", _renamed_header(folder / f"{first}.hea", DUPLICATE))
    _copy_once(folder / f"{first}.dat", inbox / f"{DUPLICATE}.dat")


def _renamed_header(header: Path, name: str) -> bytes:
    """Return the header as if the record were called `name`: record and file names start their lines."""
    was = re.escape(header.stem.encode())
    return re.sub(rb"^%b(?=[ .])" % was, name.encode(), header.read_bytes(), flags=re.MULTILINE)


def _copy_once(source: Path, target: Path) -> None:
    if not target.exists():
        shutil.copyfile(source, target.with_suffix(".part"))
        _arrived(target.with_suffix(".part"), target)


def _write_once(target: Path, content: bytes) -> None:
    if not target.exists():
        target.with_suffix(".part").write_bytes(content)
        _arrived(target.with_suffix(".part"), target)


def _arrived(part: Path, target: Path) -> None:
    # Dated a minute back, as files that have settled are: nobody should have to watch the demo wait.
    a_minute_ago = time.time() - 60
    os.utime(part, (a_minute_ago, a_minute_ago))
    part.rename(target)


def _score_by_airflow(stack: StackInfo, inbox: Path, say: Say) -> None:
    with AirflowApi(stack.url, stack.user, stack.password) as api:
        run_id = api.trigger("ecg_score_inbox", {"folder": str(inbox)})
        say(f"Airflow run {run_id} of ecg_score_inbox: {stack.url}/dags/ecg_score_inbox/runs/{run_id}")
        state = api.wait("ecg_score_inbox", run_id, timeout_s=RUN_LIMIT_S)["state"]
    if state != "success":
        raise StackError(
            f"The scoring run {run_id} ended as '{state}'.",
            f"Its tasks' logs are in the UI at {stack.url}/dags/ecg_score_inbox/runs/{run_id}.",
        )
