"""What every format needs of a lead: its unit as millivolts, whether it is an ECG lead at all, a name of its own."""

from __future__ import annotations

import hashlib
import hmac
import re
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
    "мкв": 1e-3,
    "мв": 1.0,
}
_NOT_ECG = re.compile(
    r"resp|abp|\bart\b|\bcvp\b|\bpap\b|\bicp\b|\bbp\b|press|pleth|ppg|spo2|sao2|\bo2\b|co2|temp|flow|thorax|chest imp|"
    r"imped|\beeg|\bemg|\beog|\bscg|accel|\bacc\b|gyro|marker|trigger|event|status|annotation|\bhr\b|heart ?rate|"
    r"stroke|scalp|sound|phono|\bpcg\b",
    re.IGNORECASE,
)


def millivolts_per(unit: str) -> float | None:
    """Millivolts per `unit`; None where the unit is no voltage. No unit means millivolts."""
    return _MILLIVOLTS_PER.get(unit.strip().lower())


_SAYS_ECG = re.compile(r"(?<![a-z])e[ck]g(?![a-z])", re.IGNORECASE)

_TAKEN_FROM_ECG = re.compile(r"resp|imped|\bhr\b|heart ?rate|\bqrs\b", re.IGNORECASE)

STANDARD_LEADS = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6 V7 V8 V9 V3R V4R V5R V6R V7R MLI MLII MLIII X Y Z".split()
_SPELLINGS = {name.casefold(): name for name in STANDARD_LEADS} | {"di": "I", "dii": "II", "diii": "III"}
_FILLERS = frozenset(
    "ecg ekg mdc lead einthoven ableitung afleiding dérivation derivation derivación derivacion".split()
)
_FILLERS |= {
    "derivazione",
    "derivação",
    "electrocardiogram",
    "channel",
    "augmented",
    "goldberger",
    "wilson",
    "avledning",
}


def spelling(name: str) -> str:
    """Spell a standard lead's name in the one way of the house; give any other name back as it is.

    ``"MDC_ECG_LEAD_AVR"``, ``"Lead aVR"`` and ``"ECG AVR"`` are ``"aVR"``. The inverted aVR of Cabrera's order stays
    apart as ``"-aVR"``: it is another signal.
    """
    words = [word for word in re.split(r"[\s_:()\[\],./-]+", name.casefold()) if word and word not in _FILLERS]
    inverted = re.search(
        r"(?:^|[\s_:(])(?:-|\u2212|minus[\s_]|inverted[\s_])\s*avr|neg_avr|lead_avr_neg|avrneg", name.casefold()
    )
    if inverted:
        return "-aVR"
    if len(words) == 1 and words[0] in _SPELLINGS:
        return _SPELLINGS[words[0]]
    return name


def is_ecg(description: str, unit: str) -> bool:
    """Whether a signal is an ECG lead: a voltage whose name says ECG, or at least nothing else."""
    if millivolts_per(unit) is None:
        return False
    if _SAYS_ECG.search(description) is not None:
        return _TAKEN_FROM_ECG.search(description) is None
    return _NOT_ECG.search(description) is None


def printable(name: str) -> str:
    """Return a lead's name as the file spells it, cut to 40 printable characters."""
    return "".join(c for c in name if c.isprintable()).strip()[:40]


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Give each lead a name of its own: ``("ECG", "AVR", "ECG", "")`` becomes ``("ECG", "aVR", "ECG 2", "lead 4")``."""
    given: dict[str, None] = {}
    for place, raw in enumerate(names, start=1):
        wanted = spelling(printable(raw)) or f"lead {place}"
        name, count = wanted, 1
        while name in given:
            count += 1
            name = f"{wanted} {count}"
        given[name] = None
    return tuple(given)


def pseudonym(identifier: str, key: bytes) -> str:
    """First 16 hex digits of HMAC-SHA256(key, identifier): the same patient, without saying who."""
    return hmac.new(key, identifier.strip().encode("utf-8"), hashlib.sha256).hexdigest()[:16]
