"""The same signal under another format, name or header is the same signal: a fingerprint of its samples."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from ecg_core.recording import Recording

_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
_STEP_MV = 0.005
_MISSING = -32768
_BLOCK = 1 << 20


def fingerprint(recording: Recording) -> str:
    """Return a SHA-256 (hex) of a recording's samples that does not depend on how a file stores them.

    Taken are leads I, II and V1 to V6, as many as there are and in this order (the other limb leads follow from them,
    and some formats leave them out); where there is none of them, all leads in the file's order. Samples are rounded to
    steps of 5 µV, so that formats of other resolutions agree where a recording was written in such steps. Padding, that
    is rows of zeros or missing samples at both ends, is left out; the rate goes in as whole hertz. A recording that is
    padding alone has its own id for a fingerprint: it is the same as no other.

    Parameters
    ----------
    recording : Recording
    """
    names = recording.lead_names
    columns = [names.index(name) for name in _LEADS if name in names] or list(range(len(names)))
    first, last = _without_padding(recording.signal, columns)
    if first == last:
        return recording.recording_id
    digest = hashlib.sha256(f"{recording.sampling_rate_hz:.0f} Hz, {len(columns)} leads".encode())
    for start in range(first, last, _BLOCK):
        digest.update(_steps(recording.signal[start : min(start + _BLOCK, last)], columns).tobytes())
    return digest.hexdigest()


def _steps(part: npt.NDArray[np.float32], columns: list[int]) -> npt.NDArray[np.int16]:
    steps = np.round(part[:, columns].astype(np.float64) / _STEP_MV)
    return np.where(np.isnan(steps), _MISSING, np.clip(steps, -32767, 32767)).astype("<i2")


def _without_padding(signal: npt.NDArray[np.float32], columns: list[int]) -> tuple[int, int]:
    """First row that is more than padding, and the row after the last one."""
    first, last = 0, len(signal)
    while first < last:
        steps = _steps(signal[first : min(first + _BLOCK, last)], columns)
        filled = np.flatnonzero(((steps != 0) & (steps != _MISSING)).any(axis=1))
        if filled.size:
            first += int(filled[0])
            break
        first += len(steps)
    while last > first:
        steps = _steps(signal[max(first, last - _BLOCK) : last], columns)
        filled = np.flatnonzero(((steps != 0) & (steps != _MISSING)).any(axis=1))
        if filled.size:
            last -= len(steps) - 1 - int(filled[-1])
            break
        last -= len(steps)
    return first, last
