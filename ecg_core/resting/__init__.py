"""Resting ECGs of twelve leads: median beat, measurements, published criteria, exchanged electrodes."""

from ecg_core.resting.facts import HighPass, Measurement, RestingFinding, Subject
from ecg_core.resting.leads import NotMeasured, TwelveLeads, twelve_leads
from ecg_core.resting.reading import RestingECG, read_resting

KINDS = (
    "reversal_arms", "reversal_right_arm_left_leg", "reversal_right_leg", "limb_leads_inconsistent", "reversal_chest",
    "pr_long", "pr_short", "qrs_wide", "rbbb", "rbbb_incomplete", "lbbb", "lafb", "lpfb", "qtc_long", "qtc_short",
    "axis_left", "axis_right", "axis_extreme", "lvh_sokolow_lyon", "lvh_cornell", "q_pathological", "st_elevation",
    "st_depression", "t_inversion",
)  # fmt: skip
"""All kinds of `RestingFinding`."""

__all__ = [
    "KINDS", "HighPass", "Measurement", "NotMeasured", "RestingECG", "RestingFinding", "Subject", "TwelveLeads",
    "read_resting", "twelve_leads",
]  # fmt: skip
