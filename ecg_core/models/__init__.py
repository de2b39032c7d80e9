"""What a model version says: loading one, its classes, sets and deviation. ONNX Runtime alone, no TensorFlow."""

from ecg_core.models.version import SHIPPED_DIR, LoadedModel, list_versions, load_model

SHIPPED_VERSION = (SHIPPED_DIR / "CURRENT").read_text().strip()
"""The champion of a fresh machine, inside the package; made by ``python -m benchmarks.train_champion``."""

__all__ = ["SHIPPED_VERSION", "LoadedModel", "list_versions", "load_model"]
