"""A WFDB header, parsed strictly: what it says is checked before any of it is believed.

Grammar: the WFDB Applications Guide, header(5). Deviations, each because a guess would put a wrong time or voltage
axis under a patient's ECG, or would leave the recording's folder:

- a missing sampling rate is an error (the standard assumes 250 Hz);
- signal files must lie beside the header: a name with a folder in it is an error, and so is standard input (``-``);
- the lines must be as many as the leads the first line promises;
- trailing integer fields of a lead's line may be absent before the description, as wfdb-python allows too;
- a folder before the names of record and signal files is taken off where it leads down (``ward/100.dat``): the files
  are looked for beside the header, where a copied record has them;
- the start may be written with the date first, in ISO's order, with dots or the month by its name, as others write it.

What other programs write wrong, and what can be read in one way only, is read and told in `WfdbHeader.doubts`: a
decimal comma in a gain (``200,0(0)/mV``), unit and baseline that changed places (``1000(mV)/0``, ``1000/mV(0)``). What
could be read in two ways is refused: a number in the gain's place that is no gain, a unit that stands apart from it.

wfdb-python's own parser stops at the first thing it does not understand and returns what it had until then, so it
cannot tell a broken header from a short one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ecg_core.errors import CorruptHeader, UnsupportedFormat
from ecg_core.formats import leads
from ecg_core.recording import Doubt

MAX_HEADER_BYTES = 1_000_000
NO_FILE = "~"
"""The signal file name of a lead of which nothing was recorded."""

_NUMBER = r"[+-]?(?:\d{1,15}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?"
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_RATE = re.compile(rf"({_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?", re.ASCII)
_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,5}))?(?::(\d{1,9}))?(?:\+(\d{1,12}))?", re.ASCII)
_BASELINE = r"([+-]?\d{1,12})(?:\.0{0,12})?"
_UNIT = r"([^\s()]+)"
_GAIN = re.compile(rf"({_NUMBER})(?:\({_BASELINE}\))?(?:/{_UNIT})?", re.ASCII)
_GAIN_COMMA = re.compile(rf"(\d{{1,9}},\d{{1,2}}|\d{{1,9}},\d{{4,9}})(?:\({_BASELINE}\))?(?:/{_UNIT})?", re.ASCII)
_GAIN_SWAPPED = re.compile(rf"({_NUMBER})(?:\(([a-zA-Zµμ]{{1,10}})\)/|/([a-zA-Zµμ]{{1,10}})\(){_BASELINE}\)?")
_WHOLE = re.compile(r"[+-]?\d{1,12}(?:\.0{0,12})?", re.ASCII)
_DAYS = ("%d/%m/%Y", "%d-%b-%Y", "%d-%B-%Y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d%b%Y")
"""Of a start; ``05/06/2020`` is the fifth of June, as the grammar has it."""
_CLOCKS = ("%H:%M:%S.%f", "%H:%M:%S", "%I:%M:%S %p", "%I:%M:%S.%f %p")
_DEFAULT_GAIN = 200.0
_MOST_LEADS = 500
_MEND = "Export the recording again as WFDB, or correct the header file."


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One lead as the header describes it.

    `gain` is ADC units per `unit`; `calibrated` is False where the header states none (the standard's 200 is taken).
    `offset_bytes` is where the samples begin in the file; `adc_bits` is 0 where the header does not say.
    """

    file: str
    format: str
    samples_per_frame: int
    skew_frames: int
    offset_bytes: int
    gain: float
    baseline: int
    unit: str
    calibrated: bool
    adc_bits: int
    adc_zero: int
    initial: int
    checksum: int | None
    description: str


@dataclass(frozen=True, slots=True)
class WfdbHeader:
    """A parsed header; `n_frames` is 0 where the header leaves the length open, `n_segments` 1 for a plain record.

    Of a record in segments, `signals` is empty and `segments` holds the names of the segments' records.
    """

    frame_rate_hz: float
    n_frames: int
    start_time: datetime | None
    signals: tuple[SignalLine, ...]
    segments: tuple[str, ...]
    comments: tuple[str, ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the signal files, each once, in the order of the leads."""
        return tuple(dict.fromkeys(line.file for line in self.signals if line.file != NO_FILE))


def parse_header(raw: bytes) -> WfdbHeader:
    """Parse a header file.

    Parameters
    ----------
    raw : bytes
        The whole file.

    Raises
    ------
    CorruptHeader
        It contradicts itself, cannot be parsed, or names files outside its folder.
    """
    text = _decode(raw)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = tuple(line[1:].strip() for line in lines if line.startswith("#"))
    content = [line for line in lines if not line.startswith("#")]
    if not content:
        raise CorruptHeader("The header file holds no line that describes a recording.", _MEND)
    doubts: list[Doubt] = []
    has_segments, n_signals, rate, n_frames, start = _parse_record_line(content[0], doubts)
    # A record in a folder that is named by a number looks like one in so many segments, whose lines hold two fields.
    if has_segments and not all(len(line.split()) > 2 for line in content[1:] or [""]):
        segments = tuple(_plain_name(line.split()[0], "segment") for line in content[1:])
        return WfdbHeader(rate, n_frames, start, (), segments, comments, tuple(doubts))
    if len(content) - 1 != n_signals:
        raise CorruptHeader(
            f"The header's first line promises {n_signals} lead(s), but {len(content) - 1} are described below it.",
            _MEND,
        )
    signals = tuple(_parse_signal_line(line, number, doubts) for number, line in enumerate(content[1:], start=1))
    return WfdbHeader(rate, n_frames, start, signals, (), comments, tuple(dict.fromkeys(doubts)))


def canonical_header(raw: bytes, header: WfdbHeader) -> bytes:
    """Replace the record's and the signal files' names by neutral ones, and end every line alike.

    Two copies of a recording under different names have the same canonical header, also where one of them went through
    a transfer or an editor that writes other line ends; the words of all other lines stay as they are.
    """
    neutral = {name: neutral_name(number) for number, name in enumerate(header.files)}
    lines = [line.rstrip() for line in _decode(raw).splitlines()]
    place = 0
    for index, line in enumerate(lines):
        first = re.match(r"\s*(\S+)", line)
        if first is None or first[1].startswith("#"):
            continue
        name = "recording" if place == 0 else neutral.get(first[1].rpartition("/")[2], first[1])
        lines[index] = line[: first.start(1)] + name + line[first.end(1) :]
        place += 1
    return "\n".join([*(line for line in lines if line), ""]).encode("utf-8")


def neutral_name(number: int) -> str:
    """Name of the staged signal file of that number."""
    return f"signal{number}.dat"


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_HEADER_BYTES:
        raise CorruptHeader("The header file is larger than any header is.", _MEND)
    if b"\0" in raw:
        raise CorruptHeader("The header file holds binary data, not the text of a header.", _MEND)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parse_record_line(line: str, doubts: list[Doubt]) -> tuple[bool, int, float, int, datetime | None]:
    tokens = line.split()
    if len(tokens) < 2 or _INTEGER.fullmatch(tokens[1]) is None:
        raise CorruptHeader(
            "The file's first line is not that of a WFDB header (name, number of leads, sampling rate, length).", _MEND
        )
    if len(tokens) < 3:
        raise CorruptHeader("The header does not state the sampling rate.", "Add it as the first line's third number.")
    rate = _RATE.fullmatch(tokens[2])
    length = _INTEGER.fullmatch(tokens[3]) if len(tokens) > 3 else None
    if rate is None or (len(tokens) > 3 and length is None):
        raise CorruptHeader("The header's sampling rate or length is not a number.", _MEND)
    n_signals, n_frames = int(tokens[1]), int(tokens[3]) if length else 0
    if not 0 <= n_signals <= _MOST_LEADS or n_frames < 0:
        raise CorruptHeader(f"The header states {n_signals} leads of {n_frames} samples, which cannot be.", _MEND)
    has_segments = re.search(r"/\d+$", tokens[0]) is not None
    return has_segments, n_signals, float(rate[1]), n_frames, _start_time(tokens[4:], doubts)


def _start_time(tokens: list[str], doubts: list[Doubt]) -> datetime | None:
    """Date and time, or None: a clock that was never set does not make the signal unusable."""
    words = " ".join(tokens).strip("[]").replace(",", " ").split()
    if not words:
        return None
    if found := _in_one_word(words[0]):
        return found
    clocks = [word for word in words if ":" in word]
    day = " ".join(word for word in words if word not in clocks and word.upper() not in ("AM", "PM"))
    half = next((f" {word}" for word in words if word.upper() in ("AM", "PM")), "")
    for form in _DAYS:
        for clock in _CLOCKS:
            try:
                return datetime.strptime(f"{' '.join(clocks)}{half} {day.replace(' ', '')}", f"{clock} {form}")
            except ValueError:
                continue
    # Digits and their signs alone: a word could be anything, a name too.
    shown = f", {words[0]}," if len(words) == 1 and re.fullmatch(r"[\d/:.-]{1,30}", words[0], re.ASCII) else ""
    if not day and re.fullmatch(r"\d{1,2}:\d{2}:\d{2}(?:\.\d{1,6})?", words[0], re.ASCII):
        doubts.append(Doubt("start_time", f"The header states the time of day of the start{shown} but no date."))
    elif not clocks:
        doubts.append(Doubt("start_time", f"The header states the day of the start{shown} but no time of day."))
    else:
        doubts.append(Doubt("start_time", "The header's start time is none that can be read: the start is not known."))
    return None


def _in_one_word(word: str) -> datetime | None:
    """Read a start as ISO 8601 writes it, ``2020-05-05T09:49:17``."""
    try:
        return datetime.fromisoformat(word) if "T" in word else None
    except ValueError:
        return None


def _parse_gain(token: str, number: int, doubts: list[Doubt]) -> tuple[float, str | None, str] | None:
    """Gain, baseline as written (None where there is none) and unit of a lead's third field; None for another field."""
    if match := _GAIN.fullmatch(token):
        return float(match[1]), match[2], match[3] or ""
    if match := _GAIN_COMMA.fullmatch(token):
        doubts.append(Doubt("gain", "A gain is written with a decimal comma, and read so."))
        return float(match[1].replace(",", ".")), match[2], match[3] or ""
    if match := _GAIN_SWAPPED.fullmatch(token):
        doubts.append(Doubt("gain", "Baseline and unit of a gain stand in each other's place, and are read so."))
        return float(match[1]), match[4], match[2] or match[3]
    if re.match(r"[+-]?[.,]?\d|[(/]|(?:nan|[+-]?inf)\b", token, re.IGNORECASE):
        raise _unreadable_gain(number)
    return None


def _unreadable_gain(number: int) -> CorruptHeader:
    return CorruptHeader(
        f"The header's gain of lead {number} cannot be read.",
        "It must be units per millivolt, baseline and unit, without a blank: 200(0)/mV.",
    )


def _parse_integers(rest: list[str], number: int) -> tuple[list[int], list[str]]:
    """Split what follows a gain into up to five integers and the words of the description.

    Raises
    ------
    CorruptHeader
        A part of the gain stands there, or a number that is no integer: what is which cannot be told.
    """
    integers: list[int] = []
    while rest and len(integers) < 5 and _WHOLE.fullmatch(rest[0]):
        integers.append(int(rest[0].partition(".")[0]))
        rest = rest[1:]
    first = rest[0] if rest else ""
    # A lead may be called V; a unit that stands alone is one.
    is_unit = leads.millivolts_per(first or "none") is not None and (len(rest) > 1 or first.upper() != "V")
    if not integers and (re.match(r"[(/\[]|[+-]?[\d.,]+[(/]", first) or is_unit):
        raise _unreadable_gain(number)
    if len(integers) < 5 and re.fullmatch(rf"{_NUMBER}|nan|[+-]?inf", first, re.ASCII | re.IGNORECASE):
        raise CorruptHeader(f"A number in the header's line of lead {number} is none that can stand there.", _MEND)
    return integers, rest


def _parse_signal_line(line: str, number: int, doubts: list[Doubt]) -> SignalLine:
    tokens = line.split(maxsplit=8)
    form = _FORMAT.fullmatch(tokens[1]) if len(tokens) > 1 else None
    if form is None:
        raise CorruptHeader(f"The header's line of lead {number} does not say how its samples are stored.", _MEND)
    gain, baseline, unit, rest = None, None, "", tokens[2:]
    if rest and (parsed := _parse_gain(rest[0], number, doubts)):
        gain, baseline, unit = parsed
        rest = rest[1:]
    integers, rest = _parse_integers(rest, number)
    adc_bits, adc_zero, initial = (*integers, 0, 0, 0)[:3]
    if gain and not 1e-6 <= abs(gain) <= 1e12:
        raise CorruptHeader(f"The header's gain of lead {number} is {gain:g}, which cannot be.", _MEND)
    if not gain and (leads.millivolts_per(unit) or 1.0) != 1.0:
        raise CorruptHeader(
            f"The header states a unit for lead {number}, which is not the millivolt, and no gain.",
            "Write the gain into it: units of the samples per unit.",
        )
    if form[2] == "0":
        raise CorruptHeader(f"The header promises 0 samples per frame for lead {number}.", _MEND)
    return SignalLine(
        file=tokens[0] if tokens[0] == NO_FILE else _plain_name(tokens[0], "signal"),
        format=form[1],
        samples_per_frame=int(form[2] or 1),
        skew_frames=int(form[3] or 0),
        offset_bytes=int(form[4] or 0),
        gain=gain or _DEFAULT_GAIN,
        baseline=adc_zero if baseline is None else int(baseline),
        unit=unit,
        calibrated=bool(gain),
        adc_bits=adc_bits,
        adc_zero=adc_zero,
        initial=initial,
        checksum=integers[3] if len(integers) > 3 else None,
        description=" ".join(rest),
    )


def _plain_name(name: str, kind: str) -> str:
    # A folder that leads down was left behind when the record was copied.
    folder, _, bare = name.rpartition("/")
    if folder and kind == "signal" and all(_is_plain(part) for part in folder.split("/")):
        name = bare
    if kind == "signal" and name.lower().endswith(".hea"):
        raise CorruptHeader("The header names a header as a signal file.", "Write the signal files' names into it.")
    if not _is_plain(name):
        raise CorruptHeader(
            f"The header names a {kind} file that does not lie beside it.",
            "Put all files of the recording into one folder and write their bare names into the header.",
        )
    return name


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and name != "-" and re.search(r"[/\\:*?\x00-\x1f]", name) is None


def refuse_segments(header: WfdbHeader) -> None:
    """Raise where the record is cut into segments, which is not read yet."""
    if header.segments:
        raise UnsupportedFormat(
            f"The recording is cut into {len(header.segments)} WFDB segments, which are not read yet.",
            "Join the segments into one record (for instance with PhysioNet's xform) and send that.",
        )
