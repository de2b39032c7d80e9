"""What scoring one recording gives: the one noun that store, report and JSON are made from.

Filled by `ecg_core.pipeline.score`, read by `ecg_core.store` and `ecg_core.report`, which know nothing of models.
All per-beat arrays are in time order; NaN means unknown and becomes NULL in Postgres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import Doubt, FloatArray, Stated
from ecg_core.result.explained import BeatAttributions, ChosenBeat, ShapleyValues
from ecg_core.result.resting import Measurement, Resting

ANALYSIS_RATE_HZ: Final = 250.0
"""Everything after `formats` happens at this rate."""
WINDOW_SAMPLES: Final = 256
"""Samples of a beat's window at `ANALYSIS_RATE_HZ` (1.024 s)."""
R_INDEX: Final = 100
"""Where the R peak lies in the window (400 ms from its start)."""
SIGNAL_STEP_MV: Final = 0.005
"""The signal is drawn and stored in steps of 5 µV, the coarsest that AHA's standards for recorders allow."""
MOST_STEPS: Final = 32767
CALLED_FROM: Final = 0.5
"""A label that is rarely given may be rarer still without this probability, and is not called below it."""
LIKELY_AT_ALL: Final = 0.2
"""Classes of at least this probability are the prediction set of a model version that states no coverage."""
AF_WINDOW_S: Final = 30.0
"""So long must fibrillation last to be called so (ESC 2020): its probability is told for each such window."""


WAVE_POINTS: Final = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")
"""What is bounded in each beat: the columns of `BeatTable.waves_ms`."""
INTERVALS: Final = ("pr_ms", "qrs_duration_ms", "qt_ms")
"""The columns of `BeatTable.intervals_ms`."""


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What was recorded. Times in seconds, `start_time` None where the file has none.

    `fingerprint` is that of the samples, the same in every format, empty where it was not taken; `file_lead_names` are
    the leads as the file spells them, `stated` is what file and device say of patient and ECG, `doubts` what is
    doubtful in the file; `moved_at` is when a person filed it under another patient than the file names, None where
    nobody did; `pseudonym_key_id` is which key the pseudonym was made with.
    """

    recording_id: str
    patient_pseudonym: str | None
    source_format: str
    lead_names: tuple[str, ...]
    sampling_rate_hz: float
    n_samples: int
    duration_s: float
    start_time: datetime | None
    device: str | None
    synthetic: bool
    fingerprint: str = ""
    file_lead_names: tuple[str, ...] = ()
    stated: Stated = field(default_factory=Stated)
    doubts: tuple[Doubt, ...] = ()
    moved_at: datetime | None = None
    pseudonym_key_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Signal quality by epoch and lead.

    Attributes
    ----------
    epoch_s : float
        Length of an epoch; the last one may be shorter.
    index : ndarray of float32, shape (n_epochs, n_leads)
        0 (useless) to 1 (clean).
    analysable : ndarray of bool, shape (n_epochs, n_leads)
    primary_lead : int
        Column of the lead that beats are classified on where it can be read.
    filters : tuple of str
        What was really applied, in order, in words (``"resampled 360 → 250 Hz (polyphase)"``, …).
    """

    epoch_s: float
    index: FloatArray
    analysable: npt.NDArray[np.bool_]
    primary_lead: int
    filters: tuple[str, ...]

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Epochs in which some lead is analysable, shape (n_epochs,)."""
        return np.asarray(self.analysable.any(axis=1), dtype=np.bool_)

    @property
    def analysable_share(self) -> float:
        """Share of the epochs in which some lead is analysable, 0 to 1."""
        return float(self.readable.mean()) if len(self.analysable) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class BeatTable:
    """One row per detected beat; every array has shape (n_beats,) unless said otherwise.

    Attributes
    ----------
    r_sample : int64
        R peak, sample number at the recording's own rate.
    r_time_s : float64
        R peak, seconds from the start.
    rr_prev_ms, rr_next_ms : float32
        NaN at the edges and across stretches that are not analysable.
    class_index : int8
        Index into `ecg_core.labels.CLASSES` of the most probable class.
    probabilities : float32, shape (n_beats, 5)
        Calibrated; rows sum to 1.
    deviation : float32
        How far the beat is from what the autoencoder would have drawn, and how early it came: a z-score against the
        training patients' normal beats.
    analysable : bool
        False where the signal is too poor: nothing is claimed of this beat.
    waves_ms : float32, shape (n_beats, 8)
        `WAVE_POINTS`, milliseconds from the R peak, negative before it; NaN where the wave is absent or unknown, and
        throughout where the result was read from Postgres, which keeps the intervals of every beat and the waves of
        the chosen ones.
    intervals_ms : float32, shape (n_beats, 3)
        `INTERVALS`: P onset to QRS onset, QRS onset to end, QRS onset to T end; NaN where unknown.
    in_set : bool, shape (n_beats, 5)
        The prediction set: classes that remain possible at the coverage that the model states.
    """

    r_sample: npt.NDArray[np.int64]
    r_time_s: npt.NDArray[np.float64]
    rr_prev_ms: FloatArray
    rr_next_ms: FloatArray
    class_index: npt.NDArray[np.int8]
    probabilities: FloatArray
    deviation: FloatArray
    analysable: npt.NDArray[np.bool_]
    waves_ms: FloatArray
    intervals_ms: FloatArray
    in_set: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.r_sample.size)

    @property
    def inconclusive(self) -> npt.NDArray[np.bool_]:
        """Beats of which nothing definite is said: not analysable, or not exactly one class in the set."""
        return np.asarray(~self.analysable | (self.in_set.sum(axis=1) != 1), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class RhythmEpisode:
    """A stretch of beats with a name.

    ``kind`` is one of ``v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia, tachycardia,
    atrial_fibrillation``. `first_beat` and `last_beat` are rows of `BeatTable`, both included. `probability` is that of
    ``atrial_fibrillation``, the mean over its windows; None for kinds that are counted from beats.
    """

    kind: str
    start_s: float
    end_s: float
    first_beat: int
    last_beat: int
    heart_rate_bpm: float | None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class HeartRate:
    """Heart rate over windows of 8 RR intervals, in beats per minute, with the times of the extremes."""

    mean_bpm: float
    min_bpm: float
    min_at_s: float
    max_bpm: float
    max_at_s: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The recording's rhythm in a few numbers. `heart_rate` is None where too few beats are analysable."""

    heart_rate: HeartRate | None
    episodes: tuple[RhythmEpisode, ...]


Urgency = Literal["urgent", "notable", "doubt", "info"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the recording that bears a finding out; the strip that is drawn for the finding shows it.

    `n_beats` and `heart_rate_bpm` are those of the episode that it is, None where it is none.
    """

    start_s: float
    end_s: float
    n_beats: int | None = None
    heart_rate_bpm: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of the whole recording: one kind, however often it occurs. Made by `ecg_core.result.findings`.

    Attributes
    ----------
    kind : str
        A kind of rhythm episode, ``v_beats`` (s, f, q), ``poor_signal`` or ``no_analysable_beats``.
    urgency : str
        ``urgent``, ``notable``, ``info``, or ``doubt`` where it is told as inconclusive.
    evidence : tuple of Evidence
        The most telling one first: that is what the sentence is about.
    n_episodes : int or None
    n_beats : int or None
        Beats of all episodes, those between ectopic ones too; or beats of the class.
    beat_share : float or None
        Of the analysable beats, 0 to 1; for ``v_beats`` and its like.
    total_s, longest_s : float or None
        Length of all episodes together and of the longest.
    min_heart_rate_bpm, max_heart_rate_bpm : float or None
        Of the slowest and of the fastest episode.
    mean_probability : float or None
        Mean calibrated probability of the called class over the beats that it rests on; for atrial fibrillation that of
        the episode that is told. None for what is counted from times alone.
    n_called, n_uncertain, n_in_fibrillation : int or None
        Beats whose class it rests on; of those, how many are uncertain; and, of S beats, how many lie in atrial
        fibrillation, where there is no rhythm that they could be early in.
    leads : tuple of str
        Of a resting ECG: those that meet the criterion.
    measured : tuple of Measurement
        Of a resting ECG: what it rests on, and the `limit_value` that the first of them was held against.
    doubts : tuple of str
        Of a resting ECG: `ecg_core.result.resting.Doubt`.
    """

    kind: str
    urgency: Urgency
    evidence: tuple[Evidence, ...] = ()
    n_episodes: int | None = None
    n_beats: int | None = None
    beat_share: float | None = None
    total_s: float | None = None
    longest_s: float | None = None
    min_heart_rate_bpm: float | None = None
    max_heart_rate_bpm: float | None = None
    mean_probability: float | None = None
    n_called: int | None = None
    n_uncertain: int | None = None
    n_in_fibrillation: int | None = None
    leads: tuple[str, ...] = ()
    measured: tuple[Measurement, ...] = ()
    limit_value: float | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a reader must know of the model version that scored.

    `figures` are by name, for instance ``{"ds2.V.sensitivity": 0.93}``; `limits` are sentences.
    """

    version: str
    family: str
    created_at: datetime
    training_data: tuple[str, ...]
    figures: dict[str, float]
    limits: tuple[str, ...]
    task: str = "beats"


@dataclass(frozen=True, slots=True)
class RecordingLabel:
    """What a version of a task says of a whole recording.

    `probability` is calibrated; `in_set` tells whether the label remains possible at the coverage that the version
    states. Where each label is answered by itself, `may_be_absent` tells whether the answer no remains possible, too;
    it is None where labels exclude each other.
    """

    task: str
    version: str
    label: str
    probability: float
    in_set: bool
    may_be_absent: bool | None = None

    @property
    def called(self) -> bool:
        """Whether the label is affirmed: possible, its absence not, and likelier than not."""
        return self.in_set and self.may_be_absent is False and self.probability >= CALLED_FROM


@dataclass(frozen=True, slots=True)
class RecordingStretch:
    """What a version of a task says of a stretch, from `from_s` to `to_s` seconds of the recording."""

    task: str
    version: str
    from_s: float
    to_s: float
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Labels:
    """What a version of a task other than ``beats`` says of a recording."""

    labels: tuple[RecordingLabel, ...] = ()
    stretches: tuple[RecordingStretch, ...] = ()
    resting: Resting | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RawExcerpt:
    """A few seconds of the primary lead as recorded, before any filter.

    Attributes
    ----------
    start_s : float
        Begin, seconds from the start of the recording.
    sampling_rate_hz : float
        The recording's own.
    signal_mv : ndarray of float32, shape (n,)
        NaN where the file marks a sample as missing.
    """

    start_s: float
    sampling_rate_hz: float
    signal_mv: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """All that scoring one recording gives.

    `signal_mv` is the cleaned signal at `ANALYSIS_RATE_HZ`, shape (n, n_leads), in whole steps of `SIGNAL_STEP_MV`:
    what is drawn is what is stored. `stages` holds seconds by stage (read, clean, detect, classify, explain, …).
    `raw` is None where the recording is empty. `af` is the probability of atrial fibrillation in each `AF_WINDOW_S`
    from the start, NaN where unknown; empty where it was not looked for. `findings` are in the order in which a reader
    is told them. `model` is the version of the task ``beats``, `other_models` those of the other tasks; `labels` and
    `stretches` are what these say, `resting` what that of the task ``resting`` measured; None where there is none.
    """

    recording: RecordingFacts
    quality: Quality
    beats: BeatTable
    attributions: tuple[BeatAttributions, ...]
    chosen: tuple[ChosenBeat, ...]
    rhythm: Rhythm
    model: ModelFacts
    signal_mv: FloatArray
    stages: dict[str, float] = field(default_factory=dict)
    raw: RawExcerpt | None = None
    shapley: ShapleyValues = field(default_factory=ShapleyValues.none)
    af: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    findings: tuple[Finding, ...] = ()
    labels: tuple[RecordingLabel, ...] = ()
    stretches: tuple[RecordingStretch, ...] = ()
    other_models: tuple[ModelFacts, ...] = ()
    resting: Resting | None = None

    @property
    def versions(self) -> dict[str, str]:
        """Model version by task: with the recording, what the reading is known by."""
        return {model.task: model.version for model in (self.model, *self.other_models)}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the database alone knows of a scoring run, and what it keeps of the beats for good.

    `beats` counts the analysable ones by class; `scored_at` has a time zone.
    """

    scoring_run_id: int
    scored_at: datetime
    n_beats: int
    beats: dict[str, int]


def beat_counts(result: Result) -> dict[str, int]:
    """Count the analysable beats by class, every class named."""
    counted = np.bincount(result.beats.class_index[result.beats.analysable], minlength=len(CLASSES))
    return dict(zip(CLASSES, counted.tolist(), strict=True))


def snap_to_steps(signal_mv: FloatArray) -> FloatArray:
    """Round a signal to whole steps of `SIGNAL_STEP_MV`, in place (a day's signal is large), and return it.

    What is beyond `MOST_STEPS` steps (164 mV: no heart) is cut; NaN stays. `from_steps` of its steps is the same to
    the bit.
    """
    signal_mv /= np.float32(SIGNAL_STEP_MV)
    np.rint(signal_mv, out=signal_mv)
    np.clip(signal_mv, -MOST_STEPS, MOST_STEPS, out=signal_mv)
    signal_mv *= np.float32(SIGNAL_STEP_MV)
    return signal_mv


def to_steps(signal_mv: FloatArray) -> npt.NDArray[np.int16]:
    """Turn millivolts into whole steps; NaN becomes -`MOST_STEPS` - 1."""
    scaled = np.rint(signal_mv / np.float32(SIGNAL_STEP_MV))
    return np.where(np.isnan(scaled), -MOST_STEPS - 1, np.clip(scaled, -MOST_STEPS, MOST_STEPS)).astype(np.int16)


def from_steps(steps: npt.NDArray[np.int16]) -> FloatArray:
    """Turn whole steps into millivolts; undoes `to_steps`."""
    signal_mv = steps.astype(np.float32) * np.float32(SIGNAL_STEP_MV)
    signal_mv[steps == -MOST_STEPS - 1] = np.nan
    return signal_mv
