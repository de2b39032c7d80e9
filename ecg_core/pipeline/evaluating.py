"""How good a model version is on patients that it was not trained on, computed from the signals each time.

Looks at DS2 are counted: a model that was chosen by looking at DS2 is no longer an honest one.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from ecg_core.datasets import physionet
from ecg_core.datasets.mitdb import DECIDING, TEST, check_no_leak, load_record
from ecg_core.labels import Mapping
from ecg_core.models import Figures, evaluate, join_beats, load_model, prepare_labelled
from ecg_core.models.prepare import prepare_scored
from ecg_core.settings import PROJECT_DIR, Settings

Split = Literal["ds2", "deciding"]
Beats = Literal["reference", "detected"]
SPLITS: Final[dict[Split, tuple[str, ...]]] = {"ds2": TEST, "deciding": DECIDING}
LOOKS: Final = PROJECT_DIR / "benchmarks" / "ds2-looks.csv"
"""The log of looks at DS2, one line each."""
_LOGGED: Final = ("accuracy", "macro_f1", "macro_f1_nsv", "j_kappa", "ece", "coverage", "deviation_auc")


def evaluate_beats(
    settings: Settings, version: str, split: Split, beats: Beats, mapping: Mapping, looks: Path = LOOKS
) -> Figures:
    """Score every record of a split from its signal and compare with the annotations.

    Parameters
    ----------
    settings : Settings
    version : str
        A model version.
    split : {"ds2", "deciding"}
        ``"ds2"`` is a look at the test patients, and is logged.
    beats : {"reference", "detected"}
        Where the annotators found beats, or where the detector does, as in scoring: then missed beats count
        against sensitivity, and beats that nobody annotated against precision.
    mapping : {"A", "B"}
        `ecg_core.labels`.
    looks : Path
        The log of looks.

    Returns
    -------
    dict
        As `ecg_core.models.evaluate`, with ``model``, ``split``, ``beats``, ``mapping``, ``records`` and ``looks``,
        the number of looks at DS2 that are logged.

    Raises
    ------
    UnknownModelVersion
    DatasetUnavailable
        A record cannot be had.
    PatientLeak
        The model was trained on one of these patients.
    """
    model = load_model(version, settings.models_dir)
    records = SPLITS[split]
    # Before the quarter of a minute that follows.
    check_no_leak(model.manifest["training_data"]["records"], records)
    folder = physionet.fetch("mitdb", settings.physionet_base, settings.datasets_dir).path
    parts, missed = [], {}
    for record in records:
        labelled = load_record(folder, record, mapping)
        if beats == "detected":
            part, missed_here = prepare_scored(labelled)
            missed[labelled.patient] = missed_here
        else:
            part = prepare_labelled(labelled, "reference")
        parts.append(part)
    figures = evaluate(model, join_beats(parts), missed)
    if split == "ds2":
        command = f"ecg evaluate beats --model {version} --split ds2 --beats {beats} --mapping {mapping}"
        log_look(version, command, f"ds2 {beats}", in_short(figures), looks)
    asked = {"model": version, "split": split, "beats": beats, "mapping": mapping, "records": list(records)}
    return {**asked, **figures, "looks": count_looks(looks)}


def in_short(figures: Figures) -> Figures:
    """Choose what is logged of a version's figures."""
    short = {name: figures[name] for name in ("n_beats", *_LOGGED)}
    return short | {c: {k: figures["classes"][c][k] for k in ("sensitivity", "precision", "f1")} for c in "NSVF"}


def log_look(version: str, command: str, set_name: str, figures: Figures, looks: Path = LOOKS) -> None:
    """Append one line to the log of looks at DS2."""
    is_new = not looks.is_file()
    with looks.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(["date", "version", "command", "set", "figures"])
        writer.writerow([datetime.now(UTC).date(), version, command, set_name, json.dumps(figures)])


def count_looks(looks: Path = LOOKS) -> int:
    """Count the looks at DS2 that are logged."""
    if not looks.is_file():
        return 0
    with looks.open(newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))
