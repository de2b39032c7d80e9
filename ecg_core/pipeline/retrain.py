"""The nightly retraining: for each task a challenger is trained, judged and gated, as the registry of tasks says.

Each step leaves its outcome in a folder of the run, so that a retried step finds what is done. A champion is never
replaced by a version that is worse within the stated margins, and the reason stands in Postgres either way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core import depot
from ecg_core.beats import Trees
from ecg_core.beats.fibrillation import read_trees
from ecg_core.beats.reviewed import as_reviewed
from ecg_core.datasets import physionet
from ecg_core.datasets.annotated import LabelledRecording
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import DECIDING, TEST
from ecg_core.errors import CopyDamaged, DatasetUnavailable, MachineError
from ecg_core.formats import read_recording
from ecg_core.formats.copies import copy_of
from ecg_core.messages import lineage
from ecg_core.models import load_version, with_version
from ecg_core.models.version import MANIFEST, Version, find_version
from ecg_core.pipeline import examining
from ecg_core.pipeline.versions import scoring_version, scoring_versions
from ecg_core.result import BeatTable, Reviewed
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows
from ecg_core.store import read_result, reviews
from ecg_core.store.database import store_engine
from ecg_core.training import TrainingBeats, join_beats, prepare_labelled, training_set
from ecg_core.training.tasks import TRAINED
from ecg_core.training.work import Work

log = structlog.get_logger(__name__)

DATABASE: Final = "mitdb"


class Answer(NamedTuple):
    """What a person said to a promotion; `by` is None where nobody did."""

    approved: bool
    by: str | None


def fetch(settings: Settings) -> str:
    """Bring what is missing or changed of the training databases; the path of MIT-BIH's folder.

    Raises
    ------
    DatasetUnavailable
        MIT-BIH is not to be had; the others are left out where they are not.
    ChecksumMismatch
        A file is not the published one.
    """
    fetched = physionet.fetch(DATABASE, settings.physionet_base, settings.datasets_dir)
    log.info("training data", database=DATABASE, files=fetched.n_files, skipped=len(fetched.skipped))
    for further in settings.further_training_data:
        try:
            more = physionet.fetch(further, settings.physionet_base, settings.datasets_dir)
            log.info("training data", database=further, files=more.n_files, skipped=len(more.skipped))
        except DatasetUnavailable as error:
            log.warning("database not at hand, left out of training", database=further, reason=error.what)
    return str(fetched.path)


def at_hand(settings: Settings, task: str, database: str) -> bool:
    """Tell whether the databases are here without which a task is not trained; what is missing is said."""
    missing = [name for name in TRAINED[task].databases if name not in _folders(settings, database)]
    if missing:
        log.warning("task not trained: a database is not at hand", task=task, missing=missing)
    return not missing


def prepare(settings: Settings, task: str, database: str, run_id: str) -> str:
    """Check and prepare what a task learns from; `database`, which `fetch` gave, for the steps after.

    Raises
    ------
    PatientLeak
        A training record has the content of a held-out one, whatever its name.
    """
    TRAINED[task].prepare(_work(settings, task, database, run_id))
    return database


def train(settings: Settings, task: str, family: str, prepared: str, run_id: str) -> str:
    """Train one family of a task; the path of its component folder."""
    return str(TRAINED[task].train(_work(settings, task, prepared, run_id), family))


def assemble(settings: Settings, task: str, components: list[str], prepared: str, run_id: str) -> str:
    """Write the components as one model version, the challenger; its name."""
    noted = _run_dir(settings, run_id, task) / "challenger.txt"
    if noted.exists():
        return noted.read_text()
    work = _work(settings, task, prepared, run_id)
    version = TRAINED[task].assemble(work, [Path(component) for component in components])
    depot.put_folders(settings, [(settings.models_dir / version, MANIFEST)])
    noted.write_text(version)
    return version


def evaluate(settings: Settings, version: str, prepared: str, run_id: str) -> dict[str, object]:
    """Judge the challenger against the champion of its task.

    Returns
    -------
    dict
        ``promote`` (bool) and ``reason`` (a sentence with the figures): what the task's gate says. With the figures it
        goes into the run's folder, for `decide`.

    Raises
    ------
    PatientLeak
        A version was trained on a patient of the deciding or the test set.
    """
    task = load_version(version, with_version(settings, version)).task
    champion = scoring_versions(settings).get(task)
    verdict = TRAINED[task].judge(_work(settings, task, prepared, run_id), champion, version)
    told = {"promote": verdict.promote, "reason": verdict.reason}
    document = {"champion": champion, **told, "figures": verdict.figures}
    (_run_dir(settings, run_id, task) / "verdict.json").write_text(json.dumps(document, indent=1))
    return told


def decide(settings: Settings, version: str, run_id: str, answer: Answer | None = None) -> dict[str, object]:
    """Promote the challenger or keep the champion, and write which and why to Postgres.

    Parameters
    ----------
    settings : Settings
    version : str
        The challenger.
    run_id : str
    answer : Answer, optional
        What a person said. Where the settings ask for one (``ECG_APPROVE_PROMOTION``), nothing is promoted without it.

    Returns
    -------
    dict
        ``promoted`` (bool) and ``reason`` (a sentence with the figures).
    """
    model = load_version(version, with_version(settings, version))
    document = json.loads((_run_dir(settings, run_id, model.task) / "verdict.json").read_text())
    promoted, reason = bool(document["promote"]), str(document["reason"])
    if promoted and settings.approve_promotion:
        promoted = answer is not None and answer.approved
        reason = f"{_said(settings, answer)} The gate: {reason}"
    with store_engine(settings).begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        model_rows.record_training_run(
            connection,
            run_id=run_id,
            challenger=version,
            champion=document["champion"],
            figures=document["figures"],
            promoted=promoted,
            reason=reason,
        )
    _tell_lineage(settings, model, promoted=promoted)
    log.info("gate", challenger=version, champion=document["champion"], promoted=promoted, reason=reason)
    return {"promoted": promoted, "reason": reason}


def _tell_lineage(settings: Settings, model: Version, *, promoted: bool) -> None:
    """Tell from which databases and answers a version was made."""
    names = ("mitdb", *settings.further_training_data)
    folders = [settings.datasets_dir / name / DATABASES[name].version for name in names]
    learned = [lineage.folder(str(path)) for path in folders if path.is_dir()]
    answers = lineage.tables(settings, "review") if settings.train_on_reviews else []
    into = [*lineage.versions(settings, [model.version]), *lineage.tables(settings, "model_version", "training_run")]
    facts = {"task": model.task, "promoted": str(promoted).lower()}
    lineage.tell(settings, "retrain", [*learned, *answers], into, facts)


def _said(settings: Settings, answer: Answer | None) -> str:
    if answer is None or answer.by is None:
        return f"Kept the champion: nobody answered within {settings.approval_hours:g} h, and silence means no."
    return (
        f"Promoted with the approval of {answer.by}." if answer.approved else f"Kept the champion: {answer.by} said no."
    )


def training_beats(settings: Settings, database: str, trees: Trees) -> TrainingBeats:
    """Prepare all that a retraining of ``beats`` learns from, or take it from the cache."""
    prepared = training_set(_folders(settings, database), settings.models_dir / ".prepared", trees)
    return with_reviewed(settings, prepared, Path(database))


def _work(settings: Settings, task: str, database: str, run_id: str) -> Work:
    return Work(
        settings=settings,
        folders=_folders(settings, database),
        run_dir=_run_dir(settings, run_id, task),
        trees=_trees(settings, run_id),
        with_reviewed=lambda training: with_reviewed(settings, training, Path(database)),
        examine=lambda model: examining.measure(settings, model, Path(database), "deciding", quick=True),
    )


def _trees(settings: Settings, run_id: str) -> Trees:
    """Return the trees of the rhythm champion as it was when the run began: it may be another before the run ends."""
    noted = _run_dir(settings, run_id) / "rhythm.txt"
    if not noted.exists():
        noted.write_text(scoring_version(settings, "rhythm"))
    return trees_of(settings, noted.read_text())


def trees_of(settings: Settings, version: str) -> Trees:
    """Return the trees of a rhythm version."""
    return read_trees(find_version(version, with_version(settings, version))[0])


def _folders(settings: Settings, database: str) -> dict[str, Path]:
    """Return the folders of the training databases that are at hand."""
    further = {name: settings.datasets_dir / name / DATABASES[name].version for name in settings.further_training_data}
    return {
        DATABASE: Path(database),
        **{name: folder for name, folder in further.items() if any(folder.rglob("*.hea"))},
    }


def _run_dir(settings: Settings, run_id: str, task: str = "") -> Path:
    """Folder of one run, or of one task in it; Airflow's run ids hold colons and pluses."""
    folder = settings.models_dir / ".runs" / re.sub(r"[^A-Za-z0-9._-]", "_", run_id) / task
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def with_reviewed(settings: Settings, training: TrainingBeats, database: Path) -> TrainingBeats:
    """Add what readers signed, where ``ECG_TRAIN_ON_REVIEWS`` says so.

    Parameters
    ----------
    settings : Settings
    training : TrainingBeats
    database : Path
        The training database: a recording whose content is one of its held-out records is never trained on.
    """
    if not settings.train_on_reviews:
        return training
    return join_beats([training, *_signed(settings, training, held_out_ids(settings, database))])


def _signed(settings: Settings, training: TrainingBeats, held_out: Collection[str]) -> Sequence[TrainingBeats]:
    if training.trees is None:
        raise ValueError("training beats that do not say by which trees fibrillation was told")
    return reviewed_beats(settings, training.trees, held_out)


def held_out_ids(settings: Settings, database: Path) -> set[str]:
    """Identify the records that a promotion or the README's figures are judged on, by content."""
    headers = [database / f"{record}.hea" for record in (*DECIDING, *TEST)]
    there = [header for header in headers if header.is_file() and header.with_suffix(".dat").is_file()]
    return {read_recording(header, settings.pseudonym_secret()).recording_id for header in there}


def reviewed_beats(settings: Settings, trees: Trees, held_out: Collection[str] = ()) -> Sequence[TrainingBeats]:
    """Prepare the beats that signed answers gave a class, those alone, on every lead of their recording.

    Recordings in `held_out`, generated ones, and those whose file is gone are left out.
    """
    found: list[TrainingBeats] = []
    with store_engine(settings).connect() as connection:
        for reading_id, scoring_run_id, staged_path in reviews.corrected_readings(connection):
            result = read_result.read_result(connection, scoring_run_id, reading_id=reading_id, with_signal=False)
            facts = result.recording
            path = None if facts.recording_id in held_out or facts.synthetic else _copy_if_there(settings, staged_path)
            if path is None:
                log.info("review left out of training", recording_id=facts.recording_id, synthetic=facts.synthetic)
                continue
            beats, labels = _told(as_reviewed(result, reviews.read_reviews(connection, reading_id)))
            recording = read_recording(path, settings.pseudonym_secret(), facts.recording_id)
            name = f"reviewed-{facts.recording_id[:16]}"
            patient = facts.patient_pseudonym or f"patient-of-{name}"
            labelled = LabelledRecording(name, patient, recording, beats.r_sample, labels)
            found.append(prepare_labelled(labelled, "training", trees))
    log.info("reviewed beats", recordings=len(found), beats=sum(len(beats) for beats in found))
    return found


def _copy_if_there(settings: Settings, staged_path: str) -> Path | None:
    try:
        return copy_of(settings, staged_path)
    except (CopyDamaged, MachineError):
        return None


def _told(reviewed: Reviewed) -> tuple[BeatTable, npt.NDArray[np.int8]]:
    """Give the beats that stand and the class of those that a reader spoke of; -1 elsewhere: rhythm without a label."""
    beats = reviewed.result.beats
    told = np.isin(beats.r_time_s, [change.r_time_s for change in reviewed.changes])
    return beats, np.where(told, beats.class_index, -1).astype(np.int8)
