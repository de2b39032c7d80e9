"""JSON of watches and patches: Fitbit, Withings, Health Auto Export, and what states rate and unit beside its samples.

Fitbit's readings give a scaling factor (samples per millivolt), Withings' documentation microvolts; the others say
their unit. What a file does not state is taken from its profile (`ecg_core.formats.profile`) or asked for.

Identity in these files: user, patient and device ids, names, notes. A ``patientId`` leaves as a keyed hash; start, the
device's classification where `words` lets it pass, its heart rate and the device's name are kept; nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnsupportedFormat, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import Channel, Header, assemble, damaged, read_whole
from ecg_core.formats.profile import Profile, parse_profile, profile_of
from ecg_core.formats.table_facts import start_time
from ecg_core.formats.tables import ask_for, doubt_contradictions, identity_with_profile, missing_lines
from ecg_core.formats.text_file import decoded
from ecg_core.formats.time_column import moment_of_epoch
from ecg_core.recording import Recording, Stated

_MEND = "Export the recording again, or say its rate and unit in a file of the same name that ends in .toml."
_FEWEST_SAMPLES = 100
_DEEPEST = 12
_RATES = ("samplingfrequencyhz", "samplingfrequency", "samplingrate", "samplerate", "samplingratehz", "fs", "frequency")
_UNITS = ("unit", "units", "amplitudeunit", "voltageunit")
_STARTS = ("starttime", "recordedat", "startdate", "start", "timestamp", "date", "recordingtime")
_CLASSES = ("resultclassification", "classification", "result", "algorithmdetermination")
_HEART_RATES = ("averageheartrate", "heartrate", "averagehr")
_DEVICES = ("devicename", "model", "device")
_PATIENTS = ("patientid", "subjectid")
_IDENTIFYING = re.compile(r"patient|subject|user|name|birth|email|address|serial|note|encodedid", re.IGNORECASE)
_VALUES = {"waveformsamples", "samples", "signal", "ecg", "values", "data", "voltage", "voltages", "waveform"}

_NAMES = ("name", "lead", "leadname", "leadid", "label", "channel")

Object = dict[str, object]
_Reading = tuple[tuple[Object, ...], str, npt.NDArray[np.float64]]


def is_json(suffix: str, head: bytes) -> bool:
    """Whether a file is JSON by its suffix and first character."""
    return suffix == ".json" and decoded(head, cut=True).lstrip()[:1] in ("{", "[")


def read_json(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read a JSON export; see `ecg_core.formats.read_recording`."""
    raw = read_whole(path)
    beside = profile_of(path)
    profile_raw = beside.read_bytes() if beside else b""
    profile = parse_profile(profile_raw) if beside else Profile()
    try:
        document = json.loads(decoded(raw))
        found = list(_readings(document, ()))
    except (ValueError, RecursionError) as error:
        raise damaged("JSON", error) from None
    if not found:
        raise UnusableSignal("The JSON holds no list of samples.", _MEND)
    # Leads of one reading stand in one object, or in one list under their names; a second object is another reading.
    holders = {id(parents[-1]) for parents, _, _ in found}
    if len(holders) > 1 and (by_name := _named_leads(found)):
        found = by_name
    elif len(holders) > 1:
        raise UnsupportedFormat(f"The JSON holds {len(holders)} ECGs.", "Send each of them in a file of its own.")
    parents = found[0][0]
    header = _header(parents, identity_with_profile(raw, profile_raw, recording_id))
    return assemble(_channels(found, parents, profile, header), header, pseudonym_key, _MEND)


def _readings(node: object, parents: tuple[Object, ...]) -> Iterator[_Reading]:
    """Yield (the objects around it, its name, samples) of every list of numbers that is long enough for an ECG."""
    if len(parents) > _DEEPEST:
        raise CorruptHeader("The JSON is nested deeper than an ECG's.", _MEND)
    if isinstance(node, dict):
        lowered: Object = {str(key).casefold().replace("_", ""): value for key, value in node.items()}
        for key, value in node.items():
            samples = _samples(value)
            if samples is not None:
                yield (*parents, lowered), str(key), samples
            elif isinstance(value, (dict, list)):
                yield from _readings(value, (*parents, lowered))
    elif isinstance(node, list):
        for item in node[:1000]:
            if isinstance(item, (dict, list)):
                yield from _readings(item, parents)


def _named_leads(found: list[_Reading]) -> list[_Reading]:
    """Return readings under their leads' names, where they stand in one list and each has another; none otherwise."""
    names = [str(next((p[-1][key] for key in _NAMES if isinstance(p[-1].get(key), str)), "")) for p, _, _ in found]
    spelled = {leads.spelling(name) for name in names}
    around = {tuple(map(id, parents[:-1])) for parents, _, _ in found}
    if len(around) > 1 or len(spelled) < len(found) or not spelled <= leads.KNOWN_LEADS:
        return []
    return [(parents, name, samples) for name, (parents, _, samples) in zip(names, found, strict=True)]


def _samples(value: object) -> npt.NDArray[np.float64] | None:
    """Return a list of numbers (or of objects with a voltage) as an array, null as NaN; None for anything else."""
    if not isinstance(value, list) or len(value) < _FEWEST_SAMPLES:
        return None
    if isinstance(value[0], dict):
        value = [item.get("voltage", item.get("value")) if isinstance(item, dict) else None for item in value]
    if not all((isinstance(item, (int, float)) and not isinstance(item, bool)) or item is None for item in value):
        return None
    try:
        samples = np.array(value, dtype=np.float64)
    except OverflowError:
        return None
    return samples if np.isfinite(samples).any() else None


def _channels(found: list[_Reading], parents: tuple[Object, ...], profile: Profile, header: Header) -> list[Channel]:
    rate = _number(_get(parents, _RATES))
    scale, unit = 1.0, str(_get(parents, _UNITS) or _voltage_unit(parents) or "")
    factor = _number(_get(parents, ("scalingfactor",)))
    if factor and "waveformsamples" in parents[-1]:
        scale, unit = 1.0 / factor, "mV"
    elif "samplingfrequency" in parents[-1] and "signal" in parents[-1] and not unit:
        unit = "uV"
    doubt_contradictions(header, profile, rate, [unit])
    rate_hz, unit = profile.rate_hz or rate, profile.unit or unit
    missing = missing_lines(rate_hz, unit if leads.millivolts_per(unit) else "")
    if missing or rate_hz is None:
        raise ask_for(missing)
    number = _get(parents, ("leadnumber",))
    channels = []
    for place, (_, key, samples) in enumerate(found):
        known = leads.spelling(key) in leads.STANDARD_LEADS
        name = key if known or (len(found) > 1 and key.casefold().replace("_", "") not in _VALUES) else ""
        if profile.leads and place < len(profile.leads):
            name = profile.leads[place]
        elif number == 1 and not name:
            name = "I"
        channels.append(Channel(name, unit, float(rate_hz), samples * scale))
    return channels


def _voltage_unit(parents: tuple[Object, ...]) -> str | None:
    """Return the unit of a list of objects that each hold a voltage and its unit."""
    for value in parents[-1].values():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            unit = value[0].get("units", value[0].get("unit"))
            return str(unit) if unit else None
    return None


def _header(parents: tuple[Object, ...], recording_id: str) -> Header:
    header = Header("json", recording_id)
    start = _get(parents, _STARTS)
    header.start_time = start_time(start) if isinstance(start, str) else _of_epoch(start)
    patient = _get(parents, _PATIENTS)
    header.patient = str(patient) if isinstance(patient, (str, int)) else None
    device = _get(parents, _DEVICES)
    header.device = str(device) if isinstance(device, str) else None
    rate = _number(_get(parents, _HEART_RATES))
    header.stated = Stated(measurements=(("heart_rate_per_min", rate),) if rate else ())
    classified = _get(parents, _CLASSES)
    header.texts = [str(classified)] if isinstance(classified, str) else []
    seen = {key: "x" for holder in parents for key, value in holder.items() if _IDENTIFYING.search(key) and value}
    header.saw(**seen)
    return header


def _get(parents: tuple[Object, ...], keys: tuple[str, ...]) -> object:
    """Return the first value of these keys, looked for from the samples' own object outwards."""
    for holder in reversed(parents):
        for key in keys:
            if holder.get(key) not in (None, "", []):
                return holder[key]
    return None


def _of_epoch(value: object) -> datetime | None:
    """Return the moment of a number that counts from 1970, by its size in seconds to nanoseconds, in UTC."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return next((found for unit_s in (1.0, 1e-3, 1e-6, 1e-9) if (found := moment_of_epoch(value * unit_s))), None)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if np.isfinite(number) and number > 0 else None
