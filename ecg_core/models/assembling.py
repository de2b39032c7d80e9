"""From trained components to a model version: calibrated, measured, described, and written once."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

import ecg_core
from ecg_core.beats import CONTEXT_NAMES
from ecg_core.errors import DatasetError
from ecg_core.labels import CLASSES
from ecg_core.models.calibration import fit_temperature
from ecg_core.models.evaluation import evaluate
from ecg_core.models.loading import MANIFEST, LoadedModel, content_id, file_sha256
from ecg_core.models.train import HELD_OUT
from ecg_core.models.training_beats import TrainingBeats

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
    "Unclassifiable beats (Q) are practically never named as such.",
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Where training beats came from: the database in words, and the SHA-256 of what was read of it."""

    sentence: str
    sha256: str


def assemble(
    components: Sequence[Path],
    training: TrainingBeats,
    measured_on: Mapping[str, TrainingBeats],
    source: TrainingSource,
    models_dir: Path,
    limits: Sequence[str] = LIMITS,
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

    Returns
    -------
    str
        The version's name, for instance ``cnn-20261121-1a2b3c4d``.

    Raises
    ------
    DatasetError
        A component is missing, or was trained on other records than these.
    PatientLeak
        A patient of `measured_on` was trained on.
    """
    facts = _component_facts(components, training)
    models_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
    try:
        for component in components:
            for suffix in ("keras", "onnx"):
                shutil.copyfile(component / f"{component.name}.{suffix}", folder / f"{component.name}.{suffix}")
        _write_background(training, facts["cnn"]["seed"], folder / "background.npz")
        manifest = _manifest(facts, training, source, limits, folder)
        manifest |= _calibration(components)
        model = LoadedModel(folder, manifest)
        manifest["figures"] = {name: evaluate(model, beats) for name, beats in measured_on.items()}
        manifest["version"] = f"cnn-{manifest['created_at'][:10].replace('-', '')}-{content_id(manifest)}"
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        folder.chmod(0o755)
        folder.rename(models_dir / manifest["version"])
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _log.info("model version written", version=manifest["version"])
    return str(manifest["version"])


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
        "family": "cnn",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": ecg_core.__version__,
        "classes": list(CLASSES),
        "context_names": list(CONTEXT_NAMES),
        "components": facts,
        "training_data": {
            "sentences": [sentence],
            "sha256": source.sha256,
            "records": training.records(),
            "patients": training.patients(),
        },
        "figures": {},
        "limits": list(limits),
        "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
    }


def _calibration(components: Sequence[Path]) -> dict[str, Any]:
    """Set what the patients held out in turn decide."""
    said = {}
    for component in components:
        with np.load(component / HELD_OUT, allow_pickle=False) as stored:
            said[component.name] = stored["answer"], stored["class_index"]
    errors, class_index = said["autoencoder"]
    normal = errors[class_index == 0]
    return {
        "calibration": {"method": "temperature", "temperature": fit_temperature(*said["cnn"])},
        "deviation": {"log_error_mean": float(normal.mean()), "log_error_sd": float(normal.std())},
    }


def _write_background(training: TrainingBeats, seed: int, path: Path) -> None:
    random = np.random.default_rng(seed)
    each = BACKGROUND_BEATS // len(CLASSES)
    rows = [random.permutation(np.flatnonzero(training.class_index == c))[:each] for c in range(len(CLASSES))]
    chosen = np.sort(np.concatenate(rows))
    # Half precision is finer than the recorder's steps, and half the size.
    np.savez_compressed(path, waveform=training.waveform[chosen].astype(np.float16), context=training.context[chosen])
