"""What a model version says: loading one, its classes, sets and deviation. ONNX Runtime alone, no TensorFlow."""

import json

from ecg_core.models.tasks import TASKS, RecordingModel, labels_recordings, load_version
from ecg_core.models.version import BEATS, SHIPPED_DIR, LoadedModel, Version, list_versions, load_model

SHIPPED: dict[str, str] = json.loads((SHIPPED_DIR / "CURRENT").read_text())
"""By task, the champion of a fresh machine, inside the package."""
SHIPPED_VERSION = SHIPPED[BEATS]
"""Made by ``python -m benchmarks.train_champion``; the others by ``python -m benchmarks.train_rhythm`` and its like."""

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
]
