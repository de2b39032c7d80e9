"""`ecg inspect`: what is understood of a file, in words and as JSON; of names and ids the fields alone are told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from ecg_core.export.json_file import stated_as_json
from ecg_core.formats import Inspection, inspect_file, profiles_of, with_site_profile
from ecg_core.recording import OLDEST_AGE_YEARS
from ecg_core.settings import Settings


def inspect_path(path: Path, settings: Settings) -> Inspection:
    """Read a file as `ecg score` would and say what was understood of it; nothing is kept."""
    with with_site_profile(path, profiles_of(settings)) as readable:
        return inspect_file(readable, settings.pseudonym_secret())


def inspection_as_json(found: Inspection) -> dict[str, object]:
    """Turn an inspection into JSON-able values."""
    return {
        **asdict(found),
        "start_time": found.start_time.isoformat() if found.start_time else None,
        "stated": stated_as_json(found.stated),
        "doubts": [doubt._asdict() for doubt in found.doubts],
    }


def inspection_rows(found: Inspection) -> list[tuple[str, str]]:
    """Say an inspection in lines of (term, value)."""
    if not found.usable:
        return [("cannot be used", found.refusal)]
    stated = found.stated
    patient = [f"{stated.age_years} years" if stated.age_years is not None else "", stated.sex or ""]
    if stated.age_years == OLDEST_AGE_YEARS:
        patient[0] = "90 years or older"
    if stated.pacemaker is not None:
        patient.append("with a pacemaker" if stated.pacemaker else "without a pacemaker")
    rows = [
        ("format", found.source_format),
        ("leads", ", ".join(found.lead_names)),
        ("leads in the file", ", ".join(found.file_lead_names)),
        ("sampling rate", f"{found.sampling_rate_hz:g} Hz"),
        ("unit in the file", found.file_unit),
        ("length", f"{found.duration_s:,.1f} s ({timedelta(seconds=round(found.duration_s))})"),
        ("start", _start(found)),
        ("device", found.device or "not stated"),
        ("patient", ", ".join(part for part in patient if part) or "not stated"),
        ("fields that identify", (", ".join(found.identity_fields) or "none") + " (what they hold is not kept)"),
        *(("the device applied", text) for text in stated.filters),
        *(("the device says", text) for text in stated.statements),
        *(("the device measured", f"{name} {value:g}") for name, value in stated.measurements),
        *(("symptom", text) for text in stated.symptoms),
        *(("indication", text) for text in stated.indications),
        *(("drug", drug.words()) for drug in stated.drugs),
    ]
    if stated.events:
        rows.append(("events", f"{len(stated.events)}; the first at {stated.events[0][0]:,.1f} s"))
    rows += [("doubtful", doubt.text) for doubt in found.doubts]
    return [*rows, ("fingerprint", found.fingerprint)]


def _start(found: Inspection) -> str:
    if found.start_time is None:
        return "not stated"
    return found.start_time.isoformat(" ") + ("" if found.start_time.tzinfo else " (the file states no time zone)")
