"""From a recording with its R peaks and waves to all that is measured and found of a resting ECG."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from ecg_core.recording import FloatArray, Recording
from ecg_core.resting.conduction import conduction_findings
from ecg_core.resting.infarction import infarction_findings
from ecg_core.resting.leads import NotMeasured, TwelveLeads, twelve_leads
from ecg_core.resting.measured import Measured, measured
from ecg_core.resting.median_beat import MedianBeat, median_beat, resampled, without_mains
from ecg_core.resting.reversal import reversal_findings
from ecg_core.resting.voltage import voltage_findings
from ecg_core.result.intervals import WIDE_QRS_MS
from ecg_core.result.resting import ADULT_FROM_YEARS, Doubt, HighPass, Measurement, RestingFinding, Subject
from ecg_core.signal import Analysis

_LVH: Final = frozenset(("lvh_sokolow_lyon", "lvh_cornell"))
_NOT_OF_LVH: Final = frozenset(("st_elevation", "st_depression", "t_inversion"))
_NOT_OF_BLOCKS: Final = _NOT_OF_LVH | _LVH | {"q_pathological"}


@dataclass(frozen=True, slots=True, eq=False)
class RestingECG:
    """A resting ECG, measured.

    Attributes
    ----------
    leads : TwelveLeads
    beat : MedianBeat
        ``signal_mv`` has shape (12, 400): `ecg_core.resting.leads.STANDARD_LEADS` at 250 Hz, R peak in column 130.
    measured : Measured
    measurements : tuple of Measurement
        ``measured`` as rows; what could not be told is left out.
    findings : tuple of RestingFinding
        Exchanged electrodes first. Below 18 years those alone.
    """

    leads: TwelveLeads
    beat: MedianBeat
    measured: Measured
    measurements: tuple[Measurement, ...]
    findings: tuple[RestingFinding, ...]


def read_resting(
    recording: Recording, analysis: Analysis, waves_ms: FloatArray, subject: Subject, high_pass: HighPass | None
) -> RestingECG | NotMeasured:
    """Measure a resting ECG of twelve leads and hold it against the published criteria.

    Voltages are those of the signal as recorded, without mains where it hums; our own .5 Hz high-pass is only in what
    finds and bounds the beats.

    Parameters
    ----------
    recording : Recording
    analysis : Analysis
    waves_ms : ndarray of float32, shape (n_beats, 8)
        From `Analysis.waves_ms`. Both of the same recording.
    subject : Subject
    high_pass : HighPass or None
        What the file says that the recorder applied; None where it says nothing.

    Returns
    -------
    RestingECG or NotMeasured
    """
    readable = analysis.quality.analysable.mean(axis=0) >= 0.5
    leads = twelve_leads(recording, readable)
    if isinstance(leads, NotMeasured):
        return leads
    usable = leads.usable(readable)
    as_recorded = resampled(recording.signal, recording.sampling_rate_hz)
    raw = leads.mixing @ without_mains(as_recorded, analysis.cleaned.filters)
    clean = leads.mixing @ analysis.cleaned.signal_mv.T
    beat = median_beat(raw[:, : clean.shape[1]], clean, usable, analysis.r_index, waves_ms)
    if beat is None:
        return NotMeasured("No three beats of one shape can be read in it: there is no median beat to measure.")
    found = measured(beat)
    reversals = reversal_findings(beat, found.by_lead, found.overall["qrs_duration_ms"], clean[:6])
    findings = resting_findings(beat, found, reversals, subject, high_pass)
    return RestingECG(leads, beat, found, found.rows(), findings)


def resting_findings(
    beat: MedianBeat,
    ecg: Measured,
    reversals: list[RestingFinding],
    subject: Subject,
    high_pass: HighPass | None,
) -> tuple[RestingFinding, ...]:
    """Apply all criteria, with the doubts that one casts on the other."""
    if subject.age_years is not None and subject.age_years < ADULT_FROM_YEARS:
        return tuple(reversals)
    found = [
        *conduction_findings(ecg, subject),
        *voltage_findings(ecg, subject),
        *infarction_findings(ecg, subject, high_pass),
    ]
    kinds = {finding.kind for finding in found}
    doubts: list[tuple[bool, frozenset[str], Doubt]] = [
        (subject.age_years is None, frozenset(kinds), "age_unknown"),
        # Paced and ventricular complexes are as wide, and their ST and T follow the QRS as well.
        (ecg.overall["qrs_duration_ms"] >= WIDE_QRS_MS, _NOT_OF_BLOCKS, "bundle_branch_block"),
        (bool(kinds & _LVH), _NOT_OF_LVH, "lvh_voltage"),
        (bool(reversals), frozenset(kinds), "leads_reversed"),
        (beat.n_beats < beat.n_left_out, frozenset(kinds), "few_beats"),
    ]
    for holds, concerned, doubt in doubts:
        if holds:
            found = [_doubted(finding, doubt) if finding.kind in concerned else finding for finding in found]
    return tuple(_known(finding) for finding in (*reversals, *found))


def _doubted(finding: RestingFinding, doubt: Doubt) -> RestingFinding:
    return replace(finding, doubts=(*finding.doubts, doubt))


def _known(finding: RestingFinding) -> RestingFinding:
    """Leave out of the evidence what could not be told."""
    return replace(finding, evidence=tuple(row for row in finding.evidence if math.isfinite(row.value)))
