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


def is_ecg(description: str, unit: str) -> bool:
    """Whether a signal is an ECG lead: a voltage whose name says nothing else."""
    return millivolts_per(unit) is not None and _NOT_ECG.search(description) is None


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Give each lead a name of its own: ``("ECG", "ECG", "")`` becomes ``("ECG", "ECG 2", "lead 3")``."""
    given: dict[str, None] = {}
    for place, raw in enumerate(names, start=1):
        wanted = "".join(c for c in raw if c.isprintable()).strip()[:40] or f"lead {place}"
        name, count = wanted, 1
        while name in given:
            count += 1
            name = f"{wanted} {count}"
        given[name] = None
    return tuple(given)


def pseudonym(identifier: str, key: bytes) -> str:
    """First 16 hex digits of HMAC-SHA256(key, identifier): the same patient, without saying who."""
    return hmac.new(key, identifier.strip().encode("utf-8"), hashlib.sha256).hexdigest()[:16]
