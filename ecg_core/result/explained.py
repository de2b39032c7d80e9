"""Why: attributions of every beat, and what the chosen beats are explained with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

SEGMENTS_MS: Final = {"before_qrs": (-400, -60), "qrs": (-60, 100), "after_qrs": (100, 624)}
"""Fixed stretches around the R peak over which attributions are summed (until waves are delineated)."""
PLAYERS: Final = ("previous_rr", "p_wave", "pq_segment", "qrs", "st_segment", "t_wave", "following_rr")
"""Players of the exact Shapley values, in the order of a beat. The five wave players share the whole window among them:
the P wave has what precedes it as well, the T wave what follows it."""
WAVE_PLAYERS: Final = PLAYERS[1:-1]


@dataclass(frozen=True, slots=True, eq=False)
class BeatAttributions:
    """One method's attribution for every beat, summed over `SEGMENTS_MS`.

    Attributes
    ----------
    method : str
        Of `ecg_core.result.methods`, one that every beat gets.
    segment_shares : ndarray of float32, shape (n_beats, 3)
        Share of the absolute attribution in each of `SEGMENTS_MS`, in that order; rows sum to 1,
        or are NaN where the method gives nothing.
    """

    method: str
    segment_shares: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ShapleyValues:
    """Exact Shapley values of the abnormal beats.

    Attributes
    ----------
    beat_index : ndarray of int64, shape (m,)
        Rows of `BeatTable`, ascending: all abnormal, analysable beats, or as many as the cap lets, evenly over time.
    values : ndarray of float32, shape (m, 7)
        Log-odds that each of `PLAYERS` added to the beat's class; a row sums to the beat's log-odds minus those of
        the reference: this patient's normal beat, or the population's where the recording has none.
    """

    beat_index: npt.NDArray[np.int64]
    values: FloatArray

    def __len__(self) -> int:
        return int(self.beat_index.size)

    @classmethod
    def none(cls) -> ShapleyValues:
        """Give those of no beat."""
        return cls(np.zeros(0, np.int64), np.zeros((0, len(PLAYERS)), np.float32))


@dataclass(frozen=True, slots=True)
class Blend:
    """How far a beat must be blended toward the reference before its class turns.

    Attributes
    ----------
    share : float
        Smallest share of the reference, all players blended alike, at which the model names another class; NaN where
        even the reference keeps the class.
    turns_to : str
        The class then; empty where it does not turn.
    by_player : dict of str to float
        The same with one player blended alone; NaN where that player alone does not turn the class.
    """

    share: float
    turns_to: str
    by_player: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ChosenBeat:
    """A beat that is shown and explained in full.

    Attributes
    ----------
    beat_index : int
        Row in `BeatTable`.
    reason : str
        ``"most typical"``, ``"least certain"`` or ``"most deviating"``.
    waveform_mv, counterpart_mv, template_mv : ndarray of float32, shape (256,)
        The beat, the autoencoder's normal counterpart, and this recording's dominant beat.
    attributions : dict of str to ndarray of float32, shape (256,)
        By method, towards the beat's class: signed ones (`ecg_core.result.methods`) in log-odds, the others ≥ 0 with
        maximum 1. What cannot be computed for the model is not there.
    context_shap : dict of str to float
        SHAP value of each rhythm feature, by its name.
    waves_ms : ndarray of float32, shape (8,)
        The beat's row of `BeatTable.waves_ms`.
    shapley : dict of str to float
        Exact Shapley value of each of `PLAYERS` in log-odds, as in `ShapleyValues`.
    lime : dict of str to float
        LIME's weight of each of `PLAYERS` in log-odds.
    deviation_by_wave : dict of str to float
        Deviation of each of `WAVE_PLAYERS`, z-score against normal beats.
    blend : Blend or None
        The smallest change toward normal that turns the class.
    own_reference : bool
        Shapley values, LIME and blend compare with this patient's own normal beat; False: with the population's.
    """

    beat_index: int
    reason: str
    waveform_mv: FloatArray
    counterpart_mv: FloatArray
    template_mv: FloatArray
    attributions: dict[str, FloatArray]
    context_shap: dict[str, float]
    waves_ms: FloatArray
    shapley: dict[str, float] = field(default_factory=dict)
    lime: dict[str, float] = field(default_factory=dict)
    deviation_by_wave: dict[str, float] = field(default_factory=dict)
    blend: Blend | None = None
    own_reference: bool = True
