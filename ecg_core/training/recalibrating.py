"""The same weights with probabilities and prediction sets set anew, also on patients that nothing learned from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ecg_core.errors import DatasetError, PatientLeak
from ecg_core.models.calibration import fit_temperature, softmax
from ecg_core.models.conformal import fit_conformal
from ecg_core.models.version import LoadedModel, seal
from ecg_core.training.beats import TrainingBeats
from ecg_core.training.deciding import annotated_patients, read_out_of_fold
from ecg_core.training.figures import evaluate


def recalibrate(
    model: LoadedModel,
    unseen: TrainingBeats,
    measured_on: Mapping[str, TrainingBeats],
    sentence: str,
    models_dir: Path,
) -> str:
    """Make a version of the same weights whose temperature and thresholds rest on more patients.

    Parameters
    ----------
    model : LoadedModel
    unseen : TrainingBeats
        Annotated beats of patients that the model was not trained on, as scoring finds them. They join what the version
        kept of its training patients held out in turn.
    measured_on : mapping of str to TrainingBeats
        Figures by name of the set; none of their patients is in `unseen`.
    sentence : str
        What `unseen` is, for the card.
    models_dir : Path

    Returns
    -------
    str
        The version's name; its manifest names the parent.

    Raises
    ------
    PatientLeak
        A patient of `unseen` was trained on, or is measured on.
    DatasetError
        The model is from before versions kept what they said of patients held out.
    """
    taken = {*model.manifest["training_data"]["patients"], *(p for b in measured_on.values() for p in b.patients())}
    if leaked := sorted(taken & set(unseen.patients())):
        raise PatientLeak(f"{', '.join(leaked)}: trained on, or measured on.", "Calibrate on other patients.")
    kept = read_out_of_fold(model)
    if kept is None:
        raise DatasetError(f"{model.version} kept nothing of patients held out.", "Train a version anew: ecg retrain.")
    rows = np.isin(kept.patient, sorted(annotated_patients()))
    logits = np.concatenate([kept.logits[rows], model.logits(unseen.waveform, unseen.context)])
    class_index = np.concatenate([kept.class_index[rows], unseen.class_index])
    patient = np.concatenate([kept.patient[rows], unseen.patient])
    temperature = fit_temperature(logits, class_index)
    manifest = {
        **model.manifest,
        "parent": model.version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "calibration": {"method": "temperature", "temperature": temperature, "also_on": sentence},
        "conformal": fit_conformal(softmax(logits, temperature), class_index, patient),
    }
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=models_dir))
    try:
        for name in manifest["files"]:
            shutil.copyfile(model.folder / name, folder / name)
        anew = LoadedModel(folder, {k: v for k, v in manifest.items() if k != "version"} | {"version": "unsealed"})
        manifest["figures"] = {name: evaluate(anew, beats) for name, beats in measured_on.items()}
        return seal(folder, manifest, models_dir)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
