"""The St Petersburg INCART 12-lead Arrhythmia Database: 75 half hours of 32 people, whom its headers number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

DATABASE: Final = "incartdb"
TRAINING: Final = tuple(f"I{n:02d}" for n in range(1, 76))
"""All of its records."""
PATIENTS: Final = tuple(f"{DATABASE}-{n}" for n in range(1, 33))


def patient_of(header_comments: Sequence[str]) -> str:
    """Return whom a record is of, by the line ``patient 1`` of its header.

    Records without that line stand together as one patient. Where some have it and others do not, one of those may be
    of a person who is named elsewhere: `datasets.physionet` checks that headers are the published ones.
    """
    found = next((match for line in header_comments if (match := re.match(r"\s*patient\s+(\d+)\b", line))), None)
    return f"{DATABASE}-{found[1]}" if found else DATABASE
