"""Numbers, times and foreign text as a reader should see them; nothing here depends on the locale."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

UNKNOWN = "–"
SHOWN_CHARACTERS = 60
"""Text from a file is cut after so many characters; the full text goes into a title once."""
TITLE_CHARACTERS = 10_000
_MARKS_IN_A_ROW = 2
_VISIBLE_CONTROL = 0x2400  # Unicode's control pictures: ␀ ␁ … for C0


@dataclass(frozen=True, slots=True)
class Shown:
    """Text from a file, made harmless: `short` is printed, `full` is its title where `short` was cut (else "")."""

    short: str
    full: str


def shown(text: str, limit: int = SHOWN_CHARACTERS) -> Shown:
    """Make text from a file fit to print: control characters visible, long text cut.

    Control, format (right-to-left overrides, zero-width), surrogate, private and unassigned characters are
    replaced by something visible, so that no reader is misled by what the eye cannot see. HTML is not touched:
    escaping is the template's task.
    """
    clean = _visible(text[: 2 * TITLE_CHARACTERS])[:TITLE_CHARACTERS]
    if len(clean) <= limit:
        return Shown(_isolated(clean), "")
    return Shown(_isolated(clean[: limit - 1].rstrip() + "…"), clean)


def _isolated(text: str) -> str:
    """Keep right-to-left letters from reordering the sentence around them: FSI … PDI of the bidi algorithm."""
    if not text.isascii() and any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"\u2068{text}\u2069"
    return text


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if character in "\t\n\r" or category in ("Zl", "Zp", "Zs"):
            out.append(" ")
        elif ord(character) < 32:
            out.append(chr(_VISIBLE_CONTROL + ord(character)))
        elif category in ("Cc", "Cf", "Cs", "Co", "Cn"):
            out.append(f"‹U+{ord(character):04X}›")
        elif marks <= _MARKS_IN_A_ROW:
            out.append(character)
    return "".join(out).strip()


def number(value: float | None, digits: int = 0) -> str:
    """``1234.5`` as ``1,234.5`` with a true minus; "–" where it is unknown."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.{digits}f}"
    # Python writes -0.0 for what rounds to nothing.
    return (text.lstrip("-") if float(text.replace(",", "")) == 0 else text).replace("-", "−")


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign; what rounds to nothing has none."""
    text = number(value, digits)
    return text if text[0] in "−–" or not text.strip("0.") else f"+{text}"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share 0 to 1 in per cent; what is not quite nothing or not quite all is not rounded to it."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    step = 10.0 ** -(digits + 2)
    if 0 < share < step:
        return f"<{step * 100:.{digits}f} %"
    if 1 - step < share < 1:
        return f">{100 - step * 100:.{digits}f} %"
    return f"{share * 100:.{digits}f} %"


def duration(seconds: float) -> str:
    """``3725`` as ``1 h 2 min 5 s``; under a minute with one decimal."""
    if not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    hours, minutes, rest = total // 3600, total // 60 % 60, total % 60
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


@dataclass(frozen=True, slots=True)
class Clock:
    """Says when something happened: from the start of the recording, and by the clock where that is known."""

    start_time: datetime | None

    def at(self, seconds: float) -> str:
        """``0:12:31``, or ``0:12:31 (08:25:04)`` where the file says when the recording began."""
        if not math.isfinite(seconds):
            return UNKNOWN
        offset = self.offset(seconds)
        if self.start_time is None:
            return offset
        try:
            return f"{offset} ({self.start_time + timedelta(seconds=seconds):%H:%M:%S})"
        except OverflowError:
            return offset

    @staticmethod
    def offset(seconds: float) -> str:
        """Hours, minutes and seconds from the start."""
        total = int(seconds)
        return f"{total // 3600}:{total // 60 % 60:02d}:{total % 60:02d}"


def moment(value: datetime) -> str:
    """Date and time; the zone only where there is one. Not strftime: its years before 1000 depend on the platform."""
    text = value.isoformat(sep=" ", timespec="seconds")
    return text.replace("+00:00", " UTC")
