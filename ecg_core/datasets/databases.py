"""The PhysioNet databases that are used: version, terms, and which of their files are needed."""

from __future__ import annotations

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
    """

    version: str
    title: str
    licence: str
    citation: str
    wanted: str
    record_suffixes: tuple[str, ...]


_ODC_BY = "Open Data Commons Attribution License v1.0"
DATABASES: Final[dict[str, Database]] = {
    "mitdb": Database(
        "1.0.0",
        "MIT-BIH Arrhythmia Database",
        _ODC_BY,
        "Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng Med Biol 20(3):45-50, 2001.",
        r"\d{3}\.(hea|dat|atr)",
        (".hea", ".dat", ".atr"),
    ),
    "qtdb": Database(
        "1.0.0",
        "QT Database",
        _ODC_BY,
        "Laguna P et al. A database for evaluation of algorithms for measurement of QT and other waveform intervals "
        "in the ECG. Computers in Cardiology 24:673-676, 1997.",
        r"sel\w+\.(hea|dat|atr|q1c|q2c|pu0|pu1)",
        (".hea", ".dat", ".atr", ".q1c", ".q2c", ".pu0", ".pu1"),
    ),
    "svdb": Database(
        "1.0.0",
        "MIT-BIH Supraventricular Arrhythmia Database",
        _ODC_BY,
        "Greenwald SD. Improved detection and classification of arrhythmias in noise-corrupted electrocardiograms "
        "using contextual information. PhD thesis, MIT, 1990.",
        r"\d{3}\.(hea|dat|atr)",
        (".hea", ".dat", ".atr"),
    ),
    "incartdb": Database(
        "1.0.0",
        "St Petersburg INCART 12-lead Arrhythmia Database",
        _ODC_BY,
        "Tihonenko V et al. St Petersburg INCART 12-lead Arrhythmia Database. PhysioNet, 2008.",
        r"I\d\d\.(hea|dat|atr)|files-patients-diagnoses\.txt",
        (".hea", ".dat", ".atr"),
    ),
    "ptb-xl": Database(
        "1.0.3",
        "PTB-XL, the 100 Hz form",
        "Creative Commons Attribution 4.0",
        "Wagner P et al. PTB-XL, a large publicly available electrocardiography dataset. Scientific Data 7:154, 2020.",
        r"records100/\d{5}/\d{5}_lr\.(hea|dat)|ptbxl_database\.csv|scp_statements\.csv",
        (".hea", ".dat"),
    ),
    "challenge-2017": Database(
        "1.0.0",
        "AF Classification from a Short Single Lead ECG Recording: the Challenge of 2017, training part",
        _ODC_BY,
        "Clifford GD et al. AF classification from a short single lead ECG recording: the PhysioNet/Computing in "
        "Cardiology Challenge 2017. Computing in Cardiology 44, 2017.",
        r"training/(A\d\d/)?A\d{5}\.(hea|mat)|training/(RECORDS|REFERENCE\.csv)|REFERENCE-v3\.csv",
        (".hea", ".mat"),
    ),
}
"""The databases that can be fetched. All: cite Goldberger AL et al. Circulation 101(23):e215-e220, 2000, too."""
