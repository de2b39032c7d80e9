"""What every format needs of a lead: its unit as millivolts, whether it is an ECG lead at all, a name of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable

SHORTEST_S = 5.0
"""Fewer beats say nothing about a rhythm."""
RATES_HZ = (50.0, 10_000.0)
"""Outside of these a stated sampling rate is a mistake, or shows no QRS."""

_MILLIVOLTS_PER = {
    "": 1.0,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "v": 1e3,
    "volt": 1e3,
    "volts": 1e3,
    "uv": 1e-3,
    "µv": 1e-3,  # U+00B5, the micro sign
    "μv": 1e-3,  # U+03BC, the Greek letter
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "nv": 1e-6,
    "nanovolt": 1e-6,
    "nanovolts": 1e-6,
    "mvolt": 1.0,
    "mvolts": 1.0,
    "uvolt": 1e-3,
    "uvolts": 1e-3,
    "µvolt": 1e-3,
    "μvolt": 1e-3,
    "nvolt": 1e-6,
    "mcv": 1e-3,
    "microv": 1e-3,
    "milliv": 1.0,
    "nanov": 1e-6,
    "мкв": 1e-3,
    "мв": 1.0,
    "微伏": 1e-3,
    "毫伏": 1.0,
    "マイクロボルト": 1e-3,
    "마이크로볼트": 1e-3,
    "ميكروفولت": 1e-3,
}
_NOT_ECG = re.compile(
    r"resp|abp|\bart\b|\bcvp\b|\bpap\b|\bicp\b|\bbp\b|press|pleth|ppg|spo2|sao2|\bo2\b|co2|temp|flow|thorax|chest imp|"
    r"imped|\beeg|\bemg|\beog|\bscg|accel|\bacc\b|gyro|marker|trigger|event|status|annotation|\bhr\b|heart ?rate|"
    r"stroke|scalp|sound|phono|\bpcg\b|chin|snor|nasal|\blegs?\b|\b[lr]oc\b|\be[12]\b|effort|\bmic\b|body|posit|thora|"
    r"\babd(?:o|omen)?\b|pulse|light|battery",
    re.IGNORECASE,
)


def millivolts_per(unit: str) -> float | None:
    """Millivolts per `unit`, in brackets or not; None where the unit is no voltage. No unit means millivolts."""
    return _MILLIVOLTS_PER.get(unit.strip(" \t[]().").lower())


_SAYS_ECG = re.compile(r"(?<![a-z])e[ck]g(?![a-z])", re.IGNORECASE)

_TAKEN_FROM_ECG = re.compile(r"resp|imped|\bhr\b|heart ?rate|\bqrs\b", re.IGNORECASE)

STANDARD_LEADS = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6 V7 V8 V9 V3R V4R V5R V6R V7R MLI MLII MLIII X Y Z".split()
_FURTHER_LEADS = "ECG V MV1 MV2 MCL1 MCL6 ML5 CM2 CM4 CM5 CC5 ES AS AI".split()
KNOWN_LEADS = frozenset([*STANDARD_LEADS, *(f"-{name}" for name in STANDARD_LEADS[:12]), *_FURTHER_LEADS])
"""Names that leave the reader; any other could hold anything, a patient's name too."""
_SPELLINGS = {name.casefold(): name for name in KNOWN_LEADS} | {"ekg": "ECG"}
_SPELLINGS |= {f"d{roman}": roman.upper() for roman in ("i", "ii", "iii")} | {"d1": "I", "d2": "II", "d3": "III"}
# IEC 60601-2-25 writes C1 to C6 for the chest.
_SPELLINGS |= {f"c{n}": f"V{n}" for n in range(1, 7)}
_SPELLINGS |= {f"{ecg}{name.casefold()}": name for ecg in ("ecg", "ekg") for name in STANDARD_LEADS[:12]}
_FILLERS = frozenset(
    """ecg ekg mdc lead einthoven goldberger wilson ableitung afleiding dérivation derivation derivación derivacion
    derivazione derivação electrocardiogram channel augmented avledning afledning kytkentä odprowadzenie svod
    derivasyon отведение відведення""".split()
)
# Japanese, Chinese and Korean names stand without a blank before and after.
_UNDIVIDED_FILLERS = re.compile("第|誘導|导联|導聯|導程|유도")
# What limb electrodes measure against each other.
_ELECTRODES = {("la", "ra"): "I", ("ll", "ra"): "II", ("ll", "la"): "III"}


def spelling(name: str) -> str:
    """Spell a known lead's name in the one way of the house; give any other name back as it is.

    ``"MDC_ECG_LEAD_AVR"``, ``"Lead aVR"`` and ``"ECG AVR"`` are ``"aVR"``, ``"LL-RA"`` is ``"II"``. Inverted ones, as
    Cabrera's ``"-aVR"``, stay apart: they are another signal.
    """
    plain = _UNDIVIDED_FILLERS.sub(" ", unicodedata.normalize("NFKC", name)).casefold()
    if re.search(r"neg_avr|lead_avr_neg|avrneg", plain):
        return "-aVR"
    if turned := re.search(r"(?:^|[\s_:(])(?:[-\u2212]|(?:minus|inverted)[\s_]+)(\w+)\s*\)?$", plain):
        lead = _SPELLINGS.get(turned[1])
        return f"-{lead}" if f"-{lead}" in KNOWN_LEADS else name
    if measured := re.search(r"(?<![a-z])(la|ll)\s*-\s*(ra|la)(?![a-z])", plain):
        return _ELECTRODES.get((measured[1], measured[2]), name)
    parts = [part for part in re.split(r"[\s_:()\[\],./-]+", plain) if part]
    words = [part for part in parts if part not in _FILLERS]
    if not words and {"ecg", "ekg"} & set(parts):
        return "ECG"
    return _SPELLINGS.get(words[0], name) if len(words) == 1 else name


def is_ecg(description: str, unit: str) -> bool:
    """Whether a signal is an ECG lead: a voltage whose name says ECG, or at least nothing else."""
    if millivolts_per(unit) is None:
        return False
    if says_ecg(description):
        return _TAKEN_FROM_ECG.search(description) is None
    return _NOT_ECG.search(description) is None


def says_ecg(description: str) -> bool:
    """Whether a signal's name says that it is an ECG."""
    return _SAYS_ECG.search(description) is not None


def printable(name: str) -> str:
    """Return a lead's name as the file spells it, cut to 40 printable characters."""
    return "".join(c for c in name if c.isprintable()).strip()[:40]


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Give each lead a name of its own, the known ones under one spelling, all others by their place.

    ``("ECG", "AVR", "ECG", "Jane")`` becomes ``("ECG", "aVR", "ECG 2", "lead 4")``.
    """
    given: dict[str, None] = {}
    for place, raw in enumerate(names, start=1):
        spelled = spelling(printable(raw))
        wanted = spelled if spelled in KNOWN_LEADS else f"lead {place}"
        name, count = wanted, 1
        while name in given:
            count += 1
            name = f"{wanted} {count}"
        given[name] = None
    return tuple(given)


def key_id(key: bytes) -> str:
    """First 8 hex digits of a key's SHA-256: which key a pseudonym was made with, without saying the key."""
    return hashlib.sha256(key).hexdigest()[:8]


def pseudonym(identifier: str, key: bytes) -> str:
    """First 16 hex digits of HMAC-SHA256(key, identifier): the same patient, without saying who."""
    return hmac.new(key, identifier.strip().encode("utf-8"), hashlib.sha256).hexdigest()[:16]
