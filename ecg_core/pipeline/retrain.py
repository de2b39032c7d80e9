"""The nightly retraining: challengers are trained, calibrated, judged on patients of the deciding set, and gated.

Each step leaves its outcome in a folder of the run, so that a retried step finds what is done. A champion is never
replaced by a version that is worse within the stated margins, and the reason stands in Postgres either way.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import structlog

from ecg_core.datasets import physionet
from ecg_core.datasets.mitdb import DECIDING, TRAINING
from ecg_core.models import TrainingOptions, load_model
from ecg_core.models import assemble as assemble_version
from ecg_core.models import evaluate as evaluate_version
from ecg_core.models import gate, train_family
from ecg_core.models.prepare import load_prepared, prepare_records
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.versions import scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows

log = structlog.get_logger(__name__)


def run_dir(settings: Settings, run_id: str) -> Path:
    """Folder of one retraining run; `run_id` may hold any characters (Airflow's hold colons and pluses)."""
    folder = settings.models_dir / ".runs" / re.sub(r"[^A-Za-z0-9._-]", "_", run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
