"""The QT Database: beats of further patients to learn from, without those whom MIT-BIH holds already.

Laguna et al. 1997. Its records are stretches of other databases: 15 of the MIT-BIH Arrhythmia Database, among them
nine patients of the test part. None of the 15 is used. The others come from MIT-BIH's supraventricular, normal sinus
rhythm, ST change and long-term databases and from the European ST-T Database; those whose beats nobody annotated (the
sudden death recordings) are left out too.
"""

from __future__ import annotations

from typing import Final

DATABASE: Final = "qtdb"

MITDB_RECORD_OF: Final[dict[str, str]] = {
    f"sel{record}": record for record in "100 102 103 104 114 116 117 123 213 221 223 230 231 232 233".split()
}
"""The record of the MIT-BIH Arrhythmia Database that a QT Database record is a stretch of: the same person."""

_OWN_PATIENTS: Final = (
    "14046 14157 14172 15814 16265 16272 16273 16420 16483 16539 16773 16786 16795 17152 17453 "
    "301 302 306 307 308 310 803 808 811 820 821 840 847 853 871 872 873 883 891 "
    "e0106 e0111 e0114 e0203 e0210 e0211 e0303 e0405 e0409 e0509 e0603 e0604 e0606 e0607 e0609 e0612 e0704"
).split()
_MAYBE_THE_SAME: Final = (
    # The European ST-T Database has 79 patients on 90 records and does not say which are the same. Records of one
    # hospital with the same age and sex, or without an age, stand together.
    ("e0104", "e0110", "e0116", "e0136"),
    ("e0107", "e0112"),
    ("e0121", "e0122"),
    ("e0124", "e0126"),
    ("e0129", "e0133"),
    ("e0166", "e0170"),
    ("e0406", "e0411"),
)
PATIENT_OF: Final[dict[str, str]] = {
    **{record: f"mitdb-{of}" for record, of in MITDB_RECORD_OF.items()},
    **{f"sel{name}": f"qtdb-{name}" for name in _OWN_PATIENTS},
    **{f"sel{name}": f"qtdb-{group[0]}" for group in _MAYBE_THE_SAME for name in group},
}
"""Patient of each record with annotated beats."""

TRAINING: Final = tuple(sorted(record for record in PATIENT_OF if record not in MITDB_RECORD_OF))
"""Records to learn from: none of them is of a MIT-BIH Arrhythmia patient."""
