"""What is known of a resting ECG beside its signal, and what measuring it gives. Plain values, no knowledge of how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from ecg_core.recording import FloatArray

ADULT_FROM_YEARS: Final = 18.0
STANDARD_LEADS: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SUPERCLASSES: Final = ("NORM", "MI", "STTC", "CD", "HYP")
"""PTB-XL's: normal, myocardial infarction, ST/T change, conduction disturbance, hypertrophy."""

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


ExactGame = Literal["leads", "waves"]
Game = Literal["leads", "waves", "products"]


@dataclass(frozen=True, slots=True)
class LabelAttribution:
    """How far a player moved the probability of a superclass, against the mean normal median beat.

    A Shapley value: those of one `game` add up to the probability, less that of the same recording with the mean normal
    beat in the place of its own. `standard_error` is None where it is exact.
    """

    label: str
    game: Game
    player: str
    value: float
    standard_error: float | None = None


EXACT_GAMES: Final[dict[ExactGame, tuple[str, ...]]] = {
    "leads": ("inferior", "lateral", "septal", "anterior"),
    "waves": ("p_wave", "qrs", "st", "t_wave"),
}
"""The players of the games of which all coalitions are asked."""
GAMES: Final[dict[Game, tuple[str, ...]]] = {
    "leads": EXACT_GAMES["leads"],
    "waves": EXACT_GAMES["waves"],
    "products": tuple(f"{group}_{wave}" for group in EXACT_GAMES["leads"] for wave in EXACT_GAMES["waves"]),
}
"""The players of each game."""


@dataclass(frozen=True, slots=True, eq=False)
class Resting:
    """What is said of a recording as a resting ECG of twelve leads; part of a result.

    Attributes
    ----------
    not_measured : str
        Why it is none, one sentence; then all else is empty. Empty where it is one.
    subject : Subject
        Of whom it is, as the file says: the limits that depend on age and sex were chosen by it.
    derived, turned : tuple of str
        Limb leads that were computed from others; leads that were recorded upside down.
    beat_mv : ndarray of float32, shape (12, 400)
        The median beat of the standard leads at 250 Hz, PQ level at 0; NaN in a lead that cannot be read.
    points : dict of str to float
        Column of each of `WAVE_POINTS`; NaN where the wave is absent.
    n_beats, n_left_out : int
        Beats that the median is of, and the others.
    rr_ms : float
        Median RR interval; NaN where there is one beat.
    rhythm : dict of str to float
        Rate and its irregularity, as the model takes them in.
    measurements : tuple of Measurement
    criteria : tuple of RestingFinding
        The published criteria that it meets; `Result.findings` tells them, and the database keeps those.
    attributions : tuple of LabelAttribution
        Of the superclasses that are called.
    text : str
        The findings as a language model rephrased them, checked; empty where the template stands.
    """

    not_measured: str = ""
    subject: Subject = field(default_factory=Subject)
    derived: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    beat_mv: FloatArray = field(default_factory=lambda: np.zeros((12, 0), np.float32))
    points: dict[str, float] = field(default_factory=dict)
    n_beats: int = 0
    n_left_out: int = 0
    rr_ms: float = float("nan")
    rhythm: dict[str, float] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    criteria: tuple[RestingFinding, ...] = ()
    attributions: tuple[LabelAttribution, ...] = ()
    text: str = ""

    @property
    def is_child(self) -> bool:
        """Whether adults' criteria and superclasses are not stated of it."""
        return self.subject.age_years is not None and self.subject.age_years < ADULT_FROM_YEARS

    def value(self, name: str, lead: str | None = None) -> float:
        """Look up a measurement; NaN where it could not be told."""
        return next((row.value for row in self.measurements if (row.name, row.lead) == (name, lead)), float("nan"))


TERRITORIES: Final = {
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "septal": ("V1", "V2"),
    "anterior": ("V3", "V4"),
}
