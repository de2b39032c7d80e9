"""The PhysioNet databases that are used: version, terms, and which of their files are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Database:
    """What is fetched of a PhysioNet database, and under which terms.

    Attributes
    ----------
    version : str
    title, licence, citation : str
    wanted : str
        Regular expression of the needed files' paths.
    record_suffixes : tuple of str
        Files of a record, where only the database's ``RECORDS`` says what there is.
    sampling_rate_hz : float
    lead_names : tuple of str
        All that occur, as the headers spell them.
    labels : str
        What is labelled, and how that becomes a class.
    same_people : mapping of str to str
        Databases with recordings of the same people, and which; a person is never on both sides of a split.
    """

    version: str
    title: str
    licence: str
    citation: str
    wanted: str
    record_suffixes: tuple[str, ...]
    sampling_rate_hz: float
    lead_names: tuple[str, ...]
    labels: str
    same_people: Mapping[str, str]


_BEATS: Final = "beats (atr), by `ecg_core.labels`: e and j as N (mapping A) or as S (mapping B)"
_TWELVE: Final = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
_ODC_BY: Final = "Open Data Commons Attribution License v1.0"
DATABASES: Final[dict[str, Database]] = {
    "mitdb": Database(
        "1.0.0",
        "MIT-BIH Arrhythmia Database",
        _ODC_BY,
        "Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng Med Biol 20(3):45-50, 2001.",
        r"\d{3}\.(hea|dat|atr)",
        (".hea", ".dat", ".atr"),
        360.0,
        ("MLII", "V1", "V2", "V4", "V5"),
        _BEATS,
        {"qtdb": "15 records sel1xx and sel2xx", "nstdb": "118e… and 119e…"},
    ),
    "qtdb": Database(
        "1.0.0",
        "QT Database",
        _ODC_BY,
        "Laguna P et al. A database for evaluation of algorithms for measurement of QT and other waveform intervals "
        "in the ECG. Computers in Cardiology 24:673-676, 1997.",
        r"sel\w+\.(hea|dat|atr|q1c|q2c|pu0|pu1)",
        (".hea", ".dat", ".atr", ".q1c", ".q2c", ".pu0", ".pu1"),
        250.0,
        tuple("CC5 CM2 CM4 CM5 D3 D4 ECG1 ECG2 ML5 MLII V1 V1-V2 V2 V2-V3 V3 V4 V4-V5 V5 mod.V1".split()),
        "P, QRS and T boundaries (q1c, q2c by hand; pu0, pu1 by program); " + _BEATS + " of 81 records",
        {
            "mitdb": "sel1xx and sel2xx are stretches of its records",
            "svdb": "13 records sel8xx are stretches of its records",
        },
    ),
    "nstdb": Database(
        "1.0.0",
        "MIT-BIH Noise Stress Test Database, the recorded noise",
        _ODC_BY,
        "Moody GB, Muldrow WE, Mark RG. A noise stress test for arrhythmia detectors. Computers in Cardiology "
        "11:381-384, 1984.",
        r"(bm|em|ma)\.(hea|dat)",
        (".hea", ".dat"),
        360.0,
        ("noise1", "noise2"),
        "none: baseline wander (bm), electrode motion (em) and muscle noise (ma), to be added to other signals",
        {"mitdb": "118e… and 119e…, which are not fetched, are its records 118 and 119 with noise added"},
    ),
    "svdb": Database(
        "1.0.0",
        "MIT-BIH Supraventricular Arrhythmia Database",
        _ODC_BY,
        "Greenwald SD. Improved detection and classification of arrhythmias in noise-corrupted electrocardiograms "
        "using contextual information. PhD thesis, MIT, 1990.",
        r"\d{3}\.(hea|dat|atr)",
        (".hea", ".dat", ".atr"),
        128.0,
        ("ECG1", "ECG2"),
        _BEATS,
        {"qtdb": "sel8xx"},
    ),
    "incartdb": Database(
        "1.0.0",
        "St Petersburg INCART 12-lead Arrhythmia Database",
        _ODC_BY,
        "Tihonenko V et al. St Petersburg INCART 12-lead Arrhythmia Database. PhysioNet, 2008.",
        r"I\d\d\.(hea|dat|atr)|files-patients-diagnoses\.txt",
        (".hea", ".dat", ".atr"),
        257.0,
        ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"),
        _BEATS,
        {},
    ),
    "ptb-xl": Database(
        "1.0.3",
        "PTB-XL, the 100 Hz form",
        "Creative Commons Attribution 4.0",
        "Wagner P et al. PTB-XL, a large publicly available electrocardiography dataset. Scientific Data 7:154, 2020.",
        r"records100/\d{5}/\d{5}_lr\.(hea|dat)|ptbxl_database\.csv|scp_statements\.csv",
        (".hea", ".dat"),
        100.0,
        _TWELVE,
        "whole recordings, by statements in scp_statements.csv; no beats",
        {},
    ),
    "challenge-2017": Database(
        "1.0.0",
        "AF Classification from a Short Single Lead ECG Recording: the Challenge of 2017, training part",
        _ODC_BY,
        "Clifford GD et al. AF classification from a short single lead ECG recording: the PhysioNet/Computing in "
        "Cardiology Challenge 2017. Computing in Cardiology 44, 2017.",
        r"training/(A\d\d/)?A\d{5}\.(hea|mat)|training/(RECORDS|REFERENCE\.csv)|REFERENCE-v3\.csv",
        (".hea", ".mat"),
        300.0,
        ("ECG",),
        "whole recordings: N (normal), A (atrial fibrillation), O (other rhythm), ~ (noise), in REFERENCE.csv",
        {},
    ),
}
"""The databases that can be fetched. All: cite Goldberger AL et al. Circulation 101(23):e215-e220, 2000, too."""
