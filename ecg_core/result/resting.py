"""What is known of a resting ECG beside its signal, and what measuring it gives. Plain values, no knowledge of how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ADULT_FROM_YEARS: Final = 18.0

Sex = Literal["male", "female"]
Doubt = Literal[
    "filter_not_stated", "age_unknown", "sex_unknown", "below_35_years", "near_limit", "bundle_branch_block",
    "lvh_voltage", "leads_reversed", "few_beats",
]  # fmt: skip
"""Why a finding is stated with doubt:

- ``filter_not_stated``: the file does not say which high-pass the recorder applied, so the ST level is not certain;
- ``age_unknown``: limits of adults were applied; ``sex_unknown``: the limit that both sexes exceed was applied;
- ``below_35_years``: voltage criteria are not established from 16 to 35 years (Hancock et al. 2009);
- ``near_limit``: nearer to the limit than the measurement is exact;
- ``bundle_branch_block``, ``lvh_voltage``: the criterion is defined for ECGs without it;
- ``leads_reversed``: the leads look as if electrodes had been exchanged;
- ``few_beats``: the median beat stands for fewer than half of the beats.
"""


KINDS: Final = (
    "reversal_arms", "reversal_right_arm_left_leg", "reversal_right_leg", "limb_leads_inconsistent", "reversal_chest",
    "pr_long", "pr_short", "qrs_wide", "rbbb", "rbbb_incomplete", "lbbb", "lafb", "lpfb", "qtc_long", "qtc_short",
    "axis_left", "axis_right", "axis_extreme", "lvh_sokolow_lyon", "lvh_cornell", "q_pathological", "st_elevation",
    "st_depression", "t_inversion",
)  # fmt: skip
"""All kinds of `RestingFinding`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom the ECG is, as the file says; None where it does not. Above 89 years the age is 90."""

    age_years: float | None = None
    sex: Sex | None = None


@dataclass(frozen=True, slots=True)
class HighPass:
    """The high-pass that the file says the recorder applied."""

    corner_hz: float
    zero_phase: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: `lead` is None where all leads together were measured; `unit` one of ms, mV, deg, 1/min, 1."""

    lead: str | None
    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class RestingFinding:
    """A published criterion that the ECG meets.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    leads : tuple of str
        Those that meet it, in the standard order; empty where it is of all leads.
    evidence : tuple of Measurement
        What it rests on.
    limit : float or None
        That `evidence` was held against (its first row's unit).
    doubts : tuple of Doubt
        Empty where there is none.
    """

    kind: str
    leads: tuple[str, ...]
    evidence: tuple[Measurement, ...]
    limit: float | None
    doubts: tuple[Doubt, ...] = ()

    @property
    def territories(self) -> tuple[str, ...]:
        """Which walls of the heart its leads look at."""
        return tuple(name for name, leads in TERRITORIES.items() if set(leads) & set(self.leads))


TERRITORIES: Final = {
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "septal": ("V1", "V2"),
    "anterior": ("V3", "V4"),
}
