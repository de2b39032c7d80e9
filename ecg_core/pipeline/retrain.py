"""The nightly retraining: challengers are trained, calibrated, judged on patients of the deciding set, and gated.

Each step leaves its outcome in a folder of the run, so that a retried step finds what is done. A champion is never
replaced by a version that is worse within the stated margins, and the reason stands in Postgres either way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from ecg_core.datasets import physionet, qtdb
from ecg_core.datasets.mitdb import DECIDING, TEST, TRAINING
from ecg_core.errors import DatasetUnavailable, PatientLeak
from ecg_core.models import (
    Limits,
    LoadedModel,
    TrainingBeats,
    TrainingOptions,
    TrainingSource,
    deciding_set,
    gate,
    join_beats,
    load_model,
    prepare_records,
    train_family,
)
from ecg_core.models import assemble as assemble_version
from ecg_core.models.loading import file_sha256
from ecg_core.models.train import Family
from ecg_core.pipeline import explanation_benchmark
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.reviewed import with_reviewed
from ecg_core.pipeline.versions import scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows

log = structlog.get_logger(__name__)

DATABASE: Final = "mitdb"
SUFFIXES: Final = ("hea", "dat", "atr")


class Answer(NamedTuple):
    """What a person said to a promotion; `by` is None where nobody did."""

    approved: bool
    by: str | None


def fetch(settings: Settings) -> str:
    """Bring what is missing or changed of the databases; the path of MIT-BIH's folder.

    The QT Database gives more patients to decide on; without it the decision rests on MIT-BIH's alone.

    Raises
    ------
    DatasetUnavailable
        Neither network nor folder has MIT-BIH.
    ChecksumMismatch
        A file is not the published one.
    """
    fetched = physionet.fetch(DATABASE, settings.physionet_base, settings.datasets_dir)
    log.info("training data", database=DATABASE, files=fetched.n_files, skipped=len(fetched.skipped))
    try:
        physionet.fetch(qtdb.DATABASE, settings.physionet_base, settings.datasets_dir)
    except DatasetUnavailable as error:
        log.warning("database not there, left out", database=qtdb.DATABASE, reason=str(error))
    return str(fetched.path)


def prepare(settings: Settings, database: str) -> str:
    """Fill the cache of prepared beats; the path of the database's folder, which finds them by content.

    Raises
    ------
    PatientLeak
        A training record has the content of a held-out one, whatever its name.
    """
    _check_contents(Path(database))
    training = _training_beats(settings, database)
    for beats in (training, _held_back_beats(settings, database, training.patients())):
        log.info("beats prepared", records=len(beats.records()), patients=len(beats.patients()), beats=len(beats))
    return database


def train(settings: Settings, family: Family, prepared: str, run_id: str) -> str:
    """Train one family on the training patients; the path of its component folder."""
    folder = _run_dir(settings, run_id)
    options = TrainingOptions(imbalance=settings.imbalance, epochs=settings.retrain_epochs, seed=settings.seed)
    return str(train_family(family, _training_beats(settings, prepared), options, folder))


def assemble(settings: Settings, components: list[str], prepared: str, run_id: str) -> str:
    """Calibrate the components and write them as one model version, the challenger; its name."""
    noted = _run_dir(settings, run_id) / "challenger.txt"
    if noted.exists():
        return noted.read_text()
    training = _training_beats(settings, prepared)
    version = assemble_version(
        [Path(component) for component in components],
        training,
        {"deciding": _held_back_beats(settings, prepared, training.patients())},
        _source(Path(prepared)),
        settings.models_dir,
        examine=lambda model: explanation_benchmark.measure(settings, model, Path(prepared), "deciding", quick=True),
    )
    noted.write_text(version)
    return version


def evaluate(settings: Settings, version: str, prepared: str, run_id: str) -> dict[str, object]:
    """Judge the challenger against the champion on the deciding set (`ecg_core.models.deciding`).

    Returns
    -------
    dict
        ``promote`` (bool) and ``reason`` (a sentence with the figures): what `gate` says. With the figures it goes into
        the run's folder, for `decide`.

    Raises
    ------
    PatientLeak
        A version was trained on a patient of the deciding or the test set.
    """
    champion = scoring_version(settings)
    models = [_model(settings, name) for name in (champion, version)]
    trained = models[1].manifest["training_data"]["patients"]
    beats = deciding_set(models[0], models[1], _held_back_beats(settings, prepared, trained))
    limits = Limits(
        settings.gate_macro_f1_margin,
        settings.gate_recall_margin,
        settings.gate_recall_floors,
        settings.gate_ece_margin,
        settings.gate_ms_per_beat,
    )
    verdict = gate(beats.class_index, beats.patient, beats.champion, beats.challenger, limits)
    told = {"promote": verdict.promote, "reason": verdict.reason}
    patients = {"held_back": list(beats.held_back), "out_of_fold": list(beats.out_of_fold)}
    document = {"champion": champion, **told, "figures": {**verdict.figures, "patients": patients}}
    (_run_dir(settings, run_id) / "verdict.json").write_text(json.dumps(document, indent=1))
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
    document = json.loads((_run_dir(settings, run_id) / "verdict.json").read_text())
    promoted, reason = bool(document["promote"]), str(document["reason"])
    if promoted and settings.approve_promotion:
        promoted = answer is not None and answer.approved
        reason = f"{_said(settings, answer)} The gate: {reason}"
    model = _model(settings, version)
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
    log.info("gate", challenger=version, champion=document["champion"], promoted=promoted, reason=reason)
    return {"promoted": promoted, "reason": reason}


def _said(settings: Settings, answer: Answer | None) -> str:
    if answer is None or answer.by is None:
        return f"Kept the champion: nobody answered within {settings.approval_hours:g} h, and silence means no."
    return (
        f"Promoted with the approval of {answer.by}." if answer.approved else f"Kept the champion: {answer.by} said no."
    )


def _training_beats(settings: Settings, database: str) -> TrainingBeats:
    folder = Path(database)
    prepared = prepare_records(folder, _there(folder, TRAINING), "training", settings.models_dir / ".prepared")
    return with_reviewed(settings, prepared, folder)


def _held_back_beats(settings: Settings, database: str, trained: Collection[str]) -> TrainingBeats:
    """Beats of MIT-BIH's deciding part, and of the QT Database's patients that were not trained on.

    As scoring sees them: where the detector finds them, on the lead that scoring would take.
    """
    folder, cache = Path(database), settings.models_dir / ".prepared"
    parts = [prepare_records(folder, _there(folder, DECIDING), "detected", cache)]
    others = settings.datasets_dir / qtdb.DATABASE / physionet.DATABASES[qtdb.DATABASE].version
    records = [r for r in qtdb.TRAINING if qtdb.PATIENT_OF[r] not in trained and (others / f"{r}.atr").is_file()]
    if records:
        parts.append(prepare_records(others, records, "detected", cache))
    return join_beats(parts)


def _check_contents(folder: Path) -> None:
    """Raise where a held-out record lies under a training record's name."""
    there = {path.stem: file_sha256(path) for path in folder.glob("*.dat")}
    held_out = {there[record]: record for record in (*DECIDING, *TEST) if record in there}
    for record in TRAINING:
        if there.get(record) in held_out:
            raise PatientLeak(
                f"Training record {record} has the signal of record {held_out[there[record]]}, which is held out.",
                f"Fetch {record} again: ecg fetch {DATABASE}.",
            )


def _there(folder: Path, records: Sequence[str]) -> list[str]:
    """Return the records that the base had; the manifest names those that were used."""
    there = [r for r in records if all((folder / f"{r}.{suffix}").is_file() for suffix in SUFFIXES)]
    if len(there) < len(records):
        log.warning("records not there, skipped", records=sorted(set(records) - set(there)))
    if not there:
        raise DatasetUnavailable(
            f"None of the records {', '.join(records)} is in {folder}.",
            "Set ECG_PHYSIONET_BASE to a base that has them.",
        )
    return there


def _source(folder: Path) -> TrainingSource:
    """Name the database, with one hash over the files that were trained on."""
    digest = hashlib.sha256()
    for record in _there(folder, TRAINING):
        for suffix in SUFFIXES:
            digest.update((folder / f"{record}.{suffix}").read_bytes())
    return TrainingSource(f"MIT-BIH Arrhythmia Database {folder.name}", digest.hexdigest())


def _model(settings: Settings, version: str) -> LoadedModel:
    return load_model(version, settings.models_dir)


def _run_dir(settings: Settings, run_id: str) -> Path:
    """Folder of one run; Airflow's run ids hold colons and pluses."""
    folder = settings.models_dir / ".runs" / re.sub(r"[^A-Za-z0-9._-]", "_", run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
