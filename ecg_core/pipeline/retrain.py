"""The nightly retraining: challengers are trained, calibrated, judged on patients of the deciding set, and gated.

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
import structlog

from ecg_core.datasets import physionet, qtdb
from ecg_core.datasets.annotated import LabelledRecording
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import DECIDING, TEST, TRAINING
from ecg_core.errors import DatasetUnavailable, PatientLeak
from ecg_core.files import file_sha256
from ecg_core.formats import read_recording
from ecg_core.models import LoadedModel, load_model
from ecg_core.pipeline import examining
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.versions import scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows
from ecg_core.store import read_result, reviews
from ecg_core.training import (
    Limits,
    TrainingBeats,
    TrainingOptions,
    deciding_set,
    gate,
    join_beats,
    prepare_labelled,
    prepare_records,
    records_there,
    train_family,
    training_set,
    training_source,
)
from ecg_core.training import assemble as assemble_version
from ecg_core.training.train import Family

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


def prepare(settings: Settings, database: str) -> str:
    """Fill the cache of prepared beats; the path of the database's folder, which finds them by content.

    Raises
    ------
    PatientLeak
        A training record has the content of a held-out one, whatever its name.
    """
    _check_contents(Path(database))
    training = training_beats(settings, database)
    held_back = _held_back_beats(settings, database, training.patients())
    for beats in (training, held_back, _in_noise(settings, database)):
        log.info("beats prepared", records=len(beats.records()), patients=len(beats.patients()), beats=len(beats))
    return database


def train(settings: Settings, family: Family, prepared: str, run_id: str) -> str:
    """Train one family on the training patients; the path of its component folder."""
    folder = _run_dir(settings, run_id)
    options = TrainingOptions(settings.imbalance, settings.retrain_epochs, settings.seed, settings.learning_rate)
    return str(train_family(family, training_beats(settings, prepared), options, folder))


def assemble(settings: Settings, components: list[str], prepared: str, run_id: str) -> str:
    """Calibrate the components and write them as one model version, the challenger; its name."""
    noted = _run_dir(settings, run_id) / "challenger.txt"
    if noted.exists():
        return noted.read_text()
    training = training_beats(settings, prepared)
    version = assemble_version(
        [Path(component) for component in components],
        training,
        {"deciding": _held_back_beats(settings, prepared, training.patients())},
        training_source(_folders(settings, prepared)),
        settings.models_dir,
        examine=lambda model: examining.measure(settings, model, Path(prepared), "deciding", quick=True),
    )
    noted.write_text(version)
    return version


def evaluate(settings: Settings, version: str, prepared: str, run_id: str) -> dict[str, object]:
    """Judge the challenger against the champion on the deciding set (`ecg_core.training.deciding`).

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
    held_back = _held_back_beats(settings, prepared, trained)
    beats = deciding_set(models[0], models[1], held_back, _in_noise(settings, prepared))
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


def training_beats(settings: Settings, database: str) -> TrainingBeats:
    """Prepare all that a retraining learns from, or take it from the cache; `database` is what `fetch` gave."""
    prepared = training_set(_folders(settings, database), settings.models_dir / ".prepared")
    return with_reviewed(settings, prepared, Path(database))


def _folders(settings: Settings, database: str) -> dict[str, Path]:
    """Return the folders of the training databases that are at hand."""
    further = {name: settings.datasets_dir / name / DATABASES[name].version for name in settings.further_training_data}
    return {
        DATABASE: Path(database),
        **{name: folder for name, folder in further.items() if any(folder.rglob("*.hea"))},
    }


def _held_back_beats(settings: Settings, database: str, trained: Collection[str]) -> TrainingBeats:
    """Beats of MIT-BIH's deciding part, and of the QT Database's patients that were not trained on.

    As scoring sees them: where the detector finds them, on the lead that scoring would take.
    """
    folder, cache = Path(database), settings.models_dir / ".prepared"
    parts = [prepare_records(folder, records_there(folder, DECIDING), "detected", cache)]
    others = settings.datasets_dir / qtdb.DATABASE / physionet.DATABASES[qtdb.DATABASE].version
    records = [r for r in qtdb.TRAINING if qtdb.PATIENT_OF[r] not in trained and (others / f"{r}.atr").is_file()]
    if records:
        parts.append(prepare_records(others, records, "detected", cache))
    return join_beats(parts)


def _in_noise(settings: Settings, database: str) -> TrainingBeats:
    """Beats of MIT-BIH's deciding part in noise, with what the detector takes for beats there."""
    folder = Path(database)
    return prepare_records(folder, records_there(folder, DECIDING), "noise", settings.models_dir / ".prepared")


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


def _model(settings: Settings, version: str) -> LoadedModel:
    return load_model(version, settings.models_dir)


def _run_dir(settings: Settings, run_id: str) -> Path:
    """Folder of one run; Airflow's run ids hold colons and pluses."""
    folder = settings.models_dir / ".runs" / re.sub(r"[^A-Za-z0-9._-]", "_", run_id)
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
    return join_beats([training, *reviewed_beats(settings, held_out_ids(settings, database))])


def held_out_ids(settings: Settings, database: Path) -> set[str]:
    """Identify the records that a promotion or the README's figures are judged on, by content."""
    headers = [database / f"{record}.hea" for record in (*DECIDING, *TEST)]
    there = [header for header in headers if header.is_file() and header.with_suffix(".dat").is_file()]
    return {read_recording(header, settings.pseudonym_secret()).recording_id for header in there}


def reviewed_beats(settings: Settings, held_out: Collection[str] = ()) -> Sequence[TrainingBeats]:
    """Prepare the beats that signed answers gave a class, those alone, on every lead of their recording.

    Recordings in `held_out`, generated ones, and those whose file is gone are left out.
    """
    found: list[TrainingBeats] = []
    with store_engine(settings).connect() as connection:
        for reading_id, scoring_run_id, staged_path in reviews.corrected_readings(connection):
            result = read_result.read_result(connection, scoring_run_id, with_signal=False)
            facts, path = result.recording, settings.recordings_dir / staged_path
            if facts.recording_id in held_out or facts.synthetic or not path.is_file():
                log.info("review left out of training", recording_id=facts.recording_id, synthetic=facts.synthetic)
                continue
            classes, told = reviews.corrected_classes(result.beats, reviews.read_reviews(connection, reading_id))
            # -1: part of the rhythm around a corrected beat, but without a label.
            labels = np.full(len(result.beats), -1, np.int8)
            labels[told] = classes[told]
            recording = read_recording(path, settings.pseudonym_secret(), facts.recording_id)
            name = f"reviewed-{facts.recording_id[:16]}"
            patient = facts.patient_pseudonym or f"patient-of-{name}"
            labelled = LabelledRecording(name, patient, recording, result.beats.r_sample, labels)
            found.append(prepare_labelled(labelled, "training"))
    log.info("reviewed beats", recordings=len(found), beats=sum(len(beats) for beats in found))
    return found
