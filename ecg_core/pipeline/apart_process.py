"""What `ecg_core.pipeline.apart` starts: it scores one recording, and says how it went."""

from __future__ import annotations

import os
import pickle
import sys

from ecg_core.errors import EcgError
from ecg_core.models import load_model, with_version
from ecg_core.pipeline.apart import Outcome, Task
from ecg_core.pipeline.group import as_ours, score_one
from ecg_core.pipeline.versions import labelling_models
from ecg_core.store.database import store_engine


def main() -> None:
    """Score what stdin tells of, and answer on stdout."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    task: Task = pickle.load(sys.stdin.buffer)
    answer: Outcome | EcgError
    try:
        model = load_model(task.version, with_version(task.settings, task.version))
        others = labelling_models(task.settings)
        engine = store_engine(task.settings)
        answer = score_one(engine, task.settings, model, task.recording_id, task.staged_path, task.owner, others)
    except Exception as error:
        answer = as_ours(error, task.settings)
    with answers:
        pickle.dump(answer, answers)
