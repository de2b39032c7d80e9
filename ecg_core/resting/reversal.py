"""Exchanged electrodes: found by Einthoven's law and by the shape of the beats, not from what a database taught.

What an exchange does to the limb leads follows from Einthoven's triangle; leads V1 to V6 hardly change, since their
reference is the mean of all three limbs (Kligfield et al. 2007, AHA/ACC/HRS, doi 10.1161/CIRCULATIONAHA.106.180200):

- arms: lead I upside down, II and III exchanged, aVR and aVL exchanged;
- right arm and left leg: leads I, II and III upside down, I and III exchanged, aVR and aVF exchanged;
- right leg with an arm: lead II (right arm) or III (left arm) is almost flat; with both arms on the legs, lead I.

Left arm against left leg exchanges I and II, which look alike in health: one ECG does not show it, and it is not looked
for. The two legs exchanged change nothing. The limits were chosen on normal records of PTB-XL's folds 1 to 8; that
a wide complex without a P wave is left out was learned from record 144, of fold 9.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.resting.amplitudes import Amplitudes
from ecg_core.resting.leads import CHEST_LEADS, LIMB_LEADS, LIMB_OF_I_AND_II
from ecg_core.resting.median_beat import R_COLUMN, MedianBeat
from ecg_core.result.intervals import WIDE_QRS_MS
from ecg_core.result.resting import Measurement, RestingFinding

Values = npt.NDArray[np.float64]

# From the P wave to the end of the T wave.
_BEAT: Final = slice(R_COLUMN - 75, R_COLUMN + 125)
_LIKE_WITHOUT_P: Final = -0.5
_FLAT: Final = 0.1
_INCONSISTENT: Final = 0.2
_SHORTER: Final = 0.05
_LAWFUL: Final = LIMB_OF_I_AND_II @ np.linalg.pinv(LIMB_OF_I_AND_II)

UNDO: Final = {
    "reversal_arms": ((0, 2, 1, 4, 3, 5), (-1, 1, 1, 1, 1, 1)),
    "reversal_right_arm_left_leg": ((2, 1, 0, 5, 4, 3), (-1, -1, -1, 1, 1, 1)),
}
"""Where each of the six limb leads went, and its sign there. Applied twice it changes nothing, so it also exchanges."""

_ORDERS: Final[tuple[tuple[int, ...], ...]] = (
    (5, 4, 3, 2, 1, 0),
    *(
        tuple(second if k == first else first if k == second else k for k in range(6))
        for first, second in combinations(range(6), 2)
    ),
)


def reversal_findings(
    beat: MedianBeat, measured: Amplitudes, qrs_ms: float, limb_mv: FloatArray
) -> list[RestingFinding]:
    """Look for exchanged electrodes.

    Parameters
    ----------
    beat : MedianBeat
        Of `ecg_core.resting.leads.STANDARD_LEADS`.
    measured : Amplitudes
        Of the same beat.
    qrs_ms : float
    limb_mv : ndarray of float32, shape (6, n)
        The limb leads of the whole recording, after `ecg_core.signal.clean`.

    Returns
    -------
    list of RestingFinding
        ``reversal_arms``, ``reversal_right_arm_left_leg``, ``reversal_right_leg``, ``limb_leads_inconsistent`` (I + III
        is not II, or the like: leads named wrongly, or not recorded at the same time) or none of these, and
        ``reversal_chest``. What it would take a lead for that cannot be read is not looked for.
    """
    rows = beat.signal_mv[:, _BEAT].astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    limbs = _triangle(limb_mv) or _limb_leads(rows, measured, qrs_ms)
    if limbs is not None and limbs.kind in UNDO:
        rows = exchanged(rows, limbs.kind)
    return [finding for finding in (limbs, _chest_leads(rows)) if finding is not None]


def exchanged(rows: Values, kind: str) -> Values:
    """Exchange the electrodes of an arm (a key of `UNDO`) in rows of the standard leads; shape (12, …) in and out."""
    places, signs = UNDO[kind]
    out = rows.copy()
    out[:6] = rows[list(places)] * np.reshape(signs, (6,) + (1,) * (rows.ndim - 1))
    return out


def _triangle(limb_mv: FloatArray) -> RestingFinding | None:
    """Hold Einthoven's and Goldberger's laws against the whole recording, and find a lead in which nothing happens.

    By them the six limb leads have two degrees of freedom; what is left beside these is noise.
    """
    left = limb_mv - _LAWFUL @ limb_mv
    size = np.sqrt(np.square(limb_mv[:3]).mean(axis=1))
    largest = max(float(np.sqrt(np.square(limb_mv).mean(axis=1)).max()), 1e-9)
    off = float(np.sqrt(np.square(left).mean(axis=1)).max()) / largest
    if off > _INCONSISTENT:
        off_by = Measurement(None, "einthoven_off_by", off, "1")
        return RestingFinding("limb_leads_inconsistent", LIMB_LEADS, (off_by,), _INCONSISTENT)
    lead = LIMB_LEADS[int(size.argmin())]
    share = Measurement(lead, "share_of_largest", float(size.min()) / largest, "1")
    return RestingFinding("reversal_right_leg", (lead,), (share,), _FLAT) if share.value < _FLAT else None


def _limb_leads(rows: Values, measured: Amplitudes, qrs_ms: float) -> RestingFinding | None:
    """Hold leads I and II against V5 and V6: one that is a mirror image of them is upside down.

    In sinus rhythm its P wave must be negative too; without P waves it must be so by far, and the QRS complex narrow:
    paced and ventricular beats point anywhere.
    """
    if not np.isfinite(rows[:2]).all():
        return None
    lateral = rows[10:12][np.isfinite(rows[10:12]).all(axis=1)]
    if not lateral.size:
        return None
    likeness = [_correlation(rows[k], lateral.mean(axis=0)) for k in (0, 1)]
    which = int(np.argmin(likeness))
    p_area = measured.p_area[which]
    limit = 0.0 if np.isfinite(p_area) else _LIKE_WITHOUT_P
    anywhere = not np.isfinite(p_area) and qrs_ms >= WIDE_QRS_MS
    if likeness[which] >= limit or p_area >= 0 or anywhere:
        return None
    like = Measurement(LIMB_LEADS[which], "likeness_to_v5_v6", likeness[which], "1")
    return RestingFinding(list(UNDO)[which], LIMB_LEADS, (like,), limit)


def _chest_leads(rows: Values) -> RestingFinding | None:
    """Find whether another order of V1 to V6 is smoother: neighbours look alike, V1 like aVR, V6 like aVR turned.

    The way through signal space from aVR over V1 … V6 to -aVR (the sum of the distances between medians of beats) is
    compared with that after each exchange of two leads, and after turning the whole row.
    """
    if not np.isfinite(rows[[3, *range(6, 12)]]).all():
        return None
    places = np.stack([rows[3], *rows[6:12], -rows[3]])
    products = places @ places.T
    squares: Values = np.diag(products)
    distance: Values = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    length = _way(distance, tuple(range(6)))
    ways = [_way(distance, order) for order in _ORDERS]
    shorter = 1 - min(ways) / max(length, 1e-9)
    if shorter <= _SHORTER:
        return None
    order = _ORDERS[int(np.argmin(ways))]
    leads = tuple(lead for k, lead in enumerate(CHEST_LEADS) if order[k] != k)
    return RestingFinding("reversal_chest", leads, (Measurement(None, "way_shorter_by", shorter, "1"),), _SHORTER)


def _way(distance: Values, order: tuple[int, ...]) -> float:
    stops = [0, *(k + 1 for k in order), 7]
    return float(distance[stops[:-1], stops[1:]].sum())


def _correlation(a: Values, b: Values) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / max(size, 1e-12)
