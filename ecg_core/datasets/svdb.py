"""The MIT-BIH Supraventricular Arrhythmia Database: 78 half hours with S beats (Greenwald 1990).

None of its people is in the MIT-BIH Arrhythmia Database. 13 of its records have stretches in the QT Database: the same
patient's name keeps them on one side.
"""

from __future__ import annotations

from typing import Final

from ecg_core.datasets import qtdb

DATABASE: Final = "svdb"
TRAINING: Final = tuple(str(n) for first, last in ((800, 812), (820, 829), (840, 894)) for n in range(first, last + 1))
"""All of its records."""
PATIENT_OF: Final[dict[str, str]] = {
    record: qtdb.PATIENT_OF.get(f"sel{record}", f"{DATABASE}-{record}") for record in TRAINING
}
"""Patient of each record."""
