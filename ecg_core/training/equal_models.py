"""Models that are equal but for their seed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from ecg_core.datasets.databases import DATABASES
from ecg_core.errors import DatasetUnavailable
from ecg_core.models import LoadedModel
from ecg_core.models.layers import LOGITS_LAYER
from ecg_core.models.version import with_classifier
from ecg_core.settings import Settings
from ecg_core.training import TrainingBeats, TrainingOptions, noise, training_set
from ecg_core.training.source_hash import TRAINING_CODE, source_sha256
from ecg_core.training.train import RECIPES, fit, set_biases

OTHER_SEEDS: Final = (101, 102)
"""With the version itself, three equal models."""
_log = structlog.get_logger(__name__)


def equal_models(settings: Settings, model: LoadedModel, folder: Path) -> list[LoadedModel]:
    """Train the same classifier on the same beats with other seeds, or take them from the cache."""
    facts = model.manifest["components"]["cnn"]
    # What other code trained is no equal.
    name = f"{model.manifest['files']['cnn.onnx'][:16]}-{source_sha256(*TRAINING_CODE)[:8]}"
    cache = settings.home / "cache" / "equal-models" / name
    biases = model.keras_classifier().get_layer(LOGITS_LAYER).get_weights()[1]
    found = []
    for seed in OTHER_SEEDS:
        place = cache / f"seed-{seed}"
        if not (place / "cnn.onnx").is_file():
            training = _trained_on(folder, settings.models_dir / ".prepared", model)
            options = TrainingOptions(facts["imbalance"], facts["epochs"], seed, facts["learning_rate"])
            trained = fit(RECIPES["cnn"], training, options, facts["epochs_used"])
            set_biases(trained, biases)
            with tempfile.TemporaryDirectory(prefix=".writing-", dir=_made(cache)) as scratch:
                with_classifier(model, trained, Path(scratch) / "whole").folder.rename(place)
            _log.info("equal model trained", seed=seed)
        found.append(LoadedModel(place, {**model.manifest, "version": f"{model.version}-seed-{seed}"}))
    return found


def _trained_on(mitdb: Path, cache: Path, model: LoadedModel) -> TrainingBeats:
    """Prepare the beats that a model was trained on; its other databases lie beside MIT-BIH."""
    training_data = model.manifest["training_data"]
    # Versions from before databases were noted had made noise alone.
    used = training_data.get("databases", [name for name in DATABASES if name != noise.DATABASE])
    beside = {name: mitdb.parents[1] / name / DATABASES[name].version for name in used}
    there = {name: path for name, path in beside.items() if any(path.rglob("*.hea"))}
    beats = training_set({**there, "mitdb": mitdb}, cache, model.trees)
    beats = beats.select(np.isin(beats.record, training_data["records"]))
    lacking = sorted(set(training_data["records"]) - set(beats.records()))
    if noise.DATABASE in used and noise.DATABASE not in there:
        lacking.append(f"the noise of {noise.DATABASE}")
    if lacking:
        raise DatasetUnavailable(
            f"{len(lacking)} of the records that the model was trained on are not there, for instance {lacking[0]}.",
            "Set ECG_PHYSIONET_BASE to a base that has them, or measure with --quick.",
        )
    return beats


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
