"""Attributions summed over fixed stretches of the beat."""

from __future__ import annotations

import numpy as np

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, SEGMENTS_MS


def segment_shares(values: FloatArray) -> FloatArray:
    """Say which share of the absolute attribution lies in each of `SEGMENTS_MS`.

    Parameters
    ----------
    values : ndarray of float32, shape (n, 256)

    Returns
    -------
    ndarray of float32, shape (n, 3)
        Rows sum to 1; NaN where there is no attribution at all, or it is not finite.
    """
    size = np.abs(values.astype(np.float64))
    edges = [[round(R_INDEX + ms * ANALYSIS_RATE_HZ / 1000) for ms in stretch] for stretch in SEGMENTS_MS.values()]
    sums = np.stack([size[:, first:last].sum(axis=1) for first, last in edges], axis=1)
    total = sums.sum(axis=1, keepdims=True)
    usable = np.isfinite(total) & (total > 0)
    shares: FloatArray = np.full(sums.shape, np.nan, dtype=np.float32)
    np.divide(sums, total, out=shares, where=usable, casting="same_kind")
    return shares
