"""A recording's result as an HL7 v2.5.1 message ORU^R01: measurements by LOINC, findings by SNOMED CT, and the PDF.

OBR-25 and OBX-11 follow the review: ``P`` until a reader has signed and where something was answered since, then ``F``,
or ``C`` where what they signed is not what the model said. The patient is a pseudonym; a time without a zone is written
without one. https://www.hl7.org/implement/standards/product_brief.cfm?product_id=144
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from ecg_core.export.codes import FINDINGS, IMPRESSION, NOTICE, measured, study_code
from ecg_core.result import FinalFacts, Result, RunFacts

SENDER: Final = "ECG PLATFORM"
_PSEUDONYM: Final = "^^^^^^S"
"""PID-5: no name, of the type of a pseudonym."""
OWN_CODES: Final = "99ECG"
_STATUS: Final = {"preliminary": "P", "final": "F", "amended": "C"}
_ESCAPED: Final = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\r": "\\.br\\",
    "\n": "\\.br\\",
}


def oru_message(
    result: Result,
    run: RunFacts,
    final: FinalFacts | None,
    control_id: str,
    pdf: bytes | None = None,
    notes: tuple[str, ...] = (),
) -> str:
    """Write the message; the same result and control id give the same message.

    Parameters
    ----------
    result : Result
    run : RunFacts
    final : FinalFacts or None
        What stands where a reader has signed: its findings take the place of the model's.
    control_id : str
        MSH-10: the same where a message is sent again.
    pdf : bytes, optional
        The report, as an encapsulated document.
    notes : tuple of str
        Sentences beside the findings, for instance where the report is read.

    Returns
    -------
    str
        Segments that end with a carriage return each, without MLLP's frame.
    """
    recording, state = result.recording, "preliminary" if final is None else final.state
    status = _STATUS[state]
    said_at = run.scored_at if final is None else final.holds_since
    start = recording.start_time
    end = start + timedelta(seconds=recording.duration_s) if start else None
    code, term = study_code(result)
    order = f"{recording.recording_id[:32]}^{SENDER}"
    header = [
        "MSH",
        "^~\\&",
        SENDER,
        "",
        "",
        "",
        _time(said_at),
        "",
        "ORU^R01^ORU_R01",
        _text(control_id),
        "P",
        "2.5.1",
    ]
    patient = ["PID", "1", "", f"{recording.patient_pseudonym or 'unknown'}^^^{SENDER}^PI", "", _PSEUDONYM, "", ""]
    request = ["OBR", "1", "", order, f"{code}^{_text(term)}^LN", "", "", _time(start), _time(end)]
    request += [""] * 13 + [_time(said_at), "", "EC", status]
    segments = [
        [*header, *[""] * 5, "UNICODE UTF-8"],
        [*patient, {"female": "F", "male": "M"}.get(recording.stated.sex or "", "U")],
        request,
    ]
    # Several of one kind are told apart by OBX-4.
    seen: Counter[str] = Counter()
    for number, (kind, what, value, unit) in enumerate(_observations(result, final, pdf, notes), start=1):
        seen[what] += 1
        segments.append(["OBX", str(number), kind, what, str(seen[what]), value, unit, "", "", "", "", status])
    return "".join("|".join(fields).rstrip("|") + "\r" for fields in segments)


def _observations(
    result: Result, final: FinalFacts | None, pdf: bytes | None, notes: tuple[str, ...]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (OBX-2, OBX-3, OBX-5, OBX-6)."""
    for one in measured(result, final):
        yield "NM", f"{one.code}^{_text(one.term)}^LN", f"{one.value:g}", f"{one.unit}^{one.unit}^UCUM"
    impression = f"{IMPRESSION[0]}^{IMPRESSION[1]}^LN"
    for finding in result.findings if final is None else final.findings:
        own = f"{finding.kind}^{_text(finding.kind.replace('_', ' '))}^{OWN_CODES}"
        code, term = FINDINGS.get(finding.kind, ("", ""))
        value = f"{code}^{_text(term)}^SCT^{own}" if code else own
        yield "CWE", impression, value, ""
    for text in (*notes, NOTICE):
        yield "TX", impression, _text(text), ""
    if pdf is not None:
        content = base64.b64encode(pdf).decode("ascii")
        yield "ED", "11524-6^EKG study^LN", f"{SENDER}^application^pdf^Base64^{content}", ""


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y%m%d%H%M%S%z") if moment else ""


def _text(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)
