"""A recording's beats as WFDB annotations."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable

ANNOTATOR: Final = "rev"
"""Suffix of WFDB annotations that hold the beats as readers corrected them."""


def annotation_file(beats: BeatTable, class_index: np.ndarray, told: set[int], rate_hz: float) -> bytes:
    """Write beats as a WFDB annotation file's bytes; `told` are the rows that a reader corrected."""
    import wfdb

    kept = [row for row in range(len(beats)) if beats.analysable[row] or row in told]
    if not kept:
        return b"\0\0"  # the end mark alone: no beat
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrann(
            "beats",
            ANNOTATOR,
            beats.r_sample[kept],
            symbol=[CLASSES[int(class_index[row])] for row in kept],
            aux_note=["reviewed" if row in told else "" for row in kept],
            fs=rate_hz if math.isfinite(rate_hz) else None,
            write_dir=folder,
        )
        return (Path(folder) / f"beats.{ANNOTATOR}").read_bytes()
