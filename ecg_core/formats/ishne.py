"""ISHNE's Holter format: 522 bytes of header, a variable block, then 16-bit samples with the leads interleaved.

Grammar: Badilini 1998, *The ISHNE Holter standard output file format*. Our own reader, since a day's recording read
whole with 64-bit samples takes ten times its size. Deviations: where the header's number of samples is not that of the
file, the file's is taken, for writers count samples in different ways; -32768, which the standard gives for a lead that
failed, is missing.

Identity in these files: names, subject id, birth date, and the variable block's comments; recorder and copyright texts.
The id leaves as a keyed hash; sex, age and the pacemaker's code are kept; nothing else.
"""

from __future__ import annotations

import binascii
import struct
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, TruncatedSignal
from ecg_core.formats.assembling import (
    Header,
    age_years,
    check_length,
    choose_leads,
    finish,
    identity_of_file,
    runs_of_three,
    sex,
)
from ecg_core.recording import Recording, Stated

_MAGIC = b"ISHNE1.0"
_HEADER_BYTES = 522
_MEND = "Export the recording again as ISHNE."
_LEADS = ["", "", "X", "Y", "Z", "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "ES", "AS"]
_LEADS += ["AI"]
_MISSING, _HIGHEST = -32768, 32767
_BLOCK_FRAMES = 1 << 19


def is_ishne(suffix: str, head: bytes) -> bool:
    """Whether a file begins with ISHNE's mark."""
    return head[:8] == _MAGIC


def read_ishne(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read a Holter recording; see `ecg_core.formats.read_recording`."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES:
            raise TruncatedSignal("The file ends within its header.", "Send the recording again.")
        variable_bytes, promised, _, at = struct.unpack_from("<iiii", head, 10)
        if not 0 <= variable_bytes <= 10_000_000:
            raise CorruptHeader("The header's variable block cannot be.", _MEND)
        block = stream.read(variable_bytes)
    n_leads, rate_hz = struct.unpack_from("<h", head, 156)[0], float(struct.unpack_from("<h", head, 272)[0])
    if not 1 <= n_leads <= 12:
        raise CorruptHeader(f"The header promises {n_leads} leads.", _MEND)
    # Some writers count from another place than the file's beginning: then the samples follow what stands before them.
    size, least = path.stat().st_size, _HEADER_BYTES + variable_bytes
    at = at if least <= at < size else least
    n_samples = max(0, size - at) // (2 * n_leads)
    header = _header(head)
    checksum = struct.unpack_from("<H", head, 8)[0]
    if checksum and checksum != binascii.crc_hqx(head[10:] + block, 0xFFFF):
        header.doubt("checksum", "The header's checksum does not match: it may be damaged.")
    # Some writers promise samples of a lead, some of all leads together.
    if promised > 0 and n_samples < promised and n_samples * n_leads != promised:
        header.doubt(
            "length",
            f"The file holds {n_samples:,} samples of each lead, its header promises {promised:,}: it may be cut.",
        )
    codes = struct.unpack_from("<12h", head, 158)
    resolutions = struct.unpack_from("<12h", head, 206)
    names = [_LEADS[code] if 0 <= code < len(_LEADS) else "" for code in codes[:n_leads]]
    described = [(name, "nV" if resolutions[i] > 0 else "", rate_hz) for i, name in enumerate(names)]
    rate_hz, chosen = choose_leads(described, _MEND)
    check_length(n_samples, rate_hz, len(chosen))
    signal = _read_signal(path, at, (n_samples, n_leads), chosen, resolutions)
    header.recording_id = identity_of_file(path, recording_id)
    return finish(signal, [names[i] for i in chosen], rate_hz, header, pseudonym_key)


def _read_signal(
    path: Path, offset: int, shape: tuple[int, int], chosen: list[int], resolutions_nv: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    raw = np.memmap(path, dtype="<i2", mode="r", offset=offset, shape=shape)
    signal = np.empty((shape[0], len(chosen)), dtype=np.float32)
    for start in range(0, shape[0], _BLOCK_FRAMES):
        block = np.asarray(raw[start : start + _BLOCK_FRAMES])
        for column, place in enumerate(chosen):
            digital = block[:, place]
            values = digital.astype(np.float32) * np.float32(resolutions_nv[place] * 1e-6)
            values[(digital == _MISSING) | runs_of_three(digital == _HIGHEST)] = np.nan
            signal[start : start + len(block), column] = values
    return signal


def _header(head: bytes) -> Header:
    day, clock = _date(head, 138), struct.unpack_from("<3h", head, 150)
    start = None
    if day is not None:
        try:
            start = datetime(day.year, day.month, day.day, *clock)
        except ValueError:
            start = None
    header = Header("ishne", "", start)
    header.patient = head[108:128].split(b"\0")[0].decode("latin-1").strip() or None
    names = head[28:108].replace(b"\0", b"").strip()
    header.saw(name=names.decode("latin-1"), subject_id=header.patient, birth_date=_date(head, 132))
    header.file_unit = "nV"
    pacemaker = struct.unpack_from("<h", head, 230)[0]
    header.stated = Stated(
        age_years=age_years(_date(head, 132), day),
        sex=sex(str(struct.unpack_from("<h", head, 128)[0])),
        pacemaker={0: False, 1: True, 2: True, 3: True, 4: True, 5: True}.get(pacemaker),
    )
    return header


def _date(head: bytes, at: int) -> date | None:
    day, month, year = struct.unpack_from("<3h", head, at)
    try:
        return date(year, month, day)
    except ValueError:
        return None
