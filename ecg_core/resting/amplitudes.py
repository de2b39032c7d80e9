"""What is read off the median beat lead by lead: Q, R, S, J, ST, T and P in millivolts, and the electrical axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.resting.leads import LIMB_OF_I_AND_II
from ecg_core.resting.median_beat import MedianBeat
from ecg_core.result import ANALYSIS_RATE_HZ

Values = npt.NDArray[np.float64]

SMALLEST_WAVE_MV: Final = 0.025
"""Smaller deflections within a QRS complex are noise; the CSE working party (Eur Heart J 6:815, 1985) reads from 20 µV,
on recordings without muscle noise."""
_MS: Final = 1000 / ANALYSIS_RATE_HZ
_SIXTY_MS: Final = round(0.06 * ANALYSIS_RATE_HZ)
_NO_AXIS_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Amplitudes:
    """Of each lead; every array has shape (n_leads,). Against the PQ level; NaN in a lead that cannot be read.

    Attributes
    ----------
    q_mv, r_mv, s_mv, r2_mv : ndarray of float64
        Q and S ≤ 0, R and R' ≥ 0; 0 where the wave is absent. A complex without a positive wave (QS) is a Q.
    q_ms, r_ms, s_ms : ndarray of float64
        Durations of Q, R and S, 0 where absent.
    r_peak_time_ms : ndarray of float64
        From the onset of the QRS complex to the peak of the last positive wave; NaN where there is none.
    j_mv, j60_mv : ndarray of float64
        At the end of the QRS complex (J), and 60 ms after.
    t_mv, p_mv : ndarray of float64
        The largest deflection, signed; NaN where there is no such wave.
    t_area, p_area : ndarray of float64
        Millivolts times milliseconds; NaN where there is no such wave.
    """

    q_mv: Values
    r_mv: Values
    s_mv: Values
    r2_mv: Values
    q_ms: Values
    r_ms: Values
    s_ms: Values
    r_peak_time_ms: Values
    j_mv: Values
    j60_mv: Values
    t_mv: Values
    p_mv: Values
    t_area: Values
    p_area: Values


@dataclass(frozen=True, slots=True)
class _Lobe:
    """A stretch of one sign within a QRS complex: height in mV, columns from its onset."""

    height_mv: float
    begin: float
    end: float
    top: int


def amplitudes(beat: MedianBeat) -> Amplitudes:
    """Measure each lead of a median beat.

    Parameters
    ----------
    beat : MedianBeat
        Of any leads.

    Returns
    -------
    Amplitudes
    """
    on, off = round(beat.points["qrs_on"]), round(beat.points["qrs_off"])
    complexes = beat.signal_mv[:, on : off + 1].astype(np.float64)
    q, r, s, r2, q_ms, r_ms, s_ms, peak_ms = np.array([_qrs(row) for row in complexes]).T
    j, j60 = (beat.signal_mv[:, at - 1 : at + 2].mean(axis=1).astype(np.float64) for at in (off, off + _SIXTY_MS))
    t_mv, t_area = _wave(beat, "t_on", "t_off", bent=False)
    p_mv, p_area = _wave(beat, "p_on", "p_off", bent=True)
    return Amplitudes(q, r, s, r2, q_ms, r_ms, s_ms, peak_ms, j, j60, t_mv, p_mv, t_area, p_area)


def axis_degrees(net: Values) -> float:
    """Electrical axis in the frontal plane.

    The angle of the vector that fits the limb leads' net deflections best (least squares over Einthoven's triangle;
    Kligfield et al. 2007, AHA/ACC/HRS, doi 10.1161/CIRCULATIONAHA.106.180200).

    Parameters
    ----------
    net : ndarray of float64, shape (12,)
        Net deflection of one wave in `ecg_core.resting.leads.STANDARD_LEADS`: height of the positive less depth of the
        negative wave, or the area.

    Returns
    -------
    float
        Above -180, at most 180; 0 along lead I, 90 along aVF. NaN (indeterminate) where fewer than two limb leads can
        be read or the vector is less than a fiftieth of the largest deflection in any lead.
    """
    limb = net[:6]
    readable = np.isfinite(limb)
    if readable.sum() < 2:
        return float("nan")
    lead_i, lead_ii = np.linalg.pinv(LIMB_OF_I_AND_II[readable]) @ limb[readable]
    x, y = lead_i, (2 * lead_ii - lead_i) / np.sqrt(3)
    if np.hypot(x, y) <= _NO_AXIS_SHARE * np.nanmax(np.abs(net)):
        return float("nan")
    return float(np.degrees(np.arctan2(y, x)))


def _qrs(row: Values) -> tuple[float, ...]:
    """Q, R, S, R' (mV), durations of Q, R and S and R peak time (ms) of one lead's QRS complex."""
    if not np.isfinite(row).all():
        return (float("nan"),) * 8
    lobes = _lobes(row)
    first_up = next((k for k, lobe in enumerate(lobes) if lobe.height_mv > 0), len(lobes))
    q = lobes[:first_up][-1] if first_up else None
    rest = lobes[first_up:]
    r, s, r2 = ([*rest, None, None, None])[:3]
    ups = [lobe for lobe in rest if lobe.height_mv > 0]
    heights = [lobe.height_mv if lobe else 0.0 for lobe in (q, r, s, r2)]
    widths = [(lobe.end - lobe.begin) * _MS if lobe else 0.0 for lobe in (q, r, s)]
    return (*heights, *widths, ups[-1].top * _MS if ups else float("nan"))


def _lobes(row: Values) -> list[_Lobe]:
    """Stretches of one sign whose height counts, alternating in sign."""
    lobes: list[_Lobe] = []
    at = 0
    for positive, run in groupby(row > 0):
        length = len(list(run))
        part = row[at : at + length]
        top = int(np.abs(part).argmax())
        if abs(part[top]) >= SMALLEST_WAVE_MV:
            # The first wave begins where it leaves the noise, not where the complex begins in another lead.
            begin = at if lobes else at + int((np.abs(part) >= SMALLEST_WAVE_MV / 2).argmax())
            lobe = _Lobe(float(part[top]), _crossing(row, begin), _crossing(row, at + length), at + top)
            lobes = _joined(lobes, lobe, positive=bool(positive))
        at += length
    return lobes


def _joined(lobes: list[_Lobe], lobe: _Lobe, positive: bool) -> list[_Lobe]:
    """Append a lobe; two of one sign, with only noise between, are one."""
    if lobes and (lobes[-1].height_mv > 0) == positive:
        before = lobes[-1]
        higher = lobe if abs(lobe.height_mv) > abs(before.height_mv) else before
        return [*lobes[:-1], _Lobe(higher.height_mv, before.begin, lobe.end, higher.top)]
    return [*lobes, lobe]


def _crossing(row: Values, column: int) -> float:
    """Where the straight line between the sample before `column` and that in it crosses 0."""
    if column <= 0 or column >= row.size or row[column - 1] * row[column] >= 0:
        return float(min(column, row.size - 1))
    before, here = float(row[column - 1]), float(row[column])
    return column - 1 + before / (before - here)


def _wave(beat: MedianBeat, begin: str, end: str, bent: bool) -> tuple[Values, Values]:
    """Largest deflection and area of P or T; with `bent`, above the straight line between its ends."""
    n = beat.signal_mv.shape[0]
    first, last = beat.points[begin], beat.points[end]
    if not np.isfinite([first, last]).all() or last - first < 3:
        return np.full(n, np.nan), np.full(n, np.nan)
    part = beat.signal_mv[:, round(first) : round(last) + 1].astype(np.float64)
    if bent:
        part = part - np.linspace(part[:, 0], part[:, -1], part.shape[1], axis=1)
    top = np.abs(np.nan_to_num(part)).argmax(axis=1)
    return np.take_along_axis(part, top[:, None], axis=1)[:, 0], part.sum(axis=1) * _MS
