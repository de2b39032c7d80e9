"""Which samples and which features belong to which clinical player, and what takes their place when it is out.

A player that is out shows what the normal beat shows at that wave. P, PQ, ST and T of the normal beat are stretched
into the beat's own, since their timing follows the rate; the QRS is not, since its width is what a reader looks at:
its player covers both QRS complexes, R peak on R peak.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import CONTEXT_PLAYERS
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, PLAYERS, R_INDEX, WAVE_PLAYERS, WAVE_POINTS, WINDOW_SAMPLES

FIXED_MS: Final = np.array([-192.0, -140.0, -88.0, -48.0, 60.0, 140.0, 260.0, 380.0])
"""Where the eight points of `waves_ms` are taken to be when nothing is known of a wave: an adult at 60 to 80 bpm."""
_EDGES: Final = [WAVE_POINTS.index(name) for name in ("p_on", "p_off", "qrs_on", "qrs_off", "t_on", "t_off")]
_QRS_ON, _QRS_OFF, _T_ON = _EDGES[2:5]

CONTEXT_PLAYER_INDEX: Final = np.array([PLAYERS.index(name) for name in CONTEXT_PLAYERS])
WAVE_PLAYER_INDEX: Final = np.array([PLAYERS.index(name) for name in WAVE_PLAYERS])


def wave_edges(beats: ExplainedBeats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find onset and offset of P, QRS and T in each beat and in the normal beat that it is compared with.

    A wave that is absent in the beat is looked for where the normal beat has it, measured from the QRS; one that is
    unknown in both is at `FIXED_MS`.

    Parameters
    ----------
    beats : ExplainedBeats

    Returns
    -------
    of_beat, of_normal : ndarray of int64, shape (n, 6)
        Samples of the window, strictly ascending within a row, 1 to 255: P onset, P offset, QRS onset, QRS offset, T
        onset, T offset. The QRS is the same in both.
    """
    normal = np.where(np.isfinite(beats.normal_waves_ms), beats.normal_waves_ms, FIXED_MS)
    own = beats.waves_ms.astype(np.float64)
    qrs_on = np.fmin(own[:, _QRS_ON], normal[:, _QRS_ON])
    qrs_off = np.fmax(own[:, _QRS_OFF], normal[:, _QRS_OFF])
    moved = normal.copy()
    moved[:, :_QRS_ON] += (qrs_on - normal[:, _QRS_ON])[:, None]
    moved[:, _T_ON:] += (qrs_off - normal[:, _QRS_OFF])[:, None]
    own = np.where(np.isfinite(own), own, moved)
    for points in (own, normal):
        points[:, _QRS_ON], points[:, _QRS_OFF] = qrs_on, qrs_off
    return _ascending(own[:, _EDGES]), _ascending(normal[:, _EDGES])


def _ascending(edges_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Turn into samples, each edge at least one from the next, R within the QRS; the QRS's edges give way last."""
    at: npt.NDArray[np.int64] = np.rint(R_INDEX + edges_ms * (ANALYSIS_RATE_HZ / 1000)).astype(np.int64)
    p_on, p_off, qrs_on, qrs_off, t_on, t_off = at.T
    qrs_on = np.clip(qrs_on, 3, R_INDEX)
    p_off = np.clip(p_off, 2, qrs_on - 1)
    p_on = np.clip(p_on, 1, p_off - 1)
    qrs_off = np.clip(qrs_off, R_INDEX + 1, WINDOW_SAMPLES - 3)
    t_on = np.clip(t_on, qrs_off + 1, WINDOW_SAMPLES - 2)
    t_off = np.clip(t_off, t_on + 1, WINDOW_SAMPLES - 1)
    return np.stack([p_on, p_off, qrs_on, qrs_off, t_on, t_off], axis=1)


def sample_player(beats: ExplainedBeats) -> npt.NDArray[np.int8]:
    """Say which of `PLAYERS` each sample of each beat belongs to: int8, shape (n, 256)."""
    _, p_off, qrs_on, qrs_off, t_on, _ = wave_edges(beats)[0].T
    sample = np.arange(WINDOW_SAMPLES)
    borders = np.stack([p_off, qrs_on, qrs_off, t_on], axis=1)
    passed = (sample[None, :, None] >= borders[:, None, :]).sum(axis=2)
    return np.asarray(WAVE_PLAYER_INDEX[passed], dtype=np.int8)


def aligned_normal(beats: ExplainedBeats) -> FloatArray:
    """Lay the normal beat over each beat, wave on wave.

    Parameters
    ----------
    beats : ExplainedBeats

    Returns
    -------
    ndarray of float32, shape (n, 256)
        In units of scale; linear between samples.
    """
    of_beat, of_normal = wave_edges(beats)
    n = len(beats)
    ends = np.zeros((n, 1), np.int64), np.full((n, 1), WINDOW_SAMPLES - 1, np.int64)
    beat_knots, normal_knots = (np.concatenate([ends[0], edges, ends[1]], axis=1) for edges in (of_beat, of_normal))
    sample = np.arange(WINDOW_SAMPLES)
    piece = (sample[None, :, None] >= beat_knots[:, None, 1:-1]).sum(axis=2)
    row = np.arange(n)[:, None]
    # Window's end and a T offset there may fall together: a piece of no length is never stretched.
    length = np.maximum(np.diff(beat_knots, axis=1), 1)
    share = (sample[None, :] - beat_knots[row, piece]) / length[row, piece]
    at = normal_knots[row, piece] + share * np.diff(normal_knots, axis=1)[row, piece]
    at = np.clip(at, 0, WINDOW_SAMPLES - 1)
    left = np.minimum(at.astype(np.int64), WINDOW_SAMPLES - 2)
    beyond = (at - left).astype(np.float32)
    return np.asarray(beats.normal[row, left] * (1 - beyond) + beats.normal[row, left + 1] * beyond, dtype=np.float32)


def compose(
    beats: ExplainedBeats, share_out: FloatArray, normal: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Build the beats in which each player is so far out.

    Parameters
    ----------
    beats : ExplainedBeats
    share_out : ndarray of float32, shape (n, 7)
        By player: 0 leaves what is the beat's own, 1 puts the normal beat's in its place, between them it is mixed.
    normal : ndarray of float32, shape (n, 256), optional
        `aligned_normal` of these beats, where it is at hand.

    Returns
    -------
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    """
    normal = aligned_normal(beats) if normal is None else normal
    of_sample = np.take_along_axis(share_out, sample_player(beats), axis=1).astype(np.float32)
    waveform = beats.waveform.copy()
    waveform[:, :, 0] += of_sample * (normal - waveform[:, :, 0])
    out = share_out[:, CONTEXT_PLAYER_INDEX].astype(np.float32)
    return waveform, beats.context + out * (beats.normal_context - beats.context)
