"""How good a model version is on patients that it was not trained on, computed from the signals each time."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from ecg_core.datasets import physionet
from ecg_core.datasets.annotated import load_record
from ecg_core.datasets.patients import check_no_leak
from ecg_core.datasets.splits import DECIDING, SVDB_DECIDING, SVDB_TEST, TEST
from ecg_core.labels import ClassMapping
from ecg_core.models import load_model, with_version
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.training import Figures, evaluate, join_beats, prepare_labelled
from ecg_core.training.equal_models import equal_models
from ecg_core.training.noise import with_noise
from ecg_core.training.prepare import prepare_scored

Split = Literal["ds2", "deciding", "svdb-test", "svdb-deciding"]
Beats = Literal["reference", "detected"]
SPLITS: Final[dict[Split, tuple[str, tuple[str, ...]]]] = {
    "ds2": ("mitdb", TEST),
    "deciding": ("mitdb", DECIDING),
    "svdb-test": ("svdb", SVDB_TEST),
    "svdb-deciding": ("svdb", SVDB_DECIDING),
}
"""Database and records of each."""
_TESTS: Final = ("ds2", "svdb-test")
_LOGGED: Final = ("accuracy", "macro_f1", "macro_f1_nsv", "j_kappa", "ece", "coverage", "deviation_auc")


LOOKS: Final = PROJECT_DIR / "benchmarks" / "ds2-looks.csv"
"""The log of looks at test patients, one line each."""


def evaluate_beats(
    settings: Settings,
    version: str,
    split: Split,
    beats: Beats,
    mapping: ClassMapping,
    looks: Path = LOOKS,
    *,
    seeds: bool = False,
    noise: bool = False,
) -> Figures:
    """Score every record of a split from its signal and compare with the annotations.

    Parameters
    ----------
    settings : Settings
    version : str
        A model version.
    split : {"ds2", "deciding", "svdb-test", "svdb-deciding"}
        ``"ds2"`` and ``"svdb-test"`` are looks at test patients, and are logged.
    beats : {"reference", "detected"}
        Where the annotators found beats, or where the detector does, as in scoring: then missed beats count
        against sensitivity, and beats that nobody annotated against precision.
    mapping : {"A", "B"}
        `ecg_core.labels`.
    looks : Path
        The log of looks.
    seeds : bool
        Judge two more models beside it, trained like the version but with other seeds (some minutes, once).
    noise : bool
        Add electrode motion and muscle noise to the recordings first (`ecg_core.training.noise`), the same every time.

    Returns
    -------
    dict
        As `ecg_core.training.evaluate`, with ``model``, ``split``, ``beats``, ``mapping``, ``noise``, ``records`` and
        ``looks``, the number of looks at test patients that are logged; where asked for ``seeds``, the main figures of
        each, and ``mean_of_seeds``.

    Raises
    ------
    UnknownModelVersion
    DatasetUnavailable
        A record cannot be had.
    PatientLeak
        The model was trained on one of these patients.
    """
    model = load_model(version, with_version(settings, version))
    database, records = SPLITS[split]
    # Before the quarter of a minute that follows.
    check_no_leak(model.manifest["training_data"]["records"], records)
    folder = physionet.fetch(database, settings.physionet_base, settings.datasets_dir).path
    parts, missed = [], {}
    for record in records:
        labelled = load_record(folder, record, mapping)
        if noise:
            labelled = replace(labelled, recording=with_noise(labelled.recording, seed=int(record))[0])
        if beats == "detected":
            part, missed_here = prepare_scored(labelled, model.trees)
            missed[labelled.patient] = missed_here
        else:
            part = prepare_labelled(labelled, "reference", model.trees)
        parts.append(part)
    whole = join_beats(parts)
    figures = evaluate(model, whole, missed)
    if seeds:
        of_seeds = [
            in_short(figures),
            *(in_short(evaluate(m, whole, missed)) for m in equal_models(settings, model, Path(folder))),
        ]
        figures |= {"seeds": of_seeds, "mean_of_seeds": _mean(of_seeds)}
    if split in _TESTS:
        command = f"ecg evaluate beats --model {version} --split {split} --beats {beats} --mapping {mapping}"
        command += " --noise" if noise else ""
        what = f"{split} {beats}{' in noise' if noise else ''}"
        if seeds:
            mean = figures["mean_of_seeds"]
            log_look(version, f"{command} --seeds", f"{what}, mean of three seeds", mean, looks)
        log_look(version, command, what, in_short(figures), looks)
    asked = {"model": version, "split": split, "beats": beats, "mapping": mapping, "noise": noise}
    return {**asked, "records": list(records), **figures, "looks": count_looks(looks)}


def in_short(figures: Figures) -> Figures:
    """Choose what is logged of a version's figures."""
    short = {name: figures[name] for name in ("n_beats", *_LOGGED)}
    if "without_232" in figures:
        short["without_232"] = {"S": {"f1": figures["without_232"]["classes"]["S"]["f1"]}}
    return short | {c: {k: figures["classes"][c][k] for k in ("sensitivity", "precision", "f1")} for c in "NSVF"}


def _mean(figures: Sequence[Figures]) -> Figures:
    """Average figures of equal form, one by one; None where one of them is."""
    return {
        name: _mean([f[name] for f in figures])
        if isinstance(value, dict)
        else None
        if any(f[name] is None for f in figures)
        else float(np.mean([f[name] for f in figures]))
        for name, value in figures[0].items()
    }


def log_look(version: str, command: str, set_name: str, figures: Mapping[str, Any], looks: Path = LOOKS) -> None:
    """Append one line to the log of looks at test patients."""
    is_new = not looks.is_file()
    with looks.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(["date", "version", "command", "set", "figures"])
        writer.writerow([datetime.now(UTC).date(), version, command, set_name, json.dumps(figures)])


def count_looks(looks: Path = LOOKS) -> int:
    """Count the looks that are logged."""
    if not looks.is_file():
        return 0
    with looks.open(newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))
