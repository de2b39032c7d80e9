"""Training, calibrating, measuring and loading model versions. Scoring imports ONNX Runtime and no TensorFlow."""

from ecg_core.models.assembling import LIMITS, TrainingSource, assemble
from ecg_core.models.balance import IMBALANCES
from ecg_core.models.deciding import DecidingSet, deciding_set
from ecg_core.models.evaluation import Figures, evaluate
from ecg_core.models.gate import Limits, Verdict, gate
from ecg_core.models.loading import SHIPPED_DIR, LoadedModel, list_versions, load_model
from ecg_core.models.prepare import prepare_labelled, prepare_records
from ecg_core.models.train import FAMILIES, TrainingOptions, train_family
from ecg_core.models.training_beats import TrainingBeats, join_beats
from ecg_core.models.training_set import records_there, training_set, training_source

SHIPPED_VERSION = (SHIPPED_DIR / "CURRENT").read_text().strip()
"""The champion of a fresh machine, inside the package; made by ``python -m benchmarks.train_champion``."""

__all__ = [
    "FAMILIES",
    "IMBALANCES",
    "LIMITS",
    "SHIPPED_VERSION",
    "DecidingSet",
    "Figures",
    "Limits",
    "LoadedModel",
    "TrainingBeats",
    "TrainingOptions",
    "TrainingSource",
    "Verdict",
    "assemble",
    "deciding_set",
    "evaluate",
    "gate",
    "join_beats",
    "list_versions",
    "load_model",
    "prepare_labelled",
    "prepare_records",
    "records_there",
    "train_family",
    "training_set",
    "training_source",
]
