"""How the samples of a WFDB record are stored: how many there are, and where the file is not what its header says.

Refused are files of another kind (compressed, MATLAB 5 and newer, text), MATLAB 4 matrices whose own header contradicts
the record's, and samples whose checksums hold in another order or format than the header states.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnsupportedFormat
from ecg_core.formats.assembling import MAX_VALUES
from ecg_core.formats.wfdb_header import NO_FILE, SignalLine, WfdbHeader

_KINDS = {
    b"MATLAB 5.0": "one of MATLAB 5",
    b"MATLAB 7.3": "one of MATLAB 7.3",
    b"\x89HDF\r\n\x1a\n": "one of HDF5",
    b"\x1f\x8b\x08": "compressed with gzip",
    b"PK\x03\x04": "a zip archive",
    b"RIFF": "one of sound (WAV)",
}
_RESEND = "Send the recording again with all of its files."
_MATLAB_TYPES = {"16": 3, "32": 2, "80": 5}
"""WFDB's format, and the digit by which MATLAB 4 calls its numbers: int16, int32, uint8."""
_MATLAB_BYTES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
_MOST_OFF = 0.35
"""Of a step, where leads follow each other; a copy of one of two leads is half a step off, other leads more."""
_TEXT = frozenset(b"0123456789+-.,;eE \t\r\n")
_BYTES_PER_SAMPLE = {"8": 1.0, "80": 1.0, "310": 4 / 3, "311": 4 / 3, "212": 1.5, "16": 2.0, "61": 2.0, "160": 2.0}
_BYTES_PER_SAMPLE |= {"24": 3.0, "32": 4.0}
_FLAC = {"508", "516", "524"}


def refuse_other_storage(file: Path, group: list[SignalLine], n_frames: int) -> None:
    """Raise where the file is of a kind that holds no samples as WFDB stores them.

    Parameters
    ----------
    file : Path
    group : list of SignalLine
        The leads that the header says are in it.
    n_frames : int
        That the header promises; 0 where it does not say.

    Raises
    ------
    CorruptHeader
    """
    with file.open("rb") as stream:
        head = stream.read(512)
    kind = next((title for mark, title in _KINDS.items() if head.startswith(mark)), None)
    if kind is None and len(head) > 64 and set(head) <= _TEXT and b"\n" in head:
        kind = "a text of numbers"
    if kind is not None and group[0].format not in _FLAC:
        raise CorruptHeader(
            f"The signal file is {kind}, in which the header cannot point at samples.",
            "Export the recording as WFDB format 16; from MATLAB save it as MATLAB 4 (save -v4).",
        )
    if group[0].offset_bytes:
        _refuse_other_matrix(file, head, group, n_frames)


def _refuse_other_matrix(file: Path, head: bytes, group: list[SignalLine], n_frames: int) -> None:
    """Hold the header of a MATLAB 4 file against the record's: kind of numbers, order, and where they begin."""
    if len(head) < 20:
        return
    kind, rows, columns, _, name_length = struct.unpack("<5i", head[:20])
    begins, digit = 20 + name_length, kind // 10 % 10
    n_bytes = _MATLAB_BYTES.get(digit, 0)
    if not (0 <= kind < 100 and kind % 10 == 0 and 0 < name_length < 100 and min(rows, columns) > 0):
        return
    if begins + rows * columns * n_bytes != file.stat().st_size:
        return
    per_frame = sum(line.samples_per_frame for line in group)
    what = ""
    if digit != _MATLAB_TYPES.get(group[0].format, digit):
        what = f"holds numbers of {n_bytes} bytes of another kind than format {group[0].format}"
    elif rows != per_frame and columns == per_frame:
        what = "holds its samples lead after lead: its matrix has a column, not a row, for each lead"
    elif begins != group[0].offset_bytes:
        what = f"has its first sample at byte {begins}, the header says {group[0].offset_bytes}"
    if what:
        raise CorruptHeader(
            f"The MATLAB file {what}.", "Save it as an int16 matrix of leads × samples, called val (save -v4)."
        )


def refuse_other_order(header: WfdbHeader, files: list[Path], n_frames: int) -> None:
    """Raise where the checksums, wrong as the header has it, are right for another order or format of the samples.

    Raises
    ------
    CorruptHeader
    """
    lines = header.signals
    n = len(lines)
    plain = all(line.samples_per_frame == 1 and line.file != NO_FILE for line in lines)
    room = files[0].stat().st_size - lines[0].offset_bytes
    if len(files) != 1 or not plain or n * n_frames > MAX_VALUES or room < 2 * n * n_frames:
        return
    raw = np.memmap(files[0], dtype="<i2", mode="r", offset=lines[0].offset_bytes, shape=(n * n_frames,))
    wanted = [(line.checksum or 0) % 65536 for line in lines]

    def holds(dtype: str, shape: tuple[int, int], axis: int) -> bool:
        sums = raw.view(dtype).reshape(shape).sum(axis=axis, dtype=np.int64)
        return bool((sums % 65536 == wanted).all())

    if n > 1 and holds("<i2", (n, n_frames), 1):
        raise CorruptHeader(
            "The samples lie lead after lead, but WFDB's are interleaved (by the header's checksums).",
            "Write them interleaved, all leads of one moment after each other, and send the recording again.",
        )
    for form, dtype in (("16", "<i2"), ("61", ">i2")):
        if form != lines[0].format and holds(dtype, (n_frames, n), 0):
            raise CorruptHeader(
                f"The samples are stored in format {form}, the header says {lines[0].format} (by its checksums).",
                "Correct the format in the header, and send the recording again.",
            )


def follow_each_other(signal: npt.NDArray[np.float32]) -> bool:
    """Whether the leads of one moment follow each other like samples of one lead, where it is steepest.

    Samples that lie lead after lead, read as interleaved, are such: each lead stands on the first one's way to where it
    is next. A copy of a lead stands where the first one is.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_samples, n_leads)
        All leads of the file, in its order.
    """
    n = signal.shape[1]
    first, step = signal[:-1, 0].astype(np.float64), np.diff(signal[:, 0].astype(np.float64))
    if n < 2 or not np.isfinite(step).any():
        return False
    steep = (np.abs(step) >= np.nanquantile(np.abs(step), 0.98)) & (step != 0)
    first, step = first[steep], step[steep]

    def follows(place: int) -> bool:
        off = np.abs(signal[:-1, place][steep] - first - step * place / n) / np.abs(step)
        return bool(np.nanmedian(off) < _MOST_OFF)

    return bool(np.isfinite(step).any()) and all(follows(place) for place in range(n - 1, 0, -1))


def check_group(header: WfdbHeader, group: list[SignalLine]) -> None:
    """Raise where the leads of one file disagree on how it is stored, or do not follow each other."""
    places = [i for i, line in enumerate(header.signals) if line.file == group[0].file]
    if len({(line.format, line.offset_bytes) for line in group}) > 1 or places != list(
        range(places[0], places[-1] + 1)
    ):
        raise CorruptHeader(
            "The header contradicts itself on how the leads of one signal file are stored.",
            "Export the recording again as WFDB.",
        )
    if group[0].format not in _BYTES_PER_SAMPLE and group[0].format not in _FLAC:
        known = ", ".join(sorted([*_BYTES_PER_SAMPLE, *_FLAC], key=int))
        raise UnsupportedFormat(
            f"The signal is stored in WFDB format {group[0].format}, which is none that we read ({known}).",
            "Export it in format 16.",
        )
    if max(line.skew_frames for line in group) > 10 * header.frame_rate_hz:
        raise CorruptHeader("The header shifts a lead by more than 10 s against the others.", "Correct the skew.")


def frames_in(file: Path, group: list[SignalLine]) -> int:
    """Whole frames that a signal file really holds."""
    per_frame = sum(line.samples_per_frame for line in group)
    if group[0].format in _FLAC:
        return (_flac_samples(file, len(group)) - group[0].offset_bytes) // group[0].samples_per_frame
    n_bytes = max(0, file.stat().st_size - group[0].offset_bytes)
    # The last samples of a packed format may fill their bytes in part.
    return math.floor(n_bytes / _BYTES_PER_SAMPLE[group[0].format] + 1e-9) // per_frame


def _flac_samples(file: Path, n_leads: int) -> int:
    import soundfile  # type: ignore[import-untyped]  # comes with wfdb

    try:
        facts = soundfile.info(str(file))
    except (soundfile.SoundFileError, RuntimeError):
        raise CorruptHeader(
            "The header says that the signal file is compressed with FLAC, and it is not.", _RESEND
        ) from None
    if facts.channels != n_leads:
        raise CorruptHeader(
            f"The signal file holds {facts.channels} lead(s), but the header describes {n_leads}.", _RESEND
        )
    return int(facts.frames)
