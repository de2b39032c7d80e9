"""How well atrial fibrillation is told: folds of the Challenge of 2017, and MIT-BIH's rhythm annotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_core.beats import Trees, af_probability
from ecg_core.datasets import physionet
from ecg_core.datasets.annotated import load_rhythm
from ecg_core.datasets.challenge2017 import DATABASE
from ecg_core.datasets.splits import DECIDING, TEST, TRAINING
from ecg_core.formats import read_recording
from ecg_core.models import SHIPPED
from ecg_core.models.rhythm import CALLED_FROM, RhythmModel
from ecg_core.models.version import find_version
from ecg_core.pipeline.evaluating import log_look
from ecg_core.result import AF_WINDOW_S, ANALYSIS_RATE_HZ
from ecg_core.settings import Settings
from ecg_core.training.rhythm import (
    challenge_windows,
    f1_intervals,
    figures_of,
    found_beats,
    learn,
    mean_figures,
    share,
)


def measure_fibrillation(settings: Settings, ds2: bool = False) -> dict[str, Any]:
    """Measure again what the shipped trees are worth.

    Parameters
    ----------
    settings : Settings
    ds2 : bool
        Look at DS2 too, and log the look: nothing may be chosen by it.

    Returns
    -------
    dict
        ``challenge_2017`` (`measure_on_folds`), ``mitdb`` and with `ds2` ``ds2``
        (`measure_on_mitdb` of the records that are no test records, and of those that are), ``weights`` (what the
        shipped trees were learned from).

    Raises
    ------
    DatasetUnavailable
        A database cannot be had.
    """
    challenge, mitdb = (
        physionet.fetch(name, settings.physionet_base, settings.datasets_dir).path for name in (DATABASE, "mitdb")
    )
    model = RhythmModel(*find_version(SHIPPED["rhythm"], settings.models_dir))
    training_data = model.manifest["training_data"]
    figures: dict[str, Any] = {
        "challenge_2017": measure_on_folds(challenge),
        "mitdb": measure_on_mitdb(mitdb, (*TRAINING, *DECIDING), model.trees),
        "weights": {
            "version": model.version,
            "training_data": training_data["sentences"][0],
            "sha256": training_data["databases"][DATABASE],
            "seed": model.manifest["seed"],
        },
    }
    if ds2:
        figures["ds2"] = measure_on_mitdb(mitdb, TEST, model.trees)
        short = {name: value for name, value in figures["ds2"].items() if name != "records"}
        log_look(model.version, "ecg benchmark rhythm --ds2", "ds2 rhythm", short)
    return figures


def measure_on_folds(folder: Path, seed: int = 7) -> dict[str, Any]:
    """Figures of the Challenge on folds by recording; no window of a recording is on both sides.

    Returns
    -------
    dict
        ``recordings``; by rhythm ``f1``, ``sensitivity``, ``precision``, ``n``; ``overall`` (mean F1 of N, A and O: the
        Challenge's measure); ``af_ece`` (calibration error of the AF probability, 10 bins). Means over `DEALS` deals.
        ``classes``: by N, A, O and ``noise``, ``f1`` and its 95 % interval over recordings, ``f1_ci``.
    """
    windows = challenge_windows(folder)
    deals = learn(windows, seed).said
    figures = mean_figures([figures_of(windows.rhythm, deal) for deal in deals])
    intervals = f1_intervals(windows.rhythm, deals)
    figures["classes"] = {
        name.replace("~", "noise"): {"f1": figures[name]["f1"], "f1_ci": intervals[name]} for name in intervals
    }
    return figures


def measure_on_mitdb(folder: Path, records: Sequence[str], trees: Trees) -> dict[str, Any]:
    """Figures of trees on MIT-BIH's rhythm annotations, by 30 s and by record.

    A window counts as fibrillation where more than half of it is marked ``(AFIB``, as none where nothing of it is
    marked ``(AFIB`` or ``(AFL``; others (borders, flutter) are left out.

    Returns
    -------
    dict
        ``records``: by record ``af``, ``found``, ``not_af``, ``false``, ``unknown``; and ``sensitivity``,
        ``specificity``, ``precision``, ``f1`` over all windows.
    """
    by_record: dict[str, dict[str, int]] = {}
    for record in records:
        recording = read_recording(folder / f"{record}.hea", pseudonym_key=b"")
        beats = found_beats(recording)
        probability = af_probability(
            beats.windows_mv,
            beats.r_index / ANALYSIS_RATE_HZ,
            beats.rr_prev_ms,
            beats.analysable,
            recording.duration_s,
            trees,
        )
        af, flutter = (_marked_share(folder, record, mark, len(probability)) for mark in ("(AFIB", "(AFL"))
        is_af, is_not = af > 0.5, af + flutter == 0
        called, known = probability >= CALLED_FROM, np.isfinite(probability)
        by_record[record] = {
            "af": int((is_af & known).sum()),
            "found": int((is_af & called).sum()),
            "not_af": int((is_not & known).sum()),
            "false": int((is_not & called).sum()),
            "unknown": int((~known).sum()),
        }
    total = {name: sum(of[name] for of in by_record.values()) for name in ("af", "found", "not_af", "false")}
    return {
        "records": by_record,
        "sensitivity": share(total["found"], total["af"]),
        "specificity": share(total["not_af"] - total["false"], total["not_af"]),
        "precision": share(total["found"], total["found"] + total["false"]),
        "f1": share(2 * total["found"], total["af"] + total["found"] + total["false"]),
    }


def _marked_share(folder: Path, record: str, mark: str, n_windows: int) -> npt.NDArray[np.float64]:
    """How much of each 30 s bears a rhythm mark."""
    edges = np.arange(n_windows + 1) * AF_WINDOW_S
    marked = np.zeros(n_windows)
    for start, end, rhythm in load_rhythm(folder, record):
        if rhythm == mark:
            marked += np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, None)
    return marked / AF_WINDOW_S
