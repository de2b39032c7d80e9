"""The cleaned signal in Postgres, small and exact, so that a report can be drawn again without the file.

An hour of a lead is one row: differences between neighbouring samples in steps of 5 µV, low bytes before high bytes,
then zlib. High bytes of differences are nearly all alike, which is what makes it small.
"""

from __future__ import annotations

import zlib
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, select

from ecg_core.errors import StoreError
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, RawExcerpt, Result, from_steps, to_steps
from ecg_core.store import tables
from ecg_core.store.binary_copy import copy_records

CHUNK_SAMPLES: Final = int(3600 * ANALYSIS_RATE_HZ)
_CHUNKS_AT_ONCE: Final = 12
"""A resting ECG in one statement; of a day some megabytes."""
_LEVEL: Final = 4
"""zlib's; higher ones take three times as long for two per cent."""


def write_signal(conn: Connection, scoring_run_id: int, result: Result) -> None:
    """Keep the signal of a recording in place of one that an earlier scoring run kept, and the raw excerpt of this run.

    Parameters
    ----------
    conn : Connection
    scoring_run_id : int
    result : Result
    """
    table = tables.recording_signal
    recording_id = result.recording.recording_id
    conn.execute(delete(table).where(table.c.recording_id == recording_id))
    n_samples, n_leads = result.signal_mv.shape
    chunks = (
        {"lead_index": lead, "chunk_index": chunk, **_packed(result.signal_mv[start : start + CHUNK_SAMPLES, lead])}
        for lead in range(n_leads)
        for chunk, start in enumerate(range(0, n_samples, CHUNK_SAMPLES))
    )
    while rows := list(islice(chunks, _CHUNKS_AT_ONCE)):
        copy_records(conn, table, [{"recording_id": recording_id, **row} for row in rows])
    if result.raw is not None:
        excerpt = {
            "scoring_run_id": scoring_run_id,
            "start_s": result.raw.start_s,
            "sampling_rate_hz": result.raw.sampling_rate_hz,
            "samples_mv": result.raw.signal_mv,
        }
        copy_records(conn, tables.raw_excerpt, [excerpt])


def _packed(signal_mv: FloatArray) -> dict[str, object]:
    steps = to_steps(signal_mv)
    return {"n_samples": steps.size, "samples": pack(steps)}


def read_signal(conn: Connection, recording_id: str, n_leads: int) -> FloatArray:
    """Return the cleaned signal, float32 millivolts, shape (n, n_leads); (0, n_leads) where none is kept.

    Raises
    ------
    StoreError
        What is stored is damaged, or its leads are not equally long.
    """
    table = tables.recording_signal
    found = select(table.c.lead_index, table.c.samples, table.c.n_samples).where(table.c.recording_id == recording_id)
    leads: list[list[npt.NDArray[np.int16]]] = [[] for _ in range(n_leads)]
    for lead, samples, n_samples in conn.execute(found.order_by(table.c.lead_index, table.c.chunk_index)):
        if not 0 <= lead < n_leads:
            raise _damaged(recording_id)
        leads[lead].append(unpack(bytes(samples), n_samples))
    lengths = {sum(part.size for part in parts) for parts in leads}
    if len(lengths) > 1:
        raise _damaged(recording_id)
    signal_mv = np.empty((lengths.pop() if lengths else 0, n_leads), np.float32, order="F")
    for lead, parts in enumerate(leads):
        if parts:
            signal_mv[:, lead] = from_steps(np.concatenate(parts))
    return signal_mv


def read_raw_excerpt(conn: Connection, scoring_run_id: int) -> RawExcerpt | None:
    """Return the raw excerpt of a scoring run; None where none is kept."""
    table = tables.raw_excerpt
    row = conn.execute(select(table).where(table.c.scoring_run_id == scoring_run_id)).one_or_none()
    if row is None:
        return None
    return RawExcerpt(row.start_s, row.sampling_rate_hz, np.array(row.samples_mv, dtype=np.float32))


def pack(steps: npt.NDArray[np.int16]) -> bytes:
    """Compress samples without loss."""
    # Differences wrap around at 16 bits, and so does adding them up again.
    differences = np.diff(steps, prepend=np.int16(0)).astype("<i2")
    return zlib.compress(differences.view(np.uint8).reshape(-1, 2).T.tobytes(), _LEVEL)


def unpack(packed: bytes, n_samples: int) -> npt.NDArray[np.int16]:
    """Undo `pack`.

    Raises
    ------
    StoreError
        The bytes are not what `pack` made of so many samples.
    """
    try:
        # One byte more than is due shows what is too long, without unpacking all of it.
        plain = zlib.decompressobj().decompress(packed, 2 * n_samples + 1)
    except zlib.error:
        raise _damaged("") from None
    if len(plain) != 2 * n_samples:
        raise _damaged("")
    differences = np.ascontiguousarray(np.frombuffer(plain, np.uint8).reshape(2, -1).T).view("<i2").ravel()
    return np.cumsum(differences, dtype=np.int16)


def _damaged(recording_id: str) -> StoreError:
    return StoreError(
        f"The stored signal{f' of {recording_id[:12]}' if recording_id else ''} is damaged.",
        "Score the recording again under a new model version, or restore the database.",
    )
