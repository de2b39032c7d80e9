"""The primary lead and the beats as data within the report, so that its script can draw a strip of any moment.

Coarser than the strips of the findings, so that a day fits: what is drawn from it says so. Without a script nothing of
it is missed but this; each place also has a link to what is drawn already.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.report import paper
from ecg_core.report.disclosure import COLUMN, COLUMNS, row_geometry
from ecg_core.report.disclosure import LEFT as DISCLOSURE_LEFT
from ecg_core.report.strips import LEAD_CHARACTERS
from ecg_core.report.trend import LEFT_MM, SPAN_MM
from ecg_core.report.wording import shown
from ecg_core.result import ANALYSIS_RATE_HZ, Result

COARSENESS: Final = ((1200.0, 2, 0.01), (6 * 3600.0, 2, 0.02), (float("inf"), 3, 0.03))
"""Up to so many seconds, so many samples in a row are drawn as their mean, in steps of so many millivolts."""
Whole = npt.NDArray[np.int32] | npt.NDArray[np.int64]
LEVEL: Final = 6
AT_ONCE: Final = 1 << 18
DOUBTFUL, UNREAD, RR_KNOWN = 8, 16, 32
"""Added to a beat's class."""


def embedded(result: Result) -> str:
    """Pack what the script draws from, as JSON; empty where there is no signal.

    ``samples`` and ``beats`` are base64 of raw deflate of numbers, seven bits a byte, the lowest first: the differences
    between neighbouring samples, zigzag, in steps of ``step_mv``; and of each beat the milliseconds since the one
    before, then its class with what is known of it. ``missing`` are stretches of samples that the file lacks, ``poor``
    seconds in which no lead can be read.
    """
    lead = result.quality.primary_lead
    signal = result.signal_mv[:, lead]
    duration_s = signal.size / ANALYSIS_RATE_HZ
    every, step_mv = next((every, step) for until_s, every, step in COARSENESS if duration_s <= until_s)
    n = signal.size // every
    if n == 0:
        return ""
    means = signal[: n * every].reshape(-1, every).mean(axis=1)
    known = np.isfinite(means)
    steps = np.rint(np.where(known, means, 0) / step_mv).astype(np.int32)
    changes = np.diff(steps, prepend=np.int32(0))
    row_s, row_height = row_geometry(duration_s)
    start = result.recording.start_time
    facts: dict[str, Any] = {
        "rate_hz": ANALYSIS_RATE_HZ / every,
        "step_mv": step_mv,
        "seconds": round(duration_s, 3),
        "lead": shown(result.recording.lead_names[lead], LEAD_CHARACTERS).short,
        "clock_s": None if start is None else start.hour * 3600 + start.minute * 60 + start.second,
        "missing": _runs(~known),
        "poor": [[a * result.quality.epoch_s, b * result.quality.epoch_s] for a, b in _runs(~result.quality.readable)],
        "shapes": paper.MARK_SHAPES,
        "trend": [LEFT_MM, SPAN_MM],
        "rows": [DISCLOSURE_LEFT, COLUMNS * COLUMN, row_height, row_s],
        "samples": _packed(changes << 1 ^ changes >> 31),
        "beats": _packed(_beats(result)),
    }
    # A tag within would end the element.
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _beats(result: Result) -> npt.NDArray[np.int64]:
    table = result.beats
    at_ms = np.rint(1000 * table.r_time_s).astype(np.int64)
    code = table.class_index.astype(np.int64) + DOUBTFUL * table.inconclusive
    code += UNREAD * ~table.analysable + RR_KNOWN * np.isfinite(table.rr_prev_ms)
    return np.column_stack((np.diff(at_ms, prepend=0), code)).ravel()


def _runs(mask: npt.NDArray[np.bool_]) -> list[list[int]]:
    """First and one past the last of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def _packed(numbers: Whole) -> str:
    """Spell numbers from 0 in bytes of seven bits, an eighth where more follow; then deflate and base64."""
    raw = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    # A day is spelled piece by piece: all its bytes apart would take a gigabyte.
    pieces = (raw.compress(_spelled(numbers[i : i + AT_ONCE])) for i in range(0, numbers.size, AT_ONCE))
    return base64.b64encode(b"".join(pieces) + raw.flush()).decode("ascii")


def _spelled(numbers: Whole) -> bytes:
    shifts = np.arange(0, 7 * (1 + int(numbers.max(initial=0)).bit_length() // 7), 7)
    parts = (numbers[:, np.newaxis] >> shifts).astype(np.int32)
    follows = np.zeros(parts.shape, np.bool_)
    follows[:, :-1] = parts[:, 1:] > 0
    used = np.ones(parts.shape, np.bool_)
    used[:, 1:] = follows[:, :-1]
    spelled = ((parts & 127) | (follows * np.int32(128))).astype(np.uint8)
    return spelled[used].tobytes()
