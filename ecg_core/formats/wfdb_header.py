"""A WFDB header, parsed strictly: what it says is checked before any of it is believed.

Grammar: the WFDB Applications Guide, header(5). Deviations, each because a guess would put a wrong time or voltage
axis under a patient's ECG, or would leave the recording's folder:

- a missing sampling rate is an error (the standard assumes 250 Hz);
- signal files must lie beside the header: a name with a folder in it is an error, and so is standard input (``-``);
- the lines must be as many as the leads the first line promises;
- trailing integer fields of a lead's line may be absent before the description, as wfdb-python allows too.

wfdb-python's own parser stops at the first thing it does not understand and returns what it had until then, so it
cannot tell a broken header from a short one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ecg_core.errors import CorruptHeader, UnsupportedFormat

MAX_HEADER_BYTES = 1_000_000
NO_FILE = "~"
"""The signal file name of a lead of which nothing was recorded."""

_NUMBER = r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,3})?"
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_RATE = re.compile(rf"({_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?", re.ASCII)
_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,5}))?(?::(\d{1,9}))?(?:\+(\d{1,12}))?", re.ASCII)
_GAIN = re.compile(rf"({_NUMBER})(?:\(([+-]?\d{{1,12}})\))?(?:/(\S+))?", re.ASCII)
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
    n_segments, n_signals, rate, n_frames, start = _parse_record_line(content[0])
    if n_segments:
        segments = tuple(_plain_name(line.split()[0], "segment") for line in content[1:])
        return WfdbHeader(rate, n_frames, start, (), segments, comments)
    if len(content) - 1 != n_signals:
        raise CorruptHeader(
            f"The header's first line promises {n_signals} lead(s), but {len(content) - 1} are described below it.",
            _MEND,
        )
    signals = tuple(_parse_signal_line(line, number) for number, line in enumerate(content[1:], start=1))
    return WfdbHeader(rate, n_frames, start, signals, (), comments)


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
        name = "recording" if place == 0 else neutral.get(first[1], first[1])
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


def _parse_record_line(line: str) -> tuple[bool, int, float, int, datetime | None]:
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
    return has_segments, n_signals, float(rate[1]), n_frames, _start_time(tokens[4:6])


def _start_time(tokens: list[str]) -> datetime | None:
    """Date and time, or None: a clock that was never set does not make the signal unusable."""
    if len(tokens) < 2:
        return None
    for form in ("%H:%M:%S.%f %d/%m/%Y", "%H:%M:%S %d/%m/%Y"):
        try:
            return datetime.strptime(" ".join(tokens), form)
        except ValueError:
            continue
    return None


def _parse_signal_line(line: str, number: int) -> SignalLine:
    tokens = line.split(maxsplit=8)
    form = _FORMAT.fullmatch(tokens[1]) if len(tokens) > 1 else None
    if form is None:
        raise CorruptHeader(f"The header's line of lead {number} does not say how its samples are stored.", _MEND)
    gain, baseline, unit, rest = None, None, "", tokens[2:]
    if rest and (match := _GAIN.fullmatch(rest[0])):
        gain, baseline, unit = float(match[1]), match[2], match[3] or ""
        rest = rest[1:]
    integers: list[int] = []
    while rest and len(integers) < 5 and _INTEGER.fullmatch(rest[0]):
        integers.append(int(rest[0]))
        rest = rest[1:]
    adc_bits, adc_zero, initial = (*integers, 0, 0, 0)[:3]
    if gain and not 1e-6 <= abs(gain) <= 1e12:
        raise CorruptHeader(f"The header's gain of lead {number} is {gain:g}, which cannot be.", _MEND)
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
        description=" ".join(rest),
    )


def _plain_name(name: str, kind: str) -> str:
    if name in {"-", ".", ".."} or name.startswith(".") or re.search(r"[/\\:*?\x00-\x1f]", name):
        raise CorruptHeader(
            f"The header names a {kind} file that does not lie beside it.",
            "Put all files of the recording into one folder and write their bare names into the header.",
        )
    return name


def refuse_segments(header: WfdbHeader) -> None:
    """Raise where the record is cut into segments, which is not read yet."""
    if header.segments:
        raise UnsupportedFormat(
            f"The recording is cut into {len(header.segments)} WFDB segments, which are not read yet.",
            "Join the segments into one record (for instance with PhysioNet's xform) and send that.",
        )
