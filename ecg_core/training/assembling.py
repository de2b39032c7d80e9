"""From trained components to a model version: calibrated, measured, described, and written once."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

import ecg_core
from ecg_core.beats import CONTEXT_NAMES, Trees
from ecg_core.beats.fibrillation import TREES_FILE
from ecg_core.errors import DatasetError
from ecg_core.files import file_sha256
from ecg_core.labels import CLASSES
from ecg_core.models.calibration import fit_temperature, softmax
from ecg_core.models.conformal import fit_conformal
from ecg_core.models.deviation import fit_yardstick, recordings_of
from ecg_core.models.version import BEATS, LoadedModel, seal
from ecg_core.recording import FloatArray
from ecg_core.training.beats import TrainingBeats
from ecg_core.training.deciding import OUT_OF_FOLD, write_out_of_fold
from ecg_core.training.figures import evaluate
from ecg_core.training.train import HELD_OUT

BACKGROUND_BEATS: Final = 100
"""Beats that SHAP compares with, at most a fifth of each class."""
LIMITS: Final = (
    "For research use, not for diagnosis; no regulator has cleared it.",
    "Learned from the annotated beats of few patients, nearly all in Holter recordings of two leads.",
    "Every beat's shape is seen on one lead; its comparison with the recording's other beats is made on two if it can.",
    "Fusion beats (F) are rarely recognised: nearly all of those learned from come from one patient.",
    "Supraventricular ectopic beats (S) are overcalled in strong respiratory sinus arrhythmia, and missed or "
    "overcalled in atrial fibrillation and flutter, where their prematurity cannot be told from the rhythm.",
    "Paced beats were not learned: recordings of patients with pacemakers will be misread.",
    "Q means for the most part that noise was taken for a beat; a true beat in noise may be called Q, and beats that a "
    "reader would find unclassifiable are practically never named so.",
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Where training beats came from: the databases in words, and the SHA-256 of what was read of each."""

    sentence: str
    databases: Mapping[str, str]


def assemble(
    components: Sequence[Path],
    training: TrainingBeats,
    measured_on: Mapping[str, TrainingBeats],
    source: TrainingSource,
    models_dir: Path,
    limits: Sequence[str] = LIMITS,
    examine: Callable[[LoadedModel], dict[str, Any]] | None = None,
) -> str:
    """Make a version out of a ``cnn`` and an ``autoencoder`` component.

    Temperature and the deviation's normal figures are set on what training said of patients it held out in turn; they
    are never taken from `measured_on`.

    Parameters
    ----------
    components : sequence of Path
        From `train_family`, one of each family.
    training : TrainingBeats
        The beats that both were trained on.
    measured_on : mapping of str to TrainingBeats
        Figures by name of the set, for instance ``{"deciding": …}``.
    source : TrainingSource
    models_dir : Path
        Gets the folder ``<version>``, written under a temporary name and renamed.
    limits : sequence of str
        Sentences for the clinician.
    examine : callable, optional
        Tests the explanations of the version before it is sealed; what it gives stands in the manifest under
        ``explanations``. A callable, because this room knows nothing of explaining.

    Returns
    -------
    str
        The version's name, for instance ``cnn-20261121-1a2b3c4d``.

    Raises
    ------
    DatasetError
        A component is missing, or was trained on other records than these; or the beats do not say by which trees
        their probability of fibrillation was told.
    PatientLeak
        A patient of `measured_on` was trained on.
    """
    n_in_noise, training = int(training.in_noise.sum()), training.without_noise()
    facts = _component_facts(components, training)
    models_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
    try:
        for component in components:
            for suffix in ("keras", "onnx"):
                shutil.copyfile(component / f"{component.name}.{suffix}", folder / f"{component.name}.{suffix}")
        _write_background(training, facts["cnn"]["seed"], folder / "background.npz")
        _write_out_of_fold(components, training, folder / OUT_OF_FOLD)
        (folder / TREES_FILE).write_bytes(_trees(training).to_bytes())
        manifest = _manifest(facts, training, source, limits, folder)
        if n_in_noise:
            in_noise = f"Beside them {n_in_noise} beats, true and false, of MIT-BIH's recordings in noise"
            manifest["training_data"]["sentences"].append(in_noise)
        manifest |= _calibration(components, training)
        model = LoadedModel(folder, manifest)
        manifest["figures"] = {name: evaluate(model, beats) for name, beats in measured_on.items()}
        if examine is not None:
            manifest["explanations"] = examine(LoadedModel(folder, {**manifest, "version": "unsealed"}))
        version = seal(folder, manifest, models_dir)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _log.info("model version written", version=version)
    return version


def _trees(training: TrainingBeats) -> Trees:
    if training.trees is None:
        raise DatasetError(
            "These beats do not say by which trees their probability of fibrillation was told.",
            "Prepare them by `ecg_core.training.prepare_records`.",
        )
    return training.trees


def _component_facts(components: Sequence[Path], training: TrainingBeats) -> dict[str, dict[str, Any]]:
    facts = {path.name: json.loads((path / "component.json").read_text()) for path in components}
    if set(facts) != {"cnn", "autoencoder"}:
        raise DatasetError(f"A version needs a cnn and an autoencoder, not {sorted(facts)}.", "Train what is missing.")
    for family, of_family in facts.items():
        if of_family["records"] != training.records():
            raise DatasetError(f"The {family} was trained on other records than those given.", "Give the same beats.")
    return facts


def _manifest(
    facts: dict[str, dict[str, Any]],
    training: TrainingBeats,
    source: TrainingSource,
    limits: Sequence[str],
    folder: Path,
) -> dict[str, Any]:
    counts = np.bincount(training.class_index, minlength=len(CLASSES))
    in_words = ", ".join(f"{c} {n}" for c, n in zip(CLASSES, counts, strict=True))
    sentence = (
        f"{source.sentence}: {len(training.patients())} patients, {len(training)} beats over all leads ({in_words})"
    )
    return {
        "task": BEATS,
        "family": "cnn",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": ecg_core.__version__,
        "classes": list(CLASSES),
        "context_names": list(CONTEXT_NAMES),
        "components": facts,
        "training_data": {
            "sentences": [sentence],
            "databases": dict(source.databases),
            "records": training.records(),
            "patients": training.patients(),
        },
        "figures": {},
        "limits": list(limits),
        "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
    }


def _calibration(components: Sequence[Path], training: TrainingBeats) -> dict[str, Any]:
    """Set what the patients held out in turn decide."""
    said = {}
    for component in components:
        with np.load(component / HELD_OUT, allow_pickle=False) as stored:
            said[component.name] = stored["answer"], stored["class_index"]
    leftover, class_index = said["autoencoder"]
    yardstick = fit_yardstick(leftover, training.context, recordings_of(training.waveform), class_index == 0)
    logits, class_index = said["cnn"]
    temperature = fit_temperature(logits, class_index)
    return {
        "calibration": {"method": "temperature", "temperature": temperature},
        "conformal": _conformal(softmax(logits, temperature), class_index, training.patient),
        "deviation": yardstick.as_json(),
    }


def _conformal(
    probabilities: FloatArray, class_index: npt.NDArray[np.int8], patient: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """Fit prediction sets on the patients of MIT-BIH alone, where there are any.

    Their beats were annotated one by one, and they have the arrhythmias that sets are for. Patients of other databases
    are more, and mostly in sinus rhythm: each counting as much, they would promise a coverage that holds for the easy.
    """
    of_mitdb = np.char.startswith(patient, "mitdb-")
    rows = of_mitdb if np.unique(patient[of_mitdb]).size > 1 else np.ones(patient.size, dtype=np.bool_)
    return fit_conformal(probabilities[rows], class_index[rows], patient[rows])


def _write_out_of_fold(components: Sequence[Path], training: TrainingBeats, path: Path) -> None:
    """Keep what a later promotion compares with: see `ecg_core.training.deciding`."""
    classifier = next(component for component in components if component.name == "cnn")
    with np.load(classifier / HELD_OUT, allow_pickle=False) as stored:
        write_out_of_fold(stored["answer"], training, path)


def _write_background(training: TrainingBeats, seed: int, path: Path) -> None:
    random = np.random.default_rng(seed)
    each = BACKGROUND_BEATS // len(CLASSES)
    rows = [random.permutation(np.flatnonzero(training.class_index == c))[:each] for c in range(len(CLASSES))]
    chosen = np.sort(np.concatenate(rows))
    # Half precision is finer than the recorder's steps, and half the size.
    np.savez_compressed(path, waveform=training.waveform[chosen].astype(np.float16), context=training.context[chosen])
