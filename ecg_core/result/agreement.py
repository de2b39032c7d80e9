"""How far the methods that explain every abnormal beat agree, summed up while their attributions are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.result import BeatAttributions, BeatTable


def agreement_rows(beats: BeatTable, attributions: Sequence[BeatAttributions]) -> list[dict[str, Any]]:
    """Compare each pair of methods over the abnormal, analysable beats that both explain.

    Returns
    -------
    list of dict
        The columns of ``ecg.method_agreement`` but the scoring run. The overlap of two distributions over the segments
        is the sum of the smaller share of each: 1 minus their total variation distance.
    """
    rows = []
    in_order = sorted(attributions, key=lambda given: given.method)
    for one, other in combinations(in_order, 2):
        shares = one.segment_shares.astype(np.float64), other.segment_shares.astype(np.float64)
        known = beats.analysable & np.isfinite(shares[0]).all(axis=1) & np.isfinite(shares[1]).all(axis=1)
        overlap = np.minimum(*shares).sum(axis=1)
        for index, name in enumerate(CLASSES):
            chosen = known & (beats.class_index == index)
            if name == "N" or not chosen.any():
                continue
            same = shares[0][chosen].argmax(axis=1) == shares[1][chosen].argmax(axis=1)
            rows.append(
                {
                    "class": name,
                    "one_method": one.method,
                    "other_method": other.method,
                    "n_beats": int(chosen.sum()),
                    "mean_overlap_share": float(np.clip(overlap[chosen].mean(), 0, 1)),
                    "same_segment_share": float(same.mean()),
                }
            )
    return rows
