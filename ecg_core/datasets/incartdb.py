"""The St Petersburg INCART 12-lead Arrhythmia Database: 75 half hours of 32 people, whom its headers number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

DATABASE: Final = "incartdb"
TRAINING: Final = tuple(f"I{n:02d}" for n in range(1, 76))
"""All of its records."""
PATIENTS: Final = tuple(f"{DATABASE}-{n}" for n in range(1, 33))


def patient_of(record: str, header_comments: Sequence[str]) -> str:
    """Return whom a record is of, by the line ``patient 1`` of its header.

    Without that line the record stands for everybody it may be of, so that no patient gets on both sides.
    """
    found = next((match for line in header_comments if (match := re.match(r"\s*patient\s+(\d+)\b", line))), None)
    return f"{DATABASE}-{found[1]}" if found and record in TRAINING else DATABASE
