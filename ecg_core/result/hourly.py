"""What each hour of a recording held, summed up while its beats are at hand."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable

RATE_INTERVALS: Final = 8
"""RR intervals in a row over which the lowest and the highest heart rate are taken."""

Floats = npt.NDArray[np.float64]


def hourly_columns(scoring_run_id: int, beats: BeatTable) -> dict[str, npt.NDArray[Any]]:
    """Sum beats up by the hour from the start of the recording.

    Parameters
    ----------
    scoring_run_id : int
    beats : BeatTable

    Returns
    -------
    dict of str to ndarray, each of shape (n_hours,)
        The columns of ``ecg.hourly``: int32 counts, float32 means with NaN where nothing is known. Only hours with a
        beat. The same figures as SQL gives over ``ecg.beat`` (migration 0005 says how).
    """
    hours, hour = np.unique(np.floor(beats.r_time_s / 3600).astype(np.int32), return_inverse=True)
    n_hours, analysable = hours.size, beats.analysable

    def count(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        return np.bincount(hour[rows], minlength=n_hours).astype(np.int32)

    def mean(values: Floats, rows: npt.NDArray[np.bool_]) -> Floats:
        known = rows & np.isfinite(values)
        total = np.bincount(hour[known], values[known], minlength=n_hours)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / count(known), np.float64)

    everywhere = np.ones_like(analysable)
    rr_ms = beats.rr_prev_ms.astype(np.float64)
    probability = beats.probabilities[np.arange(len(beats)), beats.class_index]
    slowest, fastest = _extremes(_mean_of_last(rr_ms, RATE_INTERVALS), hour, n_hours)
    rates = {"mean": mean(rr_ms, everywhere), "min": slowest, "max": fastest}
    return {
        "scoring_run_id": np.full(n_hours, scoring_run_id, np.int32),
        "hour_index": hours,
        "n_beats": count(everywhere),
        "n_beats_analysable": count(analysable),
        **{f"n_class_{name.lower()}": count(analysable & (beats.class_index == i)) for i, name in enumerate(CLASSES)},
        "n_uncertain": count(analysable & beats.inconclusive),
        **{f"{name}_heart_rate_bpm": (60000 / value).astype(np.float32) for name, value in rates.items()},
        "mean_class_probability": np.clip(mean(probability.astype(np.float64), analysable), 0, 1).astype(np.float32),
        "mean_deviation_z": mean(beats.deviation.astype(np.float64), analysable).astype(np.float32),
    }


def _mean_of_last(values: Floats, count: int) -> Floats:
    """Return the mean of each value and the ones before, `count` in all; NaN where one of them is unknown."""
    means = np.full(values.size, np.nan)
    if values.size >= count:
        means[count - 1 :] = np.lib.stride_tricks.sliding_window_view(values, count).mean(axis=1)
    return means


def _extremes(values: Floats, group: npt.NDArray[np.intp], n_groups: int) -> tuple[Floats, Floats]:
    """Return the highest and the lowest known value of each group; NaN where it has none."""
    known = np.isfinite(values)
    highest, lowest = np.full(n_groups, -np.inf), np.full(n_groups, np.inf)
    np.maximum.at(highest, group[known], values[known])
    np.minimum.at(lowest, group[known], values[known])
    return np.where(np.isfinite(highest), highest, np.nan), np.where(np.isfinite(lowest), lowest, np.nan)
