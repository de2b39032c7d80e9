"""WFDB: a header (.hea) with its signal files. The header is ours to check, the decoding of samples is wfdb's.

wfdb is given a header that was written here from the checked fields, beside links to the signal files, so that it
sees nothing that was not checked. Samples are read in chunks and turned into float32 millivolts lead by
lead, so that reading needs little more memory than the recording itself.

What the header says of the samples is held against them: checksums and first values, the length of the files, gains
that no ECG has. What does not match is told in `Recording.doubts`; what is stored otherwise than the header says
(`ecg_core.formats.wfdb_storage`) is refused.

Identity in these files: comments and names of record and files. A comment ``Patient ID: …`` leaves as a keyed hash; of
the others age and sex are kept where they stand as ``Age: 65``, ``Sex: Female`` or MIT-BIH's ``69 M …``; nothing else.
"""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.errors import CorruptHeader, IncompleteRecording, TruncatedSignal
from ecg_core.formats import drugs, leads
from ecg_core.formats.assembling import (
    NOT_RECORDED,
    Header,
    believable_age,
    check_length,
    choose_leads,
    finish,
    sex,
)
from ecg_core.formats.wfdb_header import (
    MAX_HEADER_BYTES,
    NO_FILE,
    SignalLine,
    WfdbHeader,
    canonical_header,
    neutral_name,
    parse_header,
    refuse_segments,
)
from ecg_core.formats.wfdb_storage import (
    check_group,
    follow_each_other,
    frames_in,
    refuse_other_order,
    refuse_other_storage,
)
from ecg_core.recording import Doubt, Recording, Stated

_log = structlog.get_logger(__name__)

SYNTHETIC_COMMENT = "synthetic: made by ecg synth, not recorded from a person"
SIGNAL_SUFFIXES = frozenset({".dat", ".mat"})
ANNOTATION_SUFFIXES = frozenset(
    f".{name}"
    for name in "atr ari ecg qrs wqrs gqrs xqrs sqrs qrsc pu pu0 pu1 q1c q2c qt1 man event epic xws st- sta stb".split()
)
AWAITS_HEADER = (SIGNAL_SUFFIXES | ANNOTATION_SUFFIXES) - {".ecg"}
"""Files that are nothing without a header. An ``.ecg`` without one may be a recording of another format."""
_CHUNK_FRAMES = 1 << 19
# In a pattern that meets a file no two runs of blanks stand beside each other: each length would be tried with each.
_PATIENT_ID = re.compile(r"<?\s*patient[ _-]?id\s*(?:>\s*)?[:=]\s*(\S.*)", re.IGNORECASE)
_AGE = re.compile(r"<?\s*age\s*(?:>\s*)?(?:[:=]\s*)?(\d{1,3})\b.*", re.IGNORECASE)
_SEX = re.compile(
    r"(?:<?\s*age\b\W{0,10}\d{1,3}\W{1,10})?<?\s*(?:sex|gender)\s*(?:>\s*)?[:=]\s*([a-z]{1,20})\b.*", re.IGNORECASE
)
"""In a line of its own, or after the age, as in PhysioNet's ``<age>: 65 <sex>: F <diagnoses>: …``."""
_DRUGS = re.compile(r"(?:rx|drugs?|medications?)\b[^:=]{0,40}[:=]\s*(.*)", re.IGNORECASE)
_INDICATION = re.compile(r"(?:indication|reason for (?:admission|test|recording))\s*[:=]\s*(.*)", re.IGNORECASE)
_KNOWN = re.compile(rf"(?:age|sex|dx|rx|hx|sx)\s*:|{re.escape(SYNTHETIC_COMMENT)}", re.IGNORECASE)
_AGE_AND_SEX = re.compile(r"(\d{1,3})\s+([MF])(?:\s.*)?")
_INVALID = {"8": 0, "80": -128, "212": -2048, "310": -512, "311": -512, "24": -(2**23), "32": -(2**31)}
_USUAL_GAINS = (20.0, 4000.0)
_FAR_OFF_ZERO_MV = 5.0
_RESEND = "Send the recording again with all of its files."


def read_wfdb(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read the record whose header is at `path`; see `ecg_core.formats.read_recording`."""
    with path.open("rb") as stream:
        raw = stream.read(MAX_HEADER_BYTES + 1)
    header = parse_header(raw)
    refuse_segments(header)
    doubts = list(header.doubts)
    rate, chosen = _choose_leads(header, doubts)
    files = [beside(path, name) for name in header.files]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise IncompleteRecording(
            f"{len(missing)} of the {len(files)} signal file(s) that the header names are not there.", _RESEND
        )
    gathered = Header("wfdb", "", header.start_time, doubts=doubts)
    n_frames, whole = _check_lengths(header, files, gathered)
    per_frame = header.signals[chosen[0]].samples_per_frame
    check_length(n_frames * per_frame, rate, len(chosen))
    _doubt_gains([header.signals[i] for i in chosen], gathered)
    signal = _read_millivolts(header, files, chosen, n_frames, gathered, whole)
    gathered.recording_id = recording_id or identity(raw, header, files)
    gathered.patient = next((m[1] for c in header.comments if (m := _PATIENT_ID.fullmatch(c))), None)
    gathered.synthetic = any(comment.startswith(SYNTHETIC_COMMENT) for comment in header.comments)
    gathered.stated = _stated(header.comments)
    comments = _state_drugs(header.comments, gathered)
    gathered.saw(patient_id=gathered.patient, comments="".join(c for c in comments if not _KNOWN.match(c)))
    gathered.file_unit = header.signals[chosen[0]].unit or "mV"
    return finish(signal, [header.signals[i].description for i in chosen], rate, gathered, pseudonym_key)


def beside(path: Path, name: str) -> Path:
    """Return the file of that name beside another; a name's case is often lost on the way."""
    file = path.parent / name
    if file.is_file():
        return file
    alike = [other for other in path.parent.iterdir() if other.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else file


def _stated(comments: tuple[str, ...]) -> Stated:
    age = next((m[1] for c in comments if (m := _AGE.fullmatch(c))), None)
    of_sex = next((m[1] for c in comments if (m := _SEX.fullmatch(c))), None)
    both = next((m for c in comments[:1] if (m := _AGE_AND_SEX.fullmatch(c))), None)
    if both is not None:
        age, of_sex = age or both[1], of_sex or both[2]
    return Stated(age_years=believable_age(float(age)) if age else None, sex=sex(of_sex))


def _state_drugs(comments: tuple[str, ...], gathered: Header) -> list[str]:
    """Gather drugs and indications; return the comments that are neither.

    A line behind the first that says not what it holds is taken for drugs where it holds nothing else, as those of
    MIT-BIH do: ``Digoxin, Quinaglute``.
    """
    others = []
    for place, comment in enumerate(comments):
        named, reason = _DRUGS.fullmatch(comment), _INDICATION.fullmatch(comment)
        if named or (place and drugs.are_drugs(comment)):
            gathered.drugs += drugs.of_text(named[1] if named else comment)
        elif reason:
            gathered.indications.append((reason[1], ""))
        else:
            others.append(comment)
    return others


def _doubt_gains(lines: list[SignalLine], gathered: Header) -> None:
    if not all(line.calibrated for line in lines):
        assumed = "The header states no gain for a lead: the standard's 200 units per millivolt are assumed."
        gathered.doubt("gain", assumed)
        return
    if any(line.gain < 0 for line in lines):
        gathered.doubt("gain", "The header states a negative gain: the lead is turned over by it.")
    per_millivolt = [line.gain / (leads.millivolts_per(line.unit) or 1.0) for line in lines]
    # Programs that fit the gain to the signal write broken numbers; a whole one was meant.
    odd = [
        gain
        for gain, line in zip(per_millivolt, lines, strict=True)
        if not _USUAL_GAINS[0] <= abs(gain) <= _USUAL_GAINS[1]
        and line.gain == int(line.gain)
        and line.format not in {"24", "32", "524"}
    ]
    if odd:
        gathered.doubt("gain", f"The header states a gain of {odd[0]:g} units per millivolt, which hardly any ECG has.")


def identity(raw: bytes, header: WfdbHeader, files: list[Path]) -> str:
    """SHA-256 (hex) over the digests of the canonical header and of each signal file, in order."""
    digests = [hashlib.sha256(canonical_header(raw, header)).digest()]
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").digest())
    return join_digests(digests)


def join_digests(digests: list[bytes]) -> str:
    """One hex digest of several, so that bytes cannot wander from one file into the next unseen."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _choose_leads(header: WfdbHeader, doubts: list[Doubt]) -> tuple[float, list[int]]:
    """Rate in hertz and the columns of the ECG leads; of several rates the one that most leads have."""
    # The standard lets a line state no unit: millivolts are meant then.
    units = [NOT_RECORDED if line.file == NO_FILE else line.unit or "mV" for line in header.signals]
    described = [
        (line.description, unit, header.frame_rate_hz * line.samples_per_frame)
        for line, unit in zip(header.signals, units, strict=True)
    ]
    return choose_leads(described, "Correct the rate in the header, or record at 250 Hz or more.", doubts)


def _check_lengths(header: WfdbHeader, files: list[Path], gathered: Header) -> tuple[int, bool]:
    """Frames that are read, and whether they are all that the header promises; less by a second is no recording."""
    lengths = []
    for file, name in zip(files, header.files, strict=True):
        group = [line for line in header.signals if line.file == name]
        check_group(header, group)
        refuse_other_storage(file, group, header.n_frames)
        lengths.append(frames_in(file, group))
        if lengths[-1] <= 0 or header.n_frames - lengths[-1] >= header.frame_rate_hz:
            raise TruncatedSignal(
                f"The signal file holds {_told(lengths[-1], header)}, "
                f"but the header promises {_told(header.n_frames, header)}.",
                "The transfer probably broke off: send the recording again, or correct the length in the header.",
            )
        if header.n_frames and _surplus(group, header.n_frames, lengths[-1]):
            if header.n_frames < leads.SHORTEST_S * header.frame_rate_hz <= lengths[-1]:
                raise CorruptHeader(
                    f"The header promises {_told(header.n_frames, header)}, "
                    f"the signal file holds {_told(lengths[-1], header)}.",
                    "Correct the length in the header.",
                )
            gathered.doubt(
                "length",
                f"The signal file holds {_told(lengths[-1], header)}, "
                f"the header promises {_told(header.n_frames, header)}: the rest is left out.",
            )
    there = min(lengths)
    if there < header.n_frames:
        gathered.doubt(
            "length",
            f"The signal file is {header.n_frames - there:,} sample(s) of each lead shorter than the "
            f"{header.n_frames:,} that the header promises: it is read to its end, and not held against checksums.",
        )
    return min(there, header.n_frames or there), there >= header.n_frames


def _surplus(group: list[SignalLine], n_frames: int, available: int) -> bool:
    """Whether a file holds more than its header promises; packed formats fill up two samples at most."""
    slack = 2 if group[0].format in {"212", "310", "311"} else 0
    return (available - n_frames) * sum(line.samples_per_frame for line in group) > slack


def _told(n_frames: int, header: WfdbHeader) -> str:
    seconds = n_frames / header.frame_rate_hz
    length = f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.1f} s"
    return f"{n_frames:,} samples of each lead ({length})"


@dataclass(slots=True)
class _Lead:
    """One lead while it is read: where its limits are, and which samples stood at them."""

    line: SignalLine
    at_limit: list[npt.NDArray[np.int64]]
    beyond_limit: bool = False
    total: int = 0
    first: float = math.nan

    def to_millivolts(self, digital: npt.NDArray[np.float64], start: int) -> npt.NDArray[np.float64]:
        """Turn the ADC's numbers into millivolts; note which stand at its limits, and sum them up."""
        missing = np.isnan(digital)
        n_missing = int(np.count_nonzero(missing))
        self.total += int(np.sum(digital, where=~missing) if n_missing else np.sum(digital))
        self.total += n_missing * _INVALID.get(self.line.format, -32768)
        if start == 0 and digital.size:
            self.first = float(digital[0])
        if 1 < self.line.adc_bits <= 32:
            half = 2 ** (self.line.adc_bits - 1)
            low, high = self.line.adc_zero - half, self.line.adc_zero + half - 1
            self.at_limit.append(np.flatnonzero((digital == low) | (digital == high)) + start)
            self.beyond_limit |= bool(((digital < low) | (digital > high)).any())
        factor = leads.millivolts_per(self.line.unit) or 1.0
        return (digital - self.line.baseline) * (factor / self.line.gain)

    def contradicts(self) -> bool:
        """Whether the header states a checksum that is not that of the samples; writers without one put 0."""
        return bool(self.line.checksum) and (self.total - (self.line.checksum or 0)) % 65536 != 0

    def starts_elsewhere(self) -> bool:
        """Whether the header states a first value that is not the first sample's; writers without one put 0."""
        return self.line.initial not in (0, self.first) and self.line.format != "8" and not math.isnan(self.first)

    def saturated(self) -> npt.NDArray[np.int64]:
        """Return samples at the ADC's limits; none where others lie beyond: the stated resolution is wrong then."""
        return np.concatenate(self.at_limit) if self.at_limit and not self.beyond_limit else np.empty(0, np.int64)


def _read_millivolts(
    header: WfdbHeader, files: list[Path], chosen: list[int], n_frames: int, gathered: Header, whole: bool
) -> npt.NDArray[np.float32]:
    per_frame = header.signals[chosen[0]].samples_per_frame
    signal = np.empty((n_frames * per_frame, len(chosen)), dtype=np.float32)
    state = [_Lead(header.signals[i], []) for i in chosen]
    if not all(lead.line.calibrated for lead in state):
        _log.warning("uncalibrated", reason="the header states no gain: 200 units per millivolt is assumed")
    for start, digital in _read_chunks(header, files, chosen, n_frames):
        for column, lead in enumerate(state):
            at = start * per_frame
            signal[at : at + digital[column].size, column] = lead.to_millivolts(digital[column], at)
    for column, lead in enumerate(state):
        signal[lead.saturated(), column] = np.nan
    if not any(line.skew_frames for line in header.signals):
        _doubt_samples(header, files, n_frames, state, whole, gathered)
    _doubt_levels(signal, gathered)
    if len(chosen) == len(header.signals) and _is_plain_16(header) and follow_each_other(signal):
        gathered.doubt(
            "checksum",
            "Each lead goes on where the one before it ends, as where samples lie lead after lead and not interleaved: "
            "the leads may be mixed up in time.",
        )
    return signal


def _doubt_samples(
    header: WfdbHeader, files: list[Path], n_frames: int, state: list[_Lead], whole: bool, gathered: Header
) -> None:
    """Hold checksums and first values against the samples."""
    sums_differ = whole and any(lead.contradicts() for lead in state)
    first_differs = any(lead.starts_elsewhere() for lead in state)
    if sums_differ:
        refuse_other_order(header, files, n_frames)
    if first_differs and not sums_differ and whole and all(lead.line.checksum for lead in state):
        gathered.doubt("checksum", "The header's first values are not those of the samples, though its checksums are.")
    elif sums_differ or first_differs:
        what = " and ".join(["checksums"] * sums_differ + ["first values"] * first_differs)
        gathered.doubt(
            "checksum",
            f"The header's {what} are not those of the samples: the signal is damaged, or the header is that of "
            "another recording.",
        )


def _doubt_levels(signal: npt.NDArray[np.float32], gathered: Header) -> None:
    """Say where a lead lies far off zero throughout."""
    sampled = signal[:: max(1, len(signal) // 20_000)].astype(np.float64)
    largest = max((abs(float(np.nanmedian(lead))) for lead in sampled.T if np.isfinite(lead).any()), default=0.0)
    if largest > _FAR_OFF_ZERO_MV:
        gathered.doubt(
            "gain",
            f"A lead lies {largest:.3g} mV off zero throughout: its baseline is wrong, or the electrodes' own voltage "
            "was recorded with it.",
        )


def _is_plain_16(header: WfdbHeader) -> bool:
    """Whether all leads lie in one file in format 16, one sample a frame: an array as it is."""
    lines, first = header.signals, header.signals[0]
    return len(header.files) == 1 and all(
        line.format == "16"
        and line.samples_per_frame == 1
        and not line.skew_frames
        and (line.file, line.offset_bytes) == (first.file, first.offset_bytes)
        for line in lines
    )


Chunk = tuple[int, list[npt.NDArray[np.float64]]]


def _read_chunks(header: WfdbHeader, files: list[Path], chosen: list[int], n_frames: int) -> Iterator[Chunk]:
    """Yield (first frame, one array of the ADC's numbers per chosen lead, NaN where a sample is missing)."""
    try:
        chunks = _plain_16_chunks if _is_plain_16(header) else _wfdb_chunks
        yield from chunks(header, files, chosen, n_frames)
    except FileNotFoundError:
        if all(file.is_file() for file in files):
            raise  # the folder of temporary files is gone
        raise IncompleteRecording("A signal file vanished while it was read.", _RESEND) from None
    except (ValueError, IndexError, TypeError, RuntimeError) as error:
        # The lengths were checked before: the file is being written to, or its compressed stream is broken.
        _log.info("undecodable", error=str(error)[:200])
        raise TruncatedSignal("The signal file cannot be decoded to its end.", _RESEND) from None


def _plain_16_chunks(header: WfdbHeader, files: list[Path], chosen: list[int], n_frames: int) -> Iterator[Chunk]:
    """Read what most resting ECGs are in, without wfdb: that takes 8 ms for what lies there as an array."""
    shape = n_frames, len(header.signals)
    raw = np.memmap(files[0], dtype="<i2", mode="r", offset=header.signals[0].offset_bytes, shape=shape)
    for start in range(0, n_frames, _CHUNK_FRAMES):
        digital = raw[start : start + _CHUNK_FRAMES, chosen].T.astype(np.float64)
        digital[digital == -(2**15)] = np.nan
        yield start, list(digital)


def _wfdb_chunks(header: WfdbHeader, files: list[Path], chosen: list[int], n_frames: int) -> Iterator[Chunk]:
    import wfdb

    # Format 8 stores differences: it can be summed up from the start only.
    step = n_frames if any(line.format == "8" for line in header.signals) else _CHUNK_FRAMES
    with tempfile.TemporaryDirectory(prefix="ecg-wfdb-") as folder:
        for number, file in enumerate(files):
            (Path(folder) / neutral_name(number)).symlink_to(file.resolve())
        (Path(folder) / "recording.hea").write_text(_checked_header(header, n_frames))
        for start in range(0, n_frames, step):
            record = wfdb.rdrecord(
                f"{folder}/recording",
                sampfrom=start,
                sampto=min(start + step, n_frames),
                channels=chosen,
                smooth_frames=False,
            )
            yield start, record.e_p_signal


def _checked_header(header: WfdbHeader, n_frames: int) -> str:
    """Write the header that wfdb gets to see: the checked fields alone; gain 1, so that it gives the ADC's numbers."""
    number = {name: neutral_name(i) for i, name in enumerate(header.files)}
    lines = [f"recording {len(header.signals)} 250 {n_frames}"]
    for line in header.signals:
        form = f"{line.format}x{line.samples_per_frame}:{line.skew_frames}+{line.offset_bytes}"
        lines.append(f"{number.get(line.file, NO_FILE)} {form} 1(0)/mV 0 0 {line.initial} 0 0 lead")
    return "\n".join(lines) + "\n"
