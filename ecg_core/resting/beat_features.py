"""What a model of resting ECGs sees: numbers of the median beat, lead by lead and of all leads, and of the rhythm.

All recordings, or all coalitions of an explanation, are worked on at once. Where the wave begins and ends is taken as
given, so that a beat whose leads or waves were exchanged for others is measured in the same places.

The vectorcardiogram is that of Kors et al. 1990 (Eur Heart J 11:1083, regression matrix), voltages and ratios are the
textbook ones (Sokolow and Lyon 1949, Cornell: Casale et al. 1985, Lewis 1914, Peguero et al. 2017). Nothing here is a
finding; published criteria are in the other modules of this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray
from ecg_core.resting.leads import LIMB_OF_I_AND_II
from ecg_core.resting.median_beat import N_COLUMNS, R_COLUMN
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.result.resting import STANDARD_LEADS, Subject

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Table = dict[str, FloatArray]

_MS: Final = 1000 / ANALYSIS_RATE_HZ
_INDEPENDENT: Final = [0, 1, 6, 7, 8, 9, 10, 11]
# Kors' regression: rows X, Y, Z; columns I, II, V1 to V6.
_KORS: Final = np.array(
    [
        [0.38, -0.07, -0.13, 0.05, -0.01, 0.14, 0.06, 0.54],
        [-0.07, 0.93, 0.06, -0.02, -0.05, 0.06, -0.17, 0.13],
        [0.11, -0.23, -0.43, -0.06, -0.14, -0.20, -0.11, 0.31],
    ],
    dtype=np.float32,
)
_SMOOTHED_SAMPLES: Final = 2.5
_DEFLECTION_MV: Final = 0.05
_J_MS: Final = (0, 40, 60, 80)
_T_AFTER_QRS: Final = 12
_T_LATEST: Final = 150
_P_BEFORE_QRS: Final = (60, 6)
_TINY: Final = np.float32(1e-9)
_LIMB_NEEDED: Final = 2
_FEMALE: Final = {"male": 0.0, "female": 1.0}
_NO_TRANSITION: Final = 6.0


def beat_features(beats_mv: FloatArray, qrs_on: FloatArray, qrs_off: FloatArray, rr_ms: FloatArray) -> Table:
    """Measure median beats.

    Parameters
    ----------
    beats_mv : ndarray of float32, shape (n, 12, n_columns)
        `ecg_core.resting.median_beat.MedianBeat.signal_mv` of each, PQ level at 0. A limb lead of NaN is computed from
        the others where two are there; what rests on any other lead of NaN is NaN.
    qrs_on, qrs_off : ndarray of float, shape (n,)
        Columns.
    rr_ms : ndarray of float, shape (n,)
        Median RR interval; NaN is taken as one second.

    Returns
    -------
    dict of str to ndarray of float32, shape (n,)
        By name: ``V1_r_mv`` of a lead, ``qrs_t_angle_deg`` of all leads. The order is always the same.

    Raises
    ------
    ValueError
        The shapes do not fit each other, or there are not twelve leads.
    """
    n = len(beats_mv)
    if beats_mv.ndim != 3 or beats_mv.shape[1] != len(STANDARD_LEADS):
        raise ValueError(f"Beats of shape (n, 12, columns) are measured, not {beats_mv.shape}.")
    if not qrs_on.shape == qrs_off.shape == rr_ms.shape == (n,):
        raise ValueError(f"{n} beats need {n} onsets, ends and RR intervals.")
    beats = _limb_leads_completed(np.asarray(beats_mv, dtype=np.float32))
    last = beats.shape[-1] - 1
    on = np.clip(np.nan_to_num(np.rint(qrs_on), nan=R_COLUMN - 12), _P_BEFORE_QRS[0] + 1, last - 60).astype(np.int64)
    off = np.clip(np.nan_to_num(np.rint(qrs_off), nan=R_COLUMN + 12), on + 8, last - 40).astype(np.int64)
    rr_s = np.clip(np.nan_to_num(rr_ms / 1000, nan=1.0), 0.3, 1.2).astype(np.float32)
    smooth = ndimage.gaussian_filter1d(beats, _SMOOTHED_SAMPLES, axis=-1)
    by_lead = _qrs_of_leads(beats, on, off)
    size = _magnitude(smooth)
    peak = _t_peak(size, off, rr_s)
    by_lead |= _st_t_of_leads(smooth, off, rr_s, peak, by_lead["pp_mv"])
    p_waves, overall = _p_waves(beats, smooth, on)
    by_lead |= p_waves
    overall |= _intervals(size, on, off, rr_s, peak)
    overall |= _vectors(beats, on, off, rr_s, peak) | _axes(by_lead) | _voltages(by_lead)
    table = {f"{lead}_{name}": rows[:, k] for name, rows in by_lead.items() for k, lead in enumerate(STANDARD_LEADS)}
    return {name: np.asarray(column, dtype=np.float32) for name, column in (table | overall).items()}


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """Names of all that a model may be told: of the beat, of the rhythm, of the subject."""
    flat = np.zeros((1, len(STANDARD_LEADS), N_COLUMNS), np.float32)
    with np.errstate(all="ignore"):
        table = beat_features(flat, *np.full((3, 1), np.nan, np.float32))
    return (*table, *RHYTHM_NAMES, "age_years", "female")


def rhythm_features(r_index: IntArray, share_left_out: float) -> dict[str, float]:
    """Rate and irregularity of one recording.

    Parameters
    ----------
    r_index : ndarray of int64, shape (n_beats,)
        R peaks at `ANALYSIS_RATE_HZ`.
    share_left_out : float
        Of the beats, those that are not like the median beat.

    Returns
    -------
    dict of str to float
        NaN where fewer than three beats leave it open.
    """
    rr = np.diff(r_index) * _MS
    if rr.size < 2:
        return dict.fromkeys(RHYTHM_NAMES, np.nan) | {"left_out_share": share_left_out}
    middle, mean = float(np.median(rr)), float(rr.mean())
    successive = float(np.sqrt(np.square(np.diff(rr)).mean()))
    values = (60_000 / middle, rr.std() / mean, successive / mean, rr.min() / middle, rr.max() / middle, share_left_out)
    return dict(zip(RHYTHM_NAMES, map(float, values), strict=True))


RHYTHM_NAMES: Final = (
    "heart_rate_bpm", "rr_variation", "rr_successive", "rr_shortest_ratio", "rr_longest_ratio", "left_out_share",
)  # fmt: skip


def subject_features(subjects: Sequence[Subject]) -> tuple[FloatArray, FloatArray]:
    """Age in years and whether female, NaN where it is not known; each (n,)."""
    age = [np.nan if one.age_years is None else one.age_years for one in subjects]
    female = [np.nan if one.sex is None else _FEMALE[one.sex] for one in subjects]
    return np.array(age, dtype=np.float32), np.array(female, dtype=np.float32)


def _limb_leads_completed(beats: FloatArray) -> FloatArray:
    """Limb leads that cannot be read, from those that can (least squares by Einthoven's and Goldberger's equations)."""
    missing: BoolArray = np.asarray(np.isnan(beats[:, :6]).any(axis=-1), dtype=np.bool_)
    if not missing.any():
        return beats
    beats = beats.copy()
    for row in np.flatnonzero(missing.any(axis=1)):
        known = ~missing[row]
        if known.sum() >= _LIMB_NEEDED:
            mixing = LIMB_OF_I_AND_II[~known] @ np.linalg.pinv(LIMB_OF_I_AND_II[known])
            beats[row, np.flatnonzero(~known)] = mixing @ beats[row, :6][known]
    return beats


def _at(rows: FloatArray, column: IntArray) -> FloatArray:
    """Value of each lead at a column of the recording, (n, 12), or at one of each lead's own."""
    column = np.clip(column, 0, rows.shape[-1] - 1)
    index = column[:, None, None] if column.ndim == 1 else column[..., None]
    return np.take_along_axis(rows, np.broadcast_to(index, (*rows.shape[:2], 1)), axis=-1)[..., 0]


def _within(n_columns: int, first: IntArray, after: IntArray) -> BoolArray:
    """Columns from `first` up to but without `after`, shape (…, n_columns)."""
    columns = np.arange(n_columns)
    return np.asarray((columns >= first[..., None]) & (columns < after[..., None]))


def _qrs_of_leads(beats: FloatArray, on: IntArray, off: IntArray) -> Table:
    """Q, R, S, R', their ratio, area, first forces and notches, each (n, 12); durations in ms."""
    # One row for the QRS complex of each lead, from its onset on; after its end the last value stays, at least once, so
    # that nothing depends on which other beats are measured beside it.
    n_qrs = int((off - on).max()) + 2
    width = (off - on + 1)[:, None]
    columns = np.minimum(on[:, None] + np.arange(n_qrs), off[:, None])
    qrs = np.take_along_axis(beats, np.broadcast_to(columns[:, None], (*beats.shape[:2], n_qrs)), axis=-1)
    place = np.arange(n_qrs)
    top, bottom = qrs.max(axis=-1), qrs.min(axis=-1)
    at_top, at_bottom = qrs.argmax(axis=-1), qrs.argmin(axis=-1)
    before, after = place <= at_top[..., None], place >= at_top[..., None]
    r = np.maximum(top, 0)
    q = -np.where(before, qrs, 0).min(axis=-1)
    s = -np.where(after, qrs, 0).min(axis=-1)
    r2 = np.where(place >= at_bottom[..., None], qrs, 0).max(axis=-1)
    up, down = _first(qrs > _DEFLECTION_MV, width), _first(qrs < -_DEFLECTION_MV, width)
    initial_r = np.where(place < down[..., None], qrs, 0).max(axis=-1)
    known = np.where(np.isnan(top), np.float32(np.nan), np.float32(0))
    deepest, extent = np.maximum(q, s), top - bottom
    inside = place < width[..., None]
    slope = np.gradient(qrs, axis=-1)
    steep = inside & (np.abs(slope) > 0.02 * np.maximum(extent, 0.1)[..., None])
    return {
        "r_mv": r + known,
        "q_mv": q + known,
        "s_mv": s + known,
        "q_ms": np.where(down < up, up - down, 0) * _MS + known,
        "first_r_mv": np.where(up < down, initial_r, 0) + known,
        "r2_mv": r2 + known,
        "qrs_area": (qrs * inside).sum(axis=-1) * _MS / 100,
        "net_mv": r + bottom,
        "pp_mv": extent,
        "rs_ratio": (r - deepest) / (r + deepest + 0.05) + known,
        "r_peak_ms": at_top * _MS + known,
        "qrs20_mv": qrs[..., 5],
        "qrs40_mv": qrs[..., min(10, n_qrs - 1)],
        "turns": _sign_changes(slope, steep) + known,
    }


def _first(mask: BoolArray, otherwise: IntArray) -> IntArray:
    """First true column, `otherwise` where there is none."""
    return np.asarray(np.where(mask.any(axis=-1), mask.argmax(axis=-1), otherwise), dtype=np.int64)


def _sign_changes(slope: FloatArray, where: BoolArray) -> FloatArray:
    """How often the slope turns, counted over the steep samples alone."""
    sign = np.where(where, np.sign(slope), 0).astype(np.int8)
    index = np.where(sign != 0, np.arange(sign.shape[-1]), 0)
    held = np.take_along_axis(sign, np.maximum.accumulate(index, axis=-1), axis=-1)
    changes: FloatArray = ((held[..., 1:] * held[..., :-1]) < 0).sum(axis=-1).astype(np.float32)
    return changes


def _t_window(off: IntArray, rr_s: FloatArray) -> tuple[IntArray, IntArray]:
    first = off + _T_AFTER_QRS
    latest = R_COLUMN + np.minimum((0.12 + 0.42 * np.sqrt(rr_s)) * ANALYSIS_RATE_HZ, _T_LATEST).astype(np.int64)
    return first, np.maximum(latest, first + 15)


def _magnitude(rows: FloatArray) -> FloatArray:
    """Root of the sum of squares of the independent leads that are known, shape (n, n_columns)."""
    known = rows[:, _INDEPENDENT]
    total: FloatArray = np.sqrt(np.square(np.where(np.isnan(known), np.float32(0), known)).sum(axis=1))
    return total


def _t_peak(size: FloatArray, off: IntArray, rr_s: FloatArray) -> IntArray:
    first, after = _t_window(off, rr_s)
    where = _within(size.shape[-1], first, after)
    return np.asarray(np.where(where, size, -1).argmax(axis=-1), dtype=np.int64)


def _st_t_of_leads(smooth: FloatArray, off: IntArray, rr_s: FloatArray, peak: IntArray, extent: FloatArray) -> Table:
    """ST levels and T wave, each (n, 12), mV."""
    first, after = _t_window(off, rr_s)
    where = _within(smooth.shape[-1], first, after)[:, None]
    wide = slice(int(first.min()), int(after.max()))
    inside, within = where[..., wide], smooth[..., wide]
    t_mv = _at(smooth, peak)
    out = {f"j{ms}_mv": _at(smooth, off + round(ms / _MS)) for ms in _J_MS}
    return out | {
        "t_highest_mv": np.where(inside, within, -np.inf).max(axis=-1),
        "t_lowest_mv": np.where(inside, within, np.inf).min(axis=-1),
        "t_mv": t_mv,
        "t_mean_mv": np.where(where, smooth, 0).sum(axis=-1) / where.sum(axis=-1),
        "t_to_qrs": t_mv / (extent + 0.1),
        "st_slope_mv": out["j80_mv"] - out["j0_mv"],
    }


def _p_waves(beats: FloatArray, smooth: FloatArray, on: IntArray) -> tuple[Table, Table]:
    """P wave in each lead (n, 12) and of all leads (n,), above the line through the ends of its window."""
    first, after = _P_BEFORE_QRS
    n_window = first - after
    columns = (on - first)[:, None] + np.arange(n_window)
    index = np.broadcast_to(columns[:, None], (*smooth.shape[:2], n_window))
    window = np.take_along_axis(smooth, index, axis=-1)
    share = np.linspace(0, 1, n_window, dtype=np.float32)
    bent = window - window[..., :1] * (1 - share) - window[..., -1:] * share
    size = _magnitude(bent)
    height, at = size.max(axis=-1), size.argmax(axis=-1)
    ends = (window[..., 0] + window[..., -1]) / 2
    raw = np.take_along_axis(beats, index, axis=-1)
    by_lead = {
        "p_mv": _at(raw, at) - (raw[..., 0] + raw[..., -1]) / 2,
        "p_lowest_mv": window.min(axis=-1) - ends,
        "p_highest_mv": window.max(axis=-1) - ends,
    }
    wide = size > 0.4 * height[:, None]
    overall = {
        "p_peak_to_qrs_ms": (first - at) * _MS,
        "p_size_mv": height,
        "p_width_ms": wide.sum(axis=-1) * _MS,
        "p_begin_to_qrs_ms": (first - (size > 0.3 * height[:, None]).argmax(axis=-1)) * _MS,
    }
    return by_lead, overall


def _intervals(size: FloatArray, on: IntArray, off: IntArray, rr_s: FloatArray, peak: IntArray) -> Table:
    """QRS, and QT by the tangent to the steepest fall of all leads together; ms, each (n,)."""
    fall = -np.gradient(size, axis=-1)
    where = _within(size.shape[-1], peak, np.minimum(peak + 40, size.shape[-1]))
    steepest = np.where(where, fall, -np.inf).argmax(axis=-1)
    rows = np.arange(len(size))
    reach = size[rows, steepest] / np.maximum(fall[rows, steepest], 1e-4)
    end = np.minimum(steepest + np.minimum(reach, 40), size.shape[-1])
    qt_ms = (end - on) * _MS
    return {
        "qrs_ms": (off - on) * _MS,
        "qt_ms": qt_ms,
        "qt_bazett_ms": qt_ms / np.sqrt(rr_s),
        "qt_fridericia_ms": qt_ms / np.cbrt(rr_s),
        "t_peak_to_end_ms": (end - peak) * _MS,
        "qrs_to_t_peak_ms": (peak - on) * _MS / np.sqrt(rr_s),
    }


def _vectors(beats: FloatArray, on: IntArray, off: IntArray, rr_s: FloatArray, peak: IntArray) -> Table:
    """Vectorcardiogram: mean and largest QRS vector, T vector, ventricular gradient, and angles between; each (n,)."""
    loop = np.einsum("ck,nkt->nct", _KORS, beats[:, _INDEPENDENT])
    size = np.sqrt(np.square(loop).sum(axis=1))
    in_qrs = _within(beats.shape[-1], on, off + 1)
    around_t = _within(beats.shape[-1], peak - 5, peak + 6)
    all_of_it = _within(beats.shape[-1], on, _t_window(off, rr_s)[1])
    mean_qrs = (loop * in_qrs[:, None]).sum(axis=-1) / in_qrs.sum(axis=-1)[:, None]
    t_vector = (loop * around_t[:, None]).sum(axis=-1) / 11
    at_largest = np.where(in_qrs, np.nan_to_num(size), -1).argmax(axis=-1)
    largest = _at(loop, at_largest)
    gradient = (loop * all_of_it[:, None]).sum(axis=-1) * _MS / 1000
    vectors = {"qrs": mean_qrs, "t": t_vector, "largest": largest, "gradient": gradient}
    out = {f"{name}_{axis}": rows[:, k] for name, rows in vectors.items() for k, axis in enumerate("xyz")}
    return out | {
        "qrs_t_angle_deg": _angle(mean_qrs, t_vector),
        "largest_t_angle_deg": _angle(largest, t_vector),
        "qrs_vector_mv": np.linalg.norm(largest, axis=-1),
        "t_vector_mv": np.linalg.norm(t_vector, axis=-1),
    }


def _angle(a: FloatArray, b: FloatArray) -> FloatArray:
    cosine = (a * b).sum(axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1) + _TINY)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))), dtype=np.float32)


def _axes(by_lead: Table) -> Table:
    """Frontal axes, degrees from -150 to 210, with cosine and sine; each (n,)."""
    lead_i, avf = STANDARD_LEADS.index("I"), STANDARD_LEADS.index("aVF")
    out: Table = {}
    for name, of in (("qrs_axis", "qrs_area"), ("net_axis", "net_mv"), ("t_axis", "t_mv"), ("p_axis", "p_mv")):
        rows = by_lead[of]
        radians = np.arctan2(2 / np.sqrt(3) * rows[:, avf], rows[:, lead_i])
        degrees = np.degrees(radians)
        out[f"{name}_deg"] = np.where(degrees > -150, degrees, degrees + 360)
        out[f"{name}_cos"], out[f"{name}_sin"] = np.cos(radians), np.sin(radians)
    out["frontal_qrs_t_deg"] = np.abs((out["qrs_axis_deg"] - out["t_axis_deg"] + 180) % 360 - 180)
    return out


def _voltages(by_lead: Table) -> Table:
    """Voltage sums and what several leads say together; each (n,)."""

    def lead(of: str, name: str) -> FloatArray:
        return by_lead[of][:, STANDARD_LEADS.index(name)]

    def several(of: str, names: str) -> FloatArray:
        return by_lead[of][:, [STANDARD_LEADS.index(name) for name in names.split()]]

    cornell = lead("r_mv", "aVL") + lead("s_mv", "V3")
    chest = several("rs_ratio", "V1 V2 V3 V4 V5 V6") > 0
    r_chest = several("r_mv", "V1 V2 V3 V4")
    return {
        "sokolow_lyon_mv": lead("s_mv", "V1") + several("r_mv", "V5 V6").max(axis=-1),
        "cornell_mv": cornell,
        "rvh_mv": lead("r_mv", "V1") + several("s_mv", "V5 V6").max(axis=-1),
        "lewis_mv": lead("r_mv", "I") + lead("s_mv", "III") - lead("s_mv", "I") - lead("r_mv", "III"),
        "peguero_mv": several("s_mv", "V1 V2 V3 V4").max(axis=-1) + lead("s_mv", "V4"),
        "limb_pp_mv": several("pp_mv", "I II III").mean(axis=-1),
        "all_pp_mv": by_lead["pp_mv"].sum(axis=-1),
        "r_progression_mv": np.diff(r_chest, axis=-1).min(axis=-1),
        "transition": np.where(chest.any(axis=-1), chest.argmax(axis=-1), _NO_TRANSITION),
        "inferior_q_ms": np.minimum(np.maximum(lead("q_ms", "II"), lead("q_ms", "III")), lead("q_ms", "aVF")),
        "anterior_q_ms": np.minimum(np.maximum(lead("q_ms", "V2"), lead("q_ms", "V4")), lead("q_ms", "V3")),
        "lateral_t_mv": several("t_mv", "I V5 V6").min(axis=-1),
        "lowest_t_mv": several("t_mv", "I II aVL V3 V4 V5 V6").min(axis=-1),
        "lowest_j60_mv": several("j60_mv", "I II III aVL aVF V3 V4 V5 V6").min(axis=-1),
        "highest_j60_mv": several("j60_mv", "I II III aVL aVF V3 V4 V5 V6").max(axis=-1),
        "all_turns": by_lead["turns"].sum(axis=-1) - lead("turns", "aVR"),
    }
