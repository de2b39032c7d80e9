"""Resting ECGs of twelve leads: median beat, measurements, published criteria, exchanged electrodes."""

from ecg_core.resting.leads import NotMeasured, TwelveLeads, twelve_leads
from ecg_core.resting.reading import RestingECG, read_resting
from ecg_core.result.resting import KINDS, HighPass, Measurement, RestingFinding, Subject

__all__ = [
    "KINDS", "HighPass", "Measurement", "NotMeasured", "RestingECG", "RestingFinding", "Subject", "TwelveLeads",
    "read_resting", "twelve_leads",
]  # fmt: skip
