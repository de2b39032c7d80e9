"""What every reader ends with: which of a file's signals are ECG leads, whether they can be used, and the `Recording`.

A reader says what its file holds (`Channel`, or names, units and rates before it reads the samples) and what the file
states; the rules that hold for every format stand here once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, RecordingError, UnusableSignal
from ecg_core.formats import drugs, leads, words
from ecg_core.recording import OLDEST_AGE_YEARS, Doubt, DoubtCode, Drug, Recording, Stated

MAX_VALUES = 2**30
"""Samples × leads read at most (4 GiB as float32: 14 days of three leads at 250 Hz)."""
LARGEST_TEXT_BYTES = 100_000_000
"""Of XML, JSON and CSV files, which are read whole: ten minutes of twelve leads take 25 MB."""
_PLACEHOLDER_DATES = {(1985, 1, 1), (1970, 1, 1), (1900, 1, 1), (1899, 12, 30), (1904, 1, 1), (1980, 1, 1), (1, 1, 1)}
_LAST_YEAR = 2100
"""Calendars that count from another year come later: 2021 is 2564 in Thailand."""
_WINDOW_S, _WINDOWS = 2.0, 200
_MOST_MILLIVOLTS = 1e6
_MOST_MEASURED = 1e6
"""No measurement of an ECG is larger; what is not finite is none either."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal of a file: the file's name and unit of it, its rate, and its samples in that unit (NaN: missing)."""

    name: str
    unit: str
    rate_hz: float
    samples: npt.NDArray[np.floating]


@dataclass(slots=True)
class Header:
    """What a reader gathers beside the signal; `assemble` turns it into the fields of a `Recording`.

    `patient` identifies the patient and leaves as a keyed hash alone; `identity_fields` are names of fields. `texts`,
    `symptoms`, `indications` and `drugs` are the file's own words, `events` its marks (seconds, text): those free of
    names are kept. Of an indication its text and its code (`ecg_core.formats.drugs.is_code`), either of them empty.
    """

    source_format: str
    recording_id: str
    start_time: datetime | None = None
    patient: str | None = None
    device: str | None = None
    synthetic: bool = False
    stated: Stated = field(default_factory=Stated)
    texts: list[str] = field(default_factory=list)
    symptoms: list[str] = field(default_factory=list)
    indications: list[tuple[str, str]] = field(default_factory=list)
    drugs: list[Drug] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    file_unit: str = ""
    identity_fields: list[str] = field(default_factory=list)

    def doubt(self, code: DoubtCode, text: str) -> None:
        """Note what is doubtful, once."""
        if Doubt(code, text) not in self.doubts:
            self.doubts.append(Doubt(code, text))

    def saw(self, **fields: object) -> None:
        """Note the names of those identifying fields that hold something."""
        self.identity_fields += [name.replace("_", " ") for name, value in fields.items() if value not in (None, "")]


def choose_leads(
    described: Sequence[tuple[str, str, float]], mend: str, doubts: list[Doubt] | None = None
) -> tuple[float, list[int]]:
    """Return the rate in hertz and the places of the ECG leads among signals of (name, unit, rate in hertz).

    Where they have several rates, those of the rate that most leads have are taken (the higher one where two rates
    have as many), and `doubts` says so; it also says which signals are left out that could be meant for ECG leads.

    Raises
    ------
    CorruptHeader
        A signal that could be an ECG states no unit.
    UnusableSignal
        No ECG lead, or at a rate that no ECG has.
    """
    chosen = [i for i, (name, unit, _) in enumerate(described) if leads.is_ecg(name, unit)]
    if any(not described[i][1].strip() for i in chosen):
        raise CorruptHeader("The file does not state the unit of an ECG lead.", "State it (mV or µV), and send again.")
    other_unit = [name for name, unit, _ in described if _is_lead_of_unknown_unit(name, unit)]
    if not chosen and other_unit:
        raise UnusableSignal(
            f"The unit of {len(other_unit)} ECG lead(s) is none that is read here.", "State it as mV, µV or V."
        )
    if not chosen:
        raise UnusableSignal(
            f"None of the {len(described)} signal(s) in it is an ECG lead.",
            "Send a recording with at least one ECG lead in millivolts or microvolts.",
        )
    if doubts is not None:
        doubts += _doubts_of_left_out(described, chosen, len(other_unit))
    counts = Counter(described[i][2] for i in chosen)
    rate_hz = max(counts, key=lambda rate: (counts[rate], rate))
    if len(counts) > 1 and doubts is not None:
        left_out = len(chosen) - counts[rate_hz]
        doubts.append(
            Doubt("left_out", f"{left_out} ECG lead(s) of another sampling rate than {rate_hz:g} Hz are left out.")
        )
    check_rate(rate_hz, mend)
    return rate_hz, [i for i in chosen if described[i][2] == rate_hz]


NOT_RECORDED = "%"
"""Stands for the unit of a signal of which there are no samples."""


def _is_lead_of_unknown_unit(name: str, unit: str) -> bool:
    known = leads.spelling(leads.printable(name)) in leads.KNOWN_LEADS
    return known and unit != NOT_RECORDED and leads.millivolts_per(unit) is None


def _doubts_of_left_out(
    described: Sequence[tuple[str, str, float]], chosen: Sequence[int], n_other_unit: int
) -> list[Doubt]:
    voltages = [i for i, (_, unit, _) in enumerate(described) if unit.strip() and leads.millivolts_per(unit)]
    by_name = len(set(voltages) - set(chosen))
    found = []
    if n_other_unit:
        found.append(Doubt("left_out", f"{n_other_unit} ECG lead(s) are left out: their unit is none that is read."))
    if by_name:
        sentence = f"{by_name} signal(s) in volts are left out: by their names they are no ECG leads."
        found.append(Doubt("left_out", sentence))
    return found


def check_rate(rate_hz: float, mend: str) -> None:
    """Raise `UnusableSignal` where no ECG has such a rate."""
    low, high = leads.RATES_HZ
    if not low <= rate_hz <= high:
        raise UnusableSignal(
            f"The file states a sampling rate of {rate_hz:g} Hz; an ECG needs {low:g} to {high:g} Hz.", mend
        )


def check_length(n_samples: int, rate_hz: float, n_leads: int) -> None:
    """Raise `UnusableSignal` where a recording is too short to say anything of, or longer than is read at once."""
    if n_samples < leads.SHORTEST_S * rate_hz:
        raise UnusableSignal(
            f"The recording is {n_samples / rate_hz:.1f} s long; at least {leads.SHORTEST_S:g} s are needed.",
            "Record longer.",
        )
    if n_samples * n_leads > MAX_VALUES:
        raise UnusableSignal(
            f"The recording is {n_samples / rate_hz / 3600:,.0f} h long, more than is read at once.",
            "Cut it into parts of some days each.",
        )


def joined(channels: Sequence[Channel]) -> list[Channel]:
    """Lay stretches of a lead that stand under one name on one time line; where both are, the longer one stays.

    A printed page holds a lead twice: for 2.5 s in its place, and whole as the rhythm strip.
    """
    kept: dict[str, Channel] = {}
    for channel in channels:
        name = leads.spelling(channel.name)
        kept[name] = _joined(kept[name], channel) if name in kept else channel
    return list(kept.values())


def _joined(one: Channel, other: Channel) -> Channel:
    def present(channel: Channel) -> int:
        return int(np.count_nonzero(np.isfinite(channel.samples)))

    if one.rate_hz != other.rate_hz or one.unit != other.unit:
        return max(one, other, key=present)
    less, more = sorted((one, other), key=present)
    samples = np.full(max(less.samples.size, more.samples.size), np.nan)
    samples[: less.samples.size] = less.samples
    there = np.flatnonzero(np.isfinite(more.samples))
    samples[there] = more.samples[there]
    return Channel(more.name, more.unit, more.rate_hz, samples)


def assemble(channels: Sequence[Channel], header: Header, pseudonym_key: bytes, mend: str) -> Recording:
    """Make the recording of the ECG leads among `channels`.

    Parameters
    ----------
    channels : sequence of Channel
    header : Header
    pseudonym_key : bytes
    mend : str
        What the user can do where the file cannot be used.

    Raises
    ------
    CorruptHeader, UnusableSignal
    """
    described = [(channel.name, channel.unit, channel.rate_hz) for channel in channels]
    rate_hz, chosen = choose_leads(described, mend, header.doubts)
    header.file_unit = channels[chosen[0]].unit
    lengths = [channels[i].samples.size for i in chosen]
    check_length(max(lengths), rate_hz, len(chosen))
    if min(lengths) < max(lengths):
        header.doubt("gap", "The leads are of different lengths: what is missing of the shorter ones is a gap.")
    signal = np.full((max(lengths), len(chosen)), np.nan, dtype=np.float32)
    for column, place in enumerate(chosen):
        factor = leads.millivolts_per(channels[place].unit) or 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            signal[: lengths[column], column] = channels[place].samples * factor
    return finish(signal, [channels[i].name for i in chosen], rate_hz, header, pseudonym_key)


def finish(
    signal: npt.NDArray[np.float32], names: Sequence[str], rate_hz: float, header: Header, pseudonym_key: bytes
) -> Recording:
    """Make the recording of a signal in millivolts, shape (n_samples, n_leads); its doubts are told, not mended."""
    header.doubts += _doubts_of_signal(signal, rate_hz)
    if header.start_time is not None and tuple(header.start_time.timetuple()[:3]) in _PLACEHOLDER_DATES:
        header.doubt(
            "start_time", f"The start date, {header.start_time:%Y-%m-%d}, is what devices write that do not know it."
        )
    if header.start_time is not None and header.start_time.year >= _LAST_YEAR:
        header.doubt("start_time", f"The start, in the year {header.start_time.year}, lies in the future.")
    patient = (header.patient or "").strip()
    pseudonyms = [leads.pseudonym(patient, key) for key in pseudonym_key.split(b"\n")] if patient else [None]
    statements, left_out = words.keep(header.texts)
    symptoms, of_symptoms = words.keep(header.symptoms)
    indications, of_indications = _indications(header.indications)
    taken, of_drugs = drugs.keep(header.drugs)
    if n_left_out := left_out + of_symptoms + of_indications + of_drugs:
        sentence = f"{n_left_out} text(s) of the file are left out: they could hold a person's name."
        header.doubt("text_left_out", sentence)
    events = tuple((at_s, " ".join(text.split())) for at_s, text in header.events if words.is_free_of_names(text))
    stated = replace(
        header.stated,
        statements=statements,
        symptoms=symptoms,
        indications=indications,
        drugs=taken,
        events=events,
        measurements=tuple((name, value) for name, value in header.stated.measurements if abs(value) < _MOST_MEASURED),
    )
    return Recording(
        recording_id=header.recording_id,
        signal=signal,
        sampling_rate_hz=rate_hz,
        lead_names=leads.unique_names(names),
        source_format=header.source_format,
        start_time=header.start_time,
        patient_pseudonym=pseudonyms[0],
        former_pseudonyms=tuple(name for name in pseudonyms[1:] if name),
        pseudonym_key_id=leads.key_id(pseudonym_key.split(b"\n")[0]) if patient else "",
        device=" ".join((header.device or "").split())[:80] or None,
        synthetic=header.synthetic,
        file_lead_names=tuple(leads.printable(name) for name in names),
        stated=stated,
        file_unit=header.file_unit,
        identity_fields=tuple(dict.fromkeys(header.identity_fields)),
        doubts=tuple(dict.fromkeys(header.doubts)),
    )


def _indications(found: Sequence[tuple[str, str]]) -> tuple[tuple[str, ...], int]:
    """Sift why an ECG was recorded: the text where it is free of names, with its code behind it."""
    kept, n_left_out = [], 0
    for text, raw_code in found:
        (said, left_out), code = words.keep([text]), raw_code if drugs.is_code(raw_code) else ""
        n_left_out += left_out
        kept.append(f"{said[0]} ({code})" if said and code else "".join(said) or code)
    return tuple(dict.fromkeys(one for one in kept if one)), n_left_out


def _doubts_of_signal(signal: npt.NDArray[np.float32], rate_hz: float) -> list[Doubt]:
    """Say what of the signal itself is doubtful; raise where there is none.

    Looked at are up to 200 windows of 2 s, spread over the recording: what the larger half of them spans is about a
    beat's height. An ECG of twelve leads has some lead of .5 mV and more, and none has one of 20 mV.
    """
    length = max(1, min(len(signal), round(_WINDOW_S * rate_hz)))
    starts = np.unique(np.linspace(0, len(signal) - length, _WINDOWS).astype(np.int64))
    part = signal[(starts[:, None] + np.arange(length)).ravel()].reshape(len(starts), length, -1)
    if not np.isfinite(part).any() and not np.isfinite(signal).any():
        raise UnusableSignal("Every sample is marked as missing.", "Check the electrodes and record again.")
    with np.errstate(over="ignore", invalid="ignore"):
        spans = np.nanmax(part, axis=1, initial=-np.inf) - np.nanmin(part, axis=1, initial=np.inf)
    if np.isinf(part).any() or np.nanmax(np.abs(part), initial=0.0) > _MOST_MILLIVOLTS:
        raise UnusableSignal("The signal reaches a thousand volts and more.", "Correct its gain or unit.")
    spans = np.where(np.isfinite(spans), spans, np.nan)
    span = float(max((np.nanmedian(lead) for lead in spans.T if np.isfinite(lead).any()), default=0.0))
    least = 0.5 if signal.shape[1] >= 8 else 0.1
    if 0 < span < least:
        sentence = f"The largest lead spans {span:.3g} mV, less than an ECG does: its gain or unit may be wrong."
        return [Doubt("gain", sentence)]
    if span > 20.0:
        return [Doubt("gain", f"A lead spans {span:.3g} mV, more than an ECG does: its gain or unit may be wrong.")]
    return []


def runs_of_three(at_limit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of samples at the limit of what can be stored, those that stand there three times in a row or longer."""
    padded = np.concatenate([[False, False], at_limit, [False, False]])
    three = padded[:-2] & padded[1:-1] & padded[2:]
    return np.asarray(three[:-2] | three[1:-1] | three[2:])


# --- what files state of a patient


def age_years(birth: date | None, on: date | None) -> int | None:
    """Whole years between two dates; None where one is missing or they cannot be a life."""
    if birth is None or on is None:
        return None
    return believable_age(on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day)))


def believable_age(years: float | None) -> int | None:
    """Return an age in whole years, every one above 89 as 90; None for what is no age."""
    if years is None or not 0 <= years <= 130:
        return None
    return min(int(years), OLDEST_AGE_YEARS)


def sex(value: str | None) -> str | None:
    """Return "female" or "male" for what files write, None for all else."""
    return _SEXES.get((value or "").strip().casefold())


_SEXES = {"f": "female", "female": "female", "w": "female", "weiblich": "female", "woman": "female", "2": "female"}
_SEXES |= {"m": "male", "male": "male", "männlich": "male", "man": "male", "1": "male"}


# --- files that are read whole


def read_whole(path: Path, largest_bytes: int = LARGEST_TEXT_BYTES) -> bytes:
    """Return a file's content; raise `CorruptHeader` where it is larger than its format ever is."""
    with path.open("rb") as stream:
        raw = stream.read(largest_bytes + 1)
    if len(raw) > largest_bytes:
        raise CorruptHeader("The file is larger than any recording of its format.", "Export the recording again.")
    return raw


def identity(raw: bytes, recording_id: str | None) -> str:
    """Return the identity that is known already, or the content's SHA-256."""
    return recording_id or hashlib.sha256(raw).hexdigest()


def identity_of_file(path: Path, recording_id: str | None) -> str:
    """Return the identity that is known already, or the file's SHA-256."""
    if recording_id is not None:
        return recording_id
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def damaged(title: str, error: Exception) -> RecordingError:
    """Return what a reader raises for an error of a library; its text stays behind, for it can quote the file."""
    if isinstance(error, RecordingError):
        return error
    return CorruptHeader(f"The file begins as {title}, but it is damaged or incomplete.", "Export and send it again.")
