"""The task ``beats``: how its versions are trained, written and judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import structlog

from ecg_core.beats import Trees
from ecg_core.datasets import qtdb
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import DECIDING, HELD_BACK, TEST, TRAINING
from ecg_core.errors import PatientLeak
from ecg_core.files import file_sha256
from ecg_core.models import load_model, with_version
from ecg_core.training.assembling import assemble
from ecg_core.training.beats import TrainingBeats, join_beats
from ecg_core.training.deciding import deciding_set
from ecg_core.training.gate import Verdict, gate
from ecg_core.training.prepare import prepare_records
from ecg_core.training.sets import records_there, training_set, training_source
from ecg_core.training.train import FAMILIES, Family, TrainingOptions, train_family
from ecg_core.training.work import FIRST, TrainedTask, Work

DATABASE: Final = "mitdb"
log = structlog.get_logger(__name__)


def training_beats(work: Work) -> TrainingBeats:
    """Prepare all that a retraining learns from, or take it from the cache."""
    return work.with_reviewed(training_set(work.folders, work.cache_dir, work.trees))


def _prepare(work: Work) -> None:
    """Fill the cache of prepared beats.

    Raises
    ------
    PatientLeak
        A training record has the content of a held-out one, whatever its name.
    """
    check_contents(work.folders[DATABASE])
    training = training_beats(work)
    held_back = _held_back(work, training.patients(), work.trees)
    for beats in (training, held_back, _in_noise(work, work.trees)):
        log.info("beats prepared", records=len(beats.records()), patients=len(beats.patients()), beats=len(beats))


def _train(work: Work, family: str) -> Path:
    settings = work.settings
    options = TrainingOptions(settings.imbalance, settings.retrain_epochs, settings.seed, settings.learning_rate)
    return train_family(cast(Family, family), training_beats(work), options, work.run_dir)


def _assemble(work: Work, components: Sequence[Path]) -> str:
    training = training_beats(work)
    measured_on = {"deciding": _held_back(work, training.patients(), work.trees)}
    source = training_source(work.folders)
    return assemble(components, training, measured_on, source, work.settings.models_dir, examine=work.examine)


def _judge(work: Work, champion: str | None, challenger: str) -> Verdict:
    """Judge on the deciding set; each version is asked with the features that rest on the trees it learned with.

    Raises
    ------
    PatientLeak
        A version was trained on a patient of the deciding or the test set.
    """
    if champion is None:
        return FIRST
    models = [load_model(version, with_version(work.settings, version)) for version in (champion, challenger)]
    trained = models[1].manifest["training_data"]["patients"]
    was, now = ((_held_back(work, trained, model.trees), _in_noise(work, model.trees)) for model in models)
    beats = deciding_set(models[0], models[1], *now, as_champion=was)
    verdict = gate(beats.class_index, beats.patient, beats.champion, beats.challenger, work.limits)
    patients = {"held_back": list(beats.held_back), "out_of_fold": list(beats.out_of_fold)}
    return replace(verdict, figures={**verdict.figures, "patients": patients})


def _held_back(work: Work, trained: Collection[str], trees: Trees) -> TrainingBeats:
    """Beats of the deciding patients, and of the QT Database's patients that were not trained on.

    As scoring sees them: where the detector finds them, on the lead that scoring would take.
    """
    parts = [
        prepare_records(
            work.folders[name], records_there(work.folders[name], records), "detected", work.cache_dir, trees
        )
        for name, records in HELD_BACK.items()
        if name in work.folders
    ]
    others = work.settings.datasets_dir / qtdb.DATABASE / DATABASES[qtdb.DATABASE].version
    records = [r for r in qtdb.TRAINING if qtdb.PATIENT_OF[r] not in trained and (others / f"{r}.atr").is_file()]
    if records:
        parts.append(prepare_records(others, records, "detected", work.cache_dir, trees))
    return join_beats(parts)


def _in_noise(work: Work, trees: Trees) -> TrainingBeats:
    """Beats of MIT-BIH's deciding part in noise, with what the detector takes for beats there."""
    folder = work.folders[DATABASE]
    return prepare_records(folder, records_there(folder, DECIDING), "noise", work.cache_dir, trees)


def check_contents(folder: Path) -> None:
    """Raise where a held-out record lies under a training record's name."""
    there = {path.stem: file_sha256(path) for path in folder.glob("*.dat")}
    held_out = {there[record]: record for record in (*DECIDING, *TEST) if record in there}
    for record in TRAINING:
        if there.get(record) in held_out:
            raise PatientLeak(
                f"Training record {record} has the signal of record {held_out[there[record]]}, which is held out.",
                f"Fetch {record} again: ecg fetch {DATABASE}.",
            )


TRAINED: Final = TrainedTask(
    families=FAMILIES,
    databases=(DATABASE,),
    writes=("scoring_run", "beat", "attribution", "shapley", "chosen_beat", "rhythm_episode", "hourly"),
    prepare=_prepare,
    train=_train,
    assemble=_assemble,
    judge=_judge,
)
