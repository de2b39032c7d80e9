"""The tasks that are trained, by name. Retraining asks this registry alone; scoring asks `ecg_core.models.tasks`."""

from __future__ import annotations

from typing import Final

from ecg_core.models import BEATS
from ecg_core.training import beats_task, resting_task, rhythm_task
from ecg_core.training.work import TrainedTask

TRAINED: Final[dict[str, TrainedTask]] = {
    BEATS: beats_task.TRAINED,
    "rhythm": rhythm_task.TRAINED,
    "resting": resting_task.TRAINED,
}
"""In the order in which a night takes them up."""
