"""How a version is made and judged: labelled beats, architectures, training, figures, the gate."""

from ecg_core.training.assembling import LIMITS, TrainingSource, assemble
from ecg_core.training.balance import IMBALANCES
from ecg_core.training.beats import TrainingBeats, join_beats
from ecg_core.training.deciding import DecidingSet, deciding_set
from ecg_core.training.figures import Figures, evaluate
from ecg_core.training.gate import Limits, Verdict, gate
from ecg_core.training.prepare import prepare_labelled, prepare_records
from ecg_core.training.sets import records_there, training_set, training_source
from ecg_core.training.train import FAMILIES, TrainingOptions, train_family

__all__ = [
    "FAMILIES",
    "IMBALANCES",
    "LIMITS",
    "DecidingSet",
    "Figures",
    "Limits",
    "TrainingBeats",
    "TrainingOptions",
    "TrainingSource",
    "Verdict",
    "assemble",
    "deciding_set",
    "evaluate",
    "gate",
    "join_beats",
    "prepare_labelled",
    "prepare_records",
    "records_there",
    "train_family",
    "training_set",
    "training_source",
]
