"""Recurrence plots of resting ECGs: when does a lead come back to a value that it had before.

Eckmann, Kamphorst and Ruelle 1987 (Europhys Lett 4:973).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

N_SAMPLES: Final = 1000
THRESHOLD: Final = 0.2
SIZE: Final = 100
_BLOCK: Final = N_SAMPLES // SIZE
_LEAST_DEVIATION_MV: Final = 0.01


def recurrence_plots(signals_mv: FloatArray) -> npt.NDArray[np.uint8]:
    """Make one picture of twelve channels of each recording.

    Each lead's 1000 samples (ten seconds at 100 Hz) are divided by the lead's own standard deviation. Two samples recur
    where they differ by at most `THRESHOLD` (.2 deviations): a symmetric matrix of 1000 × 1000 zeros and ones. It is
    brought to `SIZE` × `SIZE` (100) by the share of ones in each block of 10 × 10, that is 100 × 100 ms.

    Parameters
    ----------
    signals_mv : ndarray of float32, shape (n, n_leads, 1000)

    Returns
    -------
    ndarray of uint8, shape (n, 100, 100, n_leads)
        Shares from 0 to 100.

    Raises
    ------
    ValueError
        There are not 1000 samples.
    """
    if signals_mv.ndim != 3 or signals_mv.shape[-1] != N_SAMPLES:
        raise ValueError(f"Recurrence plots are made of shape (n, leads, {N_SAMPLES}), not {signals_mv.shape}.")
    plots = np.empty((len(signals_mv), SIZE, SIZE, signals_mv.shape[1]), dtype=np.uint8)
    for plot, leads in zip(plots, np.asarray(signals_mv, dtype=np.float32), strict=True):
        for k, lead in enumerate(leads):
            row = lead / max(float(lead.std()), _LEAST_DEVIATION_MV)
            recurs = np.abs(row[:, None] - row) <= THRESHOLD
            plot[..., k] = recurs.reshape(SIZE, _BLOCK, SIZE, _BLOCK).sum(axis=(1, 3), dtype=np.uint8)
    return plots
