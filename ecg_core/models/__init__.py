"""What a model version says: loading one, its classes, sets and deviation. ONNX Runtime alone, no TensorFlow."""

import json
from pathlib import Path

from ecg_core.models.tasks import TASKS, RecordingModel, labels_recordings, load_version
from ecg_core.models.version import BEATS, SHIPPED_DIR, LoadedModel, Version, list_versions, load_model, with_version

SHIPPED: dict[str, str] = json.loads((SHIPPED_DIR / "CURRENT").read_text())
"""By task, the champion of a fresh machine, inside the package."""
SHIPPED_VERSION = SHIPPED[BEATS]
"""Made by ``python -m benchmarks.train_champion``; the others by ``python -m benchmarks.train_rhythm`` and its like."""


def shipped_labelling(models_dir: Path) -> list[RecordingModel]:
    """Load the shipped versions of the tasks other than ``beats``."""
    others = (load_version(version, models_dir) for task, version in SHIPPED.items() if task != BEATS)
    return [other for other in others if labels_recordings(other)]


__all__ = [
    "BEATS",
    "SHIPPED",
    "SHIPPED_VERSION",
    "TASKS",
    "LoadedModel",
    "RecordingModel",
    "Version",
    "labels_recordings",
    "list_versions",
    "load_model",
    "load_version",
    "shipped_labelling",
    "with_version",
]
