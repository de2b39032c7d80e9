"""What is said of a recording, with its urgency and its evidence: decided once."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result import Result, RhythmEpisode

POOR_SHARE: Final = 0.9
"""Below this analysable share the poor signal is a finding."""
VERY_POOR_SHARE: Final = 0.5
"""Below this share it comes before everything else, with a banner."""
HIGH_BURDEN: Final = 0.10
"""Share of V beats from which the burden is urgent, where there are at least `HIGH_BURDEN_BEATS`."""
HIGH_BURDEN_BEATS: Final = 10
SHORTEST_FOR_RATE_S: Final = 300.0
"""Beats per hour are not extrapolated from less analysable signal."""
FAST_BPM: Final = 150.0
SLOW_BPM: Final = 40.0
LIKELY_FIBRILLATION: Final = 0.8
"""Below this mean probability possible atrial fibrillation is told as inconclusive."""
KINDS: Final = (
    "v_run",
    "pause",
    "tachycardia",
    "bradycardia",
    "atrial_fibrillation",
    "v_couplet",
    "bigeminy",
    "trigeminy",
    "s_run",
    "s_couplet",
)
"""Kinds of episode in the order in which they are told within one degree of urgency."""
_ECTOPIC: Final = {"v": CLASSES.index("V"), "s": CLASSES.index("S")}


def uncertain(result: Result) -> npt.NDArray[np.bool_]:
    """Beats of which not exactly one class remains possible (`BeatTable.inconclusive`); shape (n_beats,)."""
    return result.beats.inconclusive


def called_probability(result: Result) -> npt.NDArray[np.float64]:
    """Probability of the class that was called; shape (n_beats,)."""
    table = result.beats
    rows = np.arange(len(table))
    return table.probabilities[rows, table.class_index].astype(np.float64)


def in_fibrillation(result: Result, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which rows of `BeatTable` lie in stretches called atrial fibrillation."""
    inside = np.zeros(len(result.beats), dtype=bool)
    for episode in result.rhythm.episodes:
        if episode.kind == "atrial_fibrillation":
            inside[episode.first_beat : episode.last_beat + 1] = True
    return inside[rows]


def ectopic_rows(result: Result, episodes: list[RhythmEpisode]) -> npt.NDArray[np.int64]:
    """Return the beats that episodes of one kind are named for, without the N beats between them."""
    kind = episodes[0].kind
    rows = np.concatenate([np.arange(e.first_beat, e.last_beat + 1) for e in episodes])
    classes = result.beats.class_index[rows]
    wanted = classes == _ECTOPIC[kind[0]] if kind[0] in _ECTOPIC else classes != CLASSES.index("N")
    return np.asarray(rows[wanted], dtype=np.int64)


def rests_on_classes(kind: str) -> bool:
    """Whether a kind of episode follows from the beats' classes, not from their times alone."""
    return kind not in ("pause", "tachycardia", "bradycardia", "atrial_fibrillation")


def beats_of(episode: RhythmEpisode) -> int:
    """Return an episode's number of beats."""
    return episode.last_beat - episode.first_beat + 1


def mean_known(values: npt.NDArray[np.float64]) -> float | None:
    """Return the mean of what is finite; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
