"""A recording's beats as WFDB annotations: as they were scored, and as readers corrected them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable, Reviewed

SCORED: Final = "ecg"
"""Suffix of annotations that hold the beats as they were scored: ``<name>.ecg``, beside ``<name>.hea``."""
CORRECTED: Final = "rev"
"""Suffix of annotations that hold the beats as readers corrected them."""
NOT_ANALYSABLE: Final = "?"
"""Of such a beat nothing is claimed; WFDB's symbol for a beat that was not classified."""


def scored_annotations(beats: BeatTable, sampling_rate_hz: float) -> bytes:
    """Write all beats as a WFDB annotation file's bytes: N, S, V, F, Q, or `NOT_ANALYSABLE`."""
    symbols = [
        CLASSES[index] if analysable else NOT_ANALYSABLE
        for index, analysable in zip(beats.class_index, beats.analysable, strict=True)
    ]
    return _annotation_file(beats.r_sample, symbols, [""] * len(beats), sampling_rate_hz)


def corrected_annotations(reviewed: Reviewed) -> bytes:
    """Write the beats that stand; those that a reader corrected or added carry the note ``reviewed``.

    Beats that are not analysable are left out.
    """
    beats = reviewed.result.beats
    told = {change.r_time_s for change in reviewed.changes}
    rows = np.flatnonzero(beats.analysable)
    notes = ["reviewed" if float(beats.r_time_s[row]) in told else "" for row in rows]
    symbols = [CLASSES[beats.class_index[row]] for row in rows]
    return _annotation_file(beats.r_sample[rows], symbols, notes, reviewed.result.recording.sampling_rate_hz)


def _annotation_file(
    samples: npt.NDArray[np.int64], symbols: Sequence[str], notes: Sequence[str], sampling_rate_hz: float
) -> bytes:
    """Let wfdb write the file, samples at the recording's own rate; without a beat it is its end mark alone."""
    import wfdb

    if not symbols:
        return b"\0\0"
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrann(
            "beats",
            SCORED,
            samples,
            symbol=list(symbols),
            aux_note=list(notes) if any(notes) else None,
            fs=sampling_rate_hz if math.isfinite(sampling_rate_hz) else None,
            write_dir=folder,
        )
        return (Path(folder) / f"beats.{SCORED}").read_bytes()
