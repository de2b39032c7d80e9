"""Which records are learned from, decided on and tested on."""

from __future__ import annotations

from typing import Final

from ecg_core.datasets import qtdb

DS1: Final = tuple("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230".split())
"""Training records of de Chazal 2004."""
DS2: Final = tuple("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())
"""Test records of de Chazal 2004: no choice of any kind is made on them."""
PACED: Final = ("102", "104", "107", "217")
"""Records with paced beats, left out as EC57 asks."""
DECIDING: Final = ("112", "116", "124", "205", "207", "223")
"""What a promotion is judged on; no training and no calibration touches it.

Six of the 21 DS1 patients, chosen by their beat counts (mapping A; 201 left out of all figures):

========  ======  =====  =====  =====
part           N      S      V      F
========  ======  =====  =====  =====
DS1       44,231    816  3,590    413
deciding  12,534    217    910     30
share       28 %   27 %   25 %    7 %
========  ======  =====  =====  =====

- S and V are about a quarter each and come from several patients (S: 207, 223, 124; V: 223, 207, 116, 205, 124), so
  that the verdict does not hang on one of them.
- F is almost one patient: 373 of DS1's 413 are in 208. It stays in training, or nothing would be left to learn from;
  223, 205 and 124 give the deciding part its 30, enough to see a collapse, too few to rank two good models.
- 209 (383 S) and 208 (992 V) stay in training for the same reason.
- 112 has almost nothing but normal beats: false alarms show on it.
- 203, the only patient with atrial fibrillation beside 201, is in training: what fibrillation does to the S figure
  shows only in DS2. Nothing in DS2 was looked at to choose.
"""
TRAINING: Final = tuple(record for record in DS1 if record not in (*DECIDING, "201"))
"""DS1 without the deciding part and without 201, who is 202 of the test part."""
TEST: Final = DS2
"""De Chazal's DS2: looked at for publishing figures, never for a choice."""
SVDB_TEST: Final = tuple("801 802 806 822 824 841 842 849 855 865 868 874 877 881 882 889 893 894".split())
"""Test patients of the MIT-BIH Supraventricular Arrhythmia Database: nothing learns from them or is chosen by them."""
SVDB_RECORDS: Final = tuple(
    str(n) for first, last in ((800, 812), (820, 829), (840, 894)) for n in range(first, last + 1)
)
"""All 78 records of that database (Greenwald 1990), half an hour each, rich in S beats."""
SVDB_DECIDING: Final = tuple("804 812 829 846 852 856 857 858 859 863 866 876 880 885 888".split())
"""Of the same database: held back from all training, and asked before a promotion.

A quarter of the S and of the V beats of the 47 records that are of nobody else and are no test (by their annotations
alone), from patients with many, few and none of either.
"""
INCARTDB_RECORDS: Final = tuple(f"I{n:02d}" for n in range(1, 76))
"""All records of the St Petersburg INCART 12-lead Arrhythmia Database: 75 half hours of 32 people."""
LEARNED_FROM: Final[dict[str, tuple[str, ...]]] = {
    "mitdb": TRAINING,
    "qtdb": qtdb.TRAINING,
    "svdb": tuple(record for record in SVDB_RECORDS if record not in (*SVDB_DECIDING, *SVDB_TEST)),
    "incartdb": INCARTDB_RECORDS,
}
"""Databases whose beats are annotated, and the records of each that training may use."""
HELD_BACK: Final[dict[str, tuple[str, ...]]] = {"mitdb": DECIDING, "svdb": SVDB_DECIDING}
"""Databases whose beats are annotated, and the records of each that a promotion is judged on."""
NEVER_LEARNED: Final = (*DECIDING, *SVDB_DECIDING, *TEST, *SVDB_TEST)
"""Records that no training touches."""
