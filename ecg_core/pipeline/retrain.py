"""The nightly retraining: challengers are trained, calibrated, judged on patients of the deciding set, and gated.

Each step leaves its outcome in a folder of the run, so that a retried step finds what is done. A champion is never
replaced by a version that is worse within the stated margins, and the reason stands in Postgres either way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from ecg_core.datasets import physionet
from ecg_core.datasets.mitdb import DECIDING, TRAINING
from ecg_core.errors import DatasetUnavailable
from ecg_core.models import (
    Figures,
    LoadedModel,
    TrainingBeats,
    TrainingOptions,
    TrainingSource,
    gate,
    load_model,
    prepare_records,
    train_family,
)
from ecg_core.models import assemble as assemble_version
from ecg_core.models import evaluate as evaluate_version
from ecg_core.models.train import Family
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.reviewed import with_reviewed
from ecg_core.pipeline.versions import scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows

log = structlog.get_logger(__name__)

DATABASE: Final = "mitdb"
SUFFIXES: Final = ("hea", "dat", "atr")


def fetch(settings: Settings) -> str:
    """Bring what is missing or changed of the training database; the path of its folder.

    Raises
    ------
    DatasetUnavailable
        Neither network nor folder answers.
    ChecksumMismatch
        A file is not the published one.
    """
    fetched = physionet.fetch(DATABASE, settings.physionet_base, settings.datasets_dir)
    log.info("training data", database=DATABASE, files=fetched.n_files, skipped=len(fetched.skipped))
    return str(fetched.path)


def prepare(settings: Settings, database: str) -> str:
    """Fill the cache of prepared beats; the path of the database's folder, which finds them by content."""
    for beats in (_training_beats(settings, database), _deciding_beats(settings, database)):
        log.info("beats prepared", records=len(beats.records()), patients=len(beats.patients()), beats=len(beats))
    return database


def train(settings: Settings, family: Family, prepared: str, run_id: str) -> str:
    """Train one family on the training patients; the path of its component folder."""
    folder = _run_dir(settings, run_id)
    options = TrainingOptions(settings.imbalance, settings.retrain_epochs, settings.seed, settings.learning_rate)
    return str(train_family(family, _training_beats(settings, prepared), options, folder))


def assemble(settings: Settings, components: list[str], prepared: str, run_id: str) -> str:
    """Calibrate the components and write them as one model version, the challenger; its name."""
    noted = _run_dir(settings, run_id) / "challenger.txt"
    if noted.exists():
        return noted.read_text()
    version = assemble_version(
        [Path(component) for component in components],
        _training_beats(settings, prepared),
        {"deciding": _deciding_beats(settings, prepared)},
        _source(Path(prepared)),
        settings.models_dir,
    )
    noted.write_text(version)
    return version


def evaluate(settings: Settings, version: str, prepared: str, run_id: str) -> dict[str, float]:
    """Measure challenger and champion on the same deciding beats.

    Returns
    -------
    dict of str to float
        ``challenger`` and ``champion``: macro F1 of each. All figures go into the run's folder, for `decide`.
    """
    beats = _deciding_beats(settings, prepared)
    champion = scoring_version(settings)
    figures = {name: evaluate_version(_model(settings, name), beats) for name in {version, champion}}
    document = {"champion": champion, "challenger": version, "figures": figures}
    (_run_dir(settings, run_id) / "figures.json").write_text(json.dumps(document, indent=1))
    return {"challenger": figures[version]["macro_f1"], "champion": figures[champion]["macro_f1"]}


def decide(settings: Settings, version: str, run_id: str) -> dict[str, object]:
    """Promote the challenger or keep the champion, and write which and why to Postgres.

    Returns
    -------
    dict
        ``promoted`` (bool) and ``reason`` (a sentence with the figures).
    """
    document = json.loads((_run_dir(settings, run_id) / "figures.json").read_text())
    figures: dict[str, Figures] = document["figures"]
    champion: str = document["champion"]
    verdict = gate(figures[champion], figures[version], settings.gate_macro_f1_margin, settings.gate_recall_margin)
    model = _model(settings, version)
    with store_engine(settings).begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        model_rows.record_training_run(
            connection,
            run_id=run_id,
            challenger=version,
            champion=champion,
            figures=figures,
            promoted=verdict.promote,
            reason=verdict.reason,
        )
    log.info("gate", challenger=version, champion=champion, promoted=verdict.promote, reason=verdict.reason)
    return {"promoted": verdict.promote, "reason": verdict.reason}


def _training_beats(settings: Settings, database: str) -> TrainingBeats:
    folder = Path(database)
    prepared = prepare_records(folder, _there(folder, TRAINING), "training", settings.models_dir / ".prepared")
    return with_reviewed(settings, prepared, folder)


def _deciding_beats(settings: Settings, database: str) -> TrainingBeats:
    # As scoring sees them: where the detector finds them, on the lead that scoring would take.
    folder = Path(database)
    return prepare_records(folder, _there(folder, DECIDING), "detected", settings.models_dir / ".prepared")


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
