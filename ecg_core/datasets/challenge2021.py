"""The Challenge of 2021: resting ECGs of several databases with SNOMED CT codes.

Reyna et al. 2021 (Computing in Cardiology 48, doi 10.23919/CinC53138.2021.9662687).

Its codes are mapped to PTB-XL's superclasses here; the names are those of the Challenge's own tables
(``dx_mapping_scored.csv``, ``dx_mapping_unscored.csv``). Records without a code that maps are left out and counted. The
records HR00001 to HR21837 are PTB-XL's, by number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ecg_core.datasets.ptbxl import ABOVE_89
from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.recording import Recording

DATABASE: Final = "challenge-2021"

CODES_OF: Final[dict[str, dict[str, str]]] = {
    "MI": {
        "164865005": "myocardial infarction",
        "164867002": "old myocardial infarction",
        "57054005": "acute myocardial infarction",
        "54329005": "anterior myocardial infarction",
    },
    "STTC": {
        "428750005": "nonspecific ST-T abnormality",
        "164934002": "T wave abnormal",
        "59931005": "T wave inversion",
        "429622005": "ST depression",
        "704997005": "inferior ST depression",
        "164930006": "ST interval abnormal",
        "55930002": "ST changes",
        "111975006": "prolonged QT interval",
        "164861001": "myocardial ischemia",
        "413844008": "chronic myocardial ischemia",
        "413444003": "acute myocardial ischemia",
        "426434006": "anterior ischemia",
        "425419005": "inferior ischemia",
        "425623009": "lateral ischemia",
    },
    "CD": {
        "6374002": "bundle branch block",
        "164909002": "left bundle branch block",
        "733534002": "complete left bundle branch block",
        "251120003": "incomplete left bundle branch block",
        "59118001": "right bundle branch block",
        "713427006": "complete right bundle branch block",
        "713426002": "incomplete right bundle branch block",
        "445118002": "left anterior fascicular block",
        "445211001": "left posterior fascicular block",
        "698252002": "nonspecific intraventricular conduction disorder",
        "82226007": "diffuse intraventricular block",
        "270492004": "first-degree AV block",
        "195042002": "second-degree AV block",
        "54016002": "Mobitz I",
        "426183003": "Mobitz II",
        "27885002": "complete heart block",
        "204384007": "congenital incomplete AV block",
        "233917008": "AV block",
        "74390002": "Wolff-Parkinson-White pattern",
        "195060002": "ventricular pre-excitation",
    },
    "HYP": {
        "164873001": "left ventricular hypertrophy",
        "89792004": "right ventricular hypertrophy",
        "266249003": "ventricular hypertrophy",
        "446813000": "left atrial hypertrophy",
        "67741000119109": "left atrial enlargement",
        "253352002": "left atrial abnormality",
        "446358003": "right atrial hypertrophy",
        "253339007": "right atrial abnormality",
        "195126007": "atrial hypertrophy",
    },
}
"""Codes that make a superclass, as PTB-XL's statements of the same meaning do.

Left unmapped, because PTB-XL gives their kin no superclass or because they could mean two: rhythms, ectopic beats,
pacing, axis, voltages without hypertrophy, Q waves, R progression, a long PR interval, ST elevation, early
repolarisation, strain.
"""

SINUS_CODES: Final = {
    "426783006": "sinus rhythm",
    "426177001": "sinus bradycardia",
    "427084000": "sinus tachycardia",
    "427393009": "sinus arrhythmia",
}
"""A record that says these and nothing else is NORM, as all 264 such records among PTB-XL's first 500 are."""

_SUPERCLASS: Final = {code: superclass for superclass, codes in CODES_OF.items() for code in codes}
_SEX: Final = {"male": "male", "m": "male", "female": "female", "f": "female"}


@dataclass(frozen=True, slots=True)
class Challenge2021Record:
    """What a header says.

    Attributes
    ----------
    name : str
        For instance ``JS00002``.
    database : str
        The folder that it lies in: ``chapman_shaoxing``, ``cpsc_2018``, ``georgia``, ``ningbo``, ``ptb-xl``, …
    age_years : float or None
        90 for all above 89.
    sex : str or None
        ``male`` or ``female``.
    codes : frozenset of str
        SNOMED CT.
    superclasses : frozenset of str
        Empty where no code maps.
    ptb_xl_id : int or None
        The number in PTB-XL of the same recording.
    header : Path
    """

    name: str
    database: str
    age_years: float | None
    sex: str | None
    codes: frozenset[str]
    superclasses: frozenset[str]
    ptb_xl_id: int | None
    header: Path

    @property
    def patient(self) -> str:
        """A name of its own: the Challenge does not tell which records are of one person."""
        return f"{DATABASE}-{self.name}"


def superclasses_of(codes: Collection[str]) -> frozenset[str]:
    """Map SNOMED CT codes to superclasses; empty where none maps."""
    if codes and set(codes) <= set(SINUS_CODES):
        return frozenset({"NORM"})
    return frozenset(_SUPERCLASS[code] for code in codes if code in _SUPERCLASS)


def records(folder: Path) -> tuple[Challenge2021Record, ...]:
    """List all records that are there, mapped or not, by database and name.

    Parameters
    ----------
    folder : Path
        The database's, for instance ``challenge-2021/1.0.3``.

    Raises
    ------
    DatasetUnavailable
        No recording is there.
    """
    headers = sorted((folder / "training").glob("**/*.hea"))
    there = tuple(_record(header) for header in headers if header.with_suffix(".mat").is_file())
    if not there:
        raise DatasetUnavailable(f"No recording of the Challenge is in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
    return there


def usable(
    every: Iterable[Challenge2021Record], ptb_xl_ids: Collection[int]
) -> tuple[list[Challenge2021Record], Counter[str]]:
    """Choose what may stand beside PTB-XL, and count what may not.

    Parameters
    ----------
    every : iterable of Challenge2021Record
    ptb_xl_ids : collection of int
        Records of PTB-XL that are used as such; their copies are left out.

    Returns
    -------
    chosen : list of Challenge2021Record
        HR records among them are still PTB-XL's: a figure "on other databases" must leave those with a `ptb_xl_id` out.
    left_out : Counter of str
        ``unmapped`` and ``in_ptb_xl``.
    """
    chosen: list[Challenge2021Record] = []
    left_out: Counter[str] = Counter()
    for record in every:
        if record.ptb_xl_id in ptb_xl_ids:
            left_out["in_ptb_xl"] += 1
        elif not record.superclasses:
            left_out["unmapped"] += 1
        else:
            chosen.append(record)
    return chosen, left_out


def recordings(wanted: Iterable[Challenge2021Record]) -> Iterator[Recording]:
    """Read recordings one after the other (500 Hz; a few of 257 or 1000 Hz)."""
    for record in wanted:
        yield read_recording(record.header, pseudonym_key=b"")


def _record(header: Path) -> Challenge2021Record:
    said = _comments(header)
    codes = frozenset(code.strip() for code in said.get("dx", "").split(",") if code.strip().isdigit())
    name = header.stem
    return Challenge2021Record(
        name,
        _database(header),
        _age(said.get("age", "")),
        _SEX.get(said.get("sex", "").lower()),
        codes,
        superclasses_of(codes),
        int(name[2:]) if name.startswith("HR") and name[2:].isdigit() else None,
        header,
    )


def _comments(header: Path) -> dict[str, str]:
    """Give the facts at the end of a header: ``#Age: 65``, with or without a space after the sign."""
    facts: dict[str, str] = {}
    for line in header.read_text("utf-8", errors="replace").splitlines():
        key, colon, value = line.removeprefix("#").partition(":")
        if line.startswith("#") and colon:
            facts[key.strip().lower()] = value.strip()
    return facts


def _database(header: Path) -> str:
    """Name the database's folder; records may lie in groups (``g1``) below it."""
    parts = header.parts
    return parts[len(parts) - 1 - parts[::-1].index("training") + 1]


def _age(text: str) -> float | None:
    try:
        age = float(text)
    except ValueError:
        return None
    if not 0 <= age <= 300:
        return None
    return ABOVE_89 if age > 89 else age
