"""The one maker of made-up results, for benchmarks and tests: no model is asked, and nobody was recorded.

`make_result` fills in all of a `Result` from beats at given times. `varied` draws the beats at random,
`drawn` takes them from a string of classes, with an ECG that shows them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import Doubt, Drug, FloatArray, Stated
from ecg_core.result import (
    ANALYSIS_RATE_HZ,
    PLAYERS,
    R_INDEX,
    SEGMENTS_MS,
    WAVE_PLAYERS,
    WAVE_POINTS,
    WINDOW_SAMPLES,
    BeatAttributions,
    BeatTable,
    Blend,
    ChosenBeat,
    HeartRate,
    ModelFacts,
    Quality,
    RecordingFacts,
    Result,
    Rhythm,
    RhythmEpisode,
    ShapleyValues,
)
from ecg_core.result.findings import with_findings
from ecg_core.result.methods import given_to, is_signed

RATE_HZ: Final = 360.0
EPOCH_S: Final = 10.0
MOST_SHAPLEY: Final = 5000
"""Abnormal beats of a recording that have Shapley values, as the setting has it."""
WAVES_MS: Final = np.array((-200, -160, -120, -40, 50, 180, 260, 360), np.float32)
SHAPLEY: Final = (1.2, 0.02, -0.01, 3.1, 0.03, -0.4, 0.0)
LIME: Final = (1.0, 0.1, 0.0, 2.5, 0.0, -0.3, 0.2)
DEVIATIONS: Final = (0.5, 0.1, 6.0, 0.2, 1.0)
FEATURES: Final = ("rr_prev_to_local_median", "qrs_unlike_template", "a_feature_nobody_named")
NO_RHYTHM: Final = Rhythm(None, ())
MADE_UP: Final = ModelFacts("made-up-1", "cnn", datetime(2026, 1, 2, tzinfo=UTC), ("made up",), {}, ("Knows nothing.",))


def make_result(
    r_time_s: npt.NDArray[np.float64],
    probabilities: FloatArray,
    duration_s: float,
    *,
    random: np.random.Generator | None = None,
    analysable: npt.NDArray[np.bool_] | None = None,
    waves_ms: npt.NDArray[np.float32] = WAVES_MS,
    poor_epochs: Sequence[int] = (),
    rhythm: Rhythm = NO_RHYTHM,
    chosen: Sequence[int] = (),
    maps: Sequence[str] = ("shap", "gradcam", "saliency", "integrated_gradients"),
    methods: Sequence[str] = tuple(sorted(given_to("every"))),
    model: ModelFacts = MADE_UP,
    signal_mv: FloatArray | None = None,
    **recording: Any,  # noqa: ANN401 (fields of RecordingFacts)
) -> Result:
    """Make a result of beats at given times.

    Parameters
    ----------
    r_time_s : ndarray of float64, shape (n_beats,)
    probabilities : ndarray of float32, shape (n_beats, 5)
        The most probable class is the called one; the second is in its set as well where the first has less than 0.8.
    duration_s : float
    random : Generator, optional
        Lets what is measured and explained vary from beat to beat; without it all beats are alike.
    analysable : ndarray of bool, shape (n_beats,), optional
    waves_ms : ndarray of float32, shape (8,)
        Waves of every beat.
    poor_epochs : sequence of int
        Epochs in which no lead is analysable.
    rhythm : Rhythm
    chosen : sequence of int
        Beats that are explained in full.
    maps, methods : sequence of str
        Methods of their sample maps, and of all beats' segment shares.
    model : ModelFacts
    signal_mv : ndarray of float32, shape (n, n_leads), optional
        Without it the result has no signal.
    **recording
        Fields of `RecordingFacts` that are to be otherwise.
    """
    n = r_time_s.size
    facts = _recording(duration_s, recording)
    n_leads = len(facts.lead_names)
    table = _beats(r_time_s, probabilities, random, waves_ms, facts.sampling_rate_hz)
    table = table if analysable is None else replace(table, analysable=analysable)
    abnormal = np.flatnonzero(table.analysable & (table.class_index > 0))[:MOST_SHAPLEY]
    shares = np.abs(1 + _noise(random, 0.5, (len(methods), n, len(SEGMENTS_MS)))).astype(np.float32)
    shares /= shares.sum(axis=2, keepdims=True)
    return with_findings(
        Result(
            recording=facts,
            quality=_quality(duration_s, n_leads, poor_epochs, random),
            beats=table,
            attributions=tuple(map(BeatAttributions, methods, shares)),
            chosen=tuple(_chosen(int(row), maps, waves_ms, random) for row in chosen),
            rhythm=rhythm,
            model=model,
            signal_mv=np.zeros((0, n_leads), np.float32) if signal_mv is None else signal_mv,
            stages={"read": duration_s / 9e4, "classify": duration_s / 3e4, "explain": duration_s / 2e4},
            shapley=ShapleyValues(
                abnormal, (SHAPLEY + _noise(random, 0.5, (abnormal.size, len(PLAYERS)))).astype(np.float32)
            ),
        )
    )


def sure(class_index: npt.NDArray[np.int8], called: float | FloatArray = 0.95) -> FloatArray:
    """Make probabilities of which the given class has `called` and the others share the rest."""
    n = class_index.size
    called = np.broadcast_to(np.asarray(called, np.float32), n)
    probabilities = np.repeat(((1 - called) / (len(CLASSES) - 1))[:, np.newaxis], len(CLASSES), axis=1)
    probabilities[np.arange(n), class_index] = called
    return probabilities.astype(np.float32)


def recording_id_of(seed: int) -> str:
    """Return the SHA-256 that stands for the content of recording number `seed`."""
    return hashlib.sha256(f"made up {seed}".encode()).hexdigest()


STATED: Final = Stated(
    age_years=71,
    sex="female",
    pacemaker=False,
    filters=("high pass 0.05 Hz",),
    statements=("sinus rhythm", "left axis deviation"),
    measurements=(("qt_ms", 402.5), ("heart_rate_per_min", 71.0)),
    symptoms=("palpitations",),
    events=((4.5, "symptom button"),),
    drugs=(Drug("digoxin", "ATC C01AA05", 0.25, "mg"), Drug("beta blocker"), Drug("", "SCT 387461009")),
    indications=("palpitations", "chest pain (SCT 29857009)"),
)
DOUBTS: Final = (Doubt("length", "The signal file holds more than the header promises: the rest is left out."),)


def varied(n_beats: int = 50, *, seed: int = 0, version: str = "made-up-1", **recording: Any) -> Result:  # noqa: ANN401
    """Make a result of random beats with three chosen ones, a V run, two leads, and a last epoch of poor signal."""
    random = np.random.default_rng(seed)
    rr_s = random.uniform(0.5, 1.2, n_beats)
    duration_s = float(rr_s.sum()) + 2.0
    run = RhythmEpisode("v_run", 1.0, 3.0, 1, min(3, n_beats - 1), 140.0)
    figures = {"ds2.V.sensitivity": 0.93, "ds2.Q.sensitivity": float("nan")}
    said = {
        "stated": STATED,
        "doubts": DOUBTS,
        "file_lead_names": ("MLII", "Lead V1"),
        "fingerprint": recording_id_of(seed),
    }
    facts = {"patient_pseudonym": f"pseudonym-{seed}", "start_time": None, **said, **recording}
    return make_result(
        np.cumsum(rr_s),
        random.dirichlet((4.0, 0.5, 0.7, 0.2, 0.1), n_beats).astype(np.float32),
        duration_s,
        random=random,
        analysable=random.random(n_beats) > 0.05,
        waves_ms=np.full(len(WAVE_POINTS), np.nan, np.float32),
        poor_epochs=(-1,),
        rhythm=Rhythm(
            HeartRate(72.5, 55.0, 10.0, 110.0, 20.0) if n_beats else None,
            (run,) if n_beats > 3 else (),
        ),
        chosen=random.choice(n_beats, min(3, n_beats), replace=False).tolist() if n_beats else (),
        maps=("shap", "gradcam", "saliency"),
        model=replace(MADE_UP, version=version, figures=figures),
        **{"recording_id": recording_id_of(seed), **facts},
    )


def drawn(
    letters: str,
    *,
    rr_s: float = 0.8,
    duration_s: float | None = None,
    lead_names: tuple[str, ...] = ("MLII", "V5"),
    episodes: tuple[RhythmEpisode, ...] = (),
    n_chosen: int = 3,
    poor_epochs: tuple[int, ...] = (),
    r_mv: float = 1.0,
) -> Result:
    """Make a result whose beats have the given classes, one every `rr_s` from `rr_s` on, with a signal that shows them.

    Beats in `poor_epochs` are not analysable. R waves are `r_mv` high.
    """
    n = len(letters)
    r_time_s = rr_s * (1 + np.arange(n, dtype=np.float64))
    duration_s = duration_s if duration_s is not None else rr_s * (n + 1)
    class_index = np.array([CLASSES.index(letter) for letter in letters], np.int8)
    lead = draw_ecg(r_time_s, class_index == CLASSES.index("V"), duration_s, r_mv)
    return make_result(
        r_time_s,
        sure(class_index),
        duration_s,
        analysable=~np.isin(r_time_s // EPOCH_S, poor_epochs),
        poor_epochs=poor_epochs,
        rhythm=Rhythm(HeartRate(75.0, 61.0, 2.0, 99.0, 4.0) if n > 8 else None, episodes),
        chosen=range(min(n, n_chosen)),
        methods=("gradcam",),
        model=ModelFacts(
            version="cnn-20261121-1a2b3c4d",
            family="cnn",
            created_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
            training_data=("MIT-BIH Arrhythmia Database 1.0.0, 16 records",),
            figures={"deciding.V.sensitivity": 0.93, "deciding.V.n": 1234.0, "deciding.macro_f1": 0.81},
            limits=("Fusion beats are often missed.",),
        ),
        signal_mv=np.column_stack([lead * (1 - 0.3 * i) for i in range(len(lead_names))]).astype(np.float32),
        lead_names=lead_names,
        start_time=datetime(2026, 3, 4, 8, 0, 0),
        device="Holter 7",
        synthetic=False,
    )


def draw_ecg(
    r_time_s: npt.NDArray[np.float64], is_v: npt.NDArray[np.bool_], duration_s: float, r_mv: float = 1.0
) -> FloatArray:
    """Draw one lead at 250 Hz: P, R and T waves as bells; V beats wide and downward, without a P wave."""
    signal = np.zeros(round(duration_s * ANALYSIS_RATE_HZ), dtype=np.float32)
    steps = np.arange(round(-0.35 * ANALYSIS_RATE_HZ), round(0.5 * ANALYSIS_RATE_HZ))
    offsets = steps / ANALYSIS_RATE_HZ

    def bell(at_s: float, width_s: float) -> npt.NDArray[np.float64]:
        return np.exp(-0.5 * ((offsets - at_s) / width_s) ** 2)

    normal = 0.12 * bell(-0.16, 0.025) + r_mv * bell(0, 0.012) + 0.25 * bell(0.28, 0.05)
    ventricular = -1.4 * r_mv * bell(0, 0.035) + 0.5 * bell(0.25, 0.06)
    for time_s, v in zip(r_time_s, is_v, strict=True):
        index = round(time_s * ANALYSIS_RATE_HZ) + steps
        inside = (index >= 0) & (index < signal.size)
        signal[index[inside]] += (ventricular if v else normal)[inside]
    return signal


def _noise(random: np.random.Generator | None, scale: float | Sequence[float], shape: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401
    return np.zeros(shape) if random is None else random.normal(0, scale, shape)


def _recording(duration_s: float, changes: dict[str, Any]) -> RecordingFacts:
    facts: dict[str, Any] = {
        "recording_id": "0123456789abcdef" * 4,
        "patient_pseudonym": "p-1234abcd",
        "source_format": "wfdb",
        "lead_names": ("MLII", "V1"),
        "sampling_rate_hz": RATE_HZ,
        "n_samples": round(duration_s * RATE_HZ),
        "duration_s": duration_s,
        "start_time": None,
        "device": None,
        "synthetic": True,
    }
    return RecordingFacts(**(facts | changes))


def _beats(
    r_time_s: npt.NDArray[np.float64],
    probabilities: FloatArray,
    random: np.random.Generator | None,
    waves_ms: npt.NDArray[np.float32],
    rate_hz: float,
) -> BeatTable:
    n = r_time_s.size
    class_index = probabilities.argmax(axis=1).astype(np.int8) if n else np.zeros(0, np.int8)
    rr_ms = (np.diff(r_time_s) * 1000).round(3).astype(np.float32)
    edge = np.full(min(n, 1), np.nan, np.float32)
    intervals_ms = (np.array((160, 90, 400)) + _noise(random, (15, 6, 20), (n, 3))).astype(np.float32)
    if random is not None:
        intervals_ms[::10, 0] = np.nan  # no P wave
    highest, second = np.sort(probabilities, axis=1)[:, [-1, -2]].T
    return BeatTable(
        r_sample=np.rint(r_time_s * rate_hz).astype(np.int64),
        r_time_s=r_time_s,
        rr_prev_ms=np.concatenate([edge, rr_ms]),
        rr_next_ms=np.concatenate([rr_ms, edge]),
        class_index=class_index,
        probabilities=probabilities,
        deviation=(np.where(class_index == 0, 0.2, 5.1) + _noise(random, 1.0, n)).astype(np.float32),
        analysable=np.ones(n, np.bool_),
        waves_ms=np.tile(waves_ms, (n, 1)),
        intervals_ms=intervals_ms,
        in_set=probabilities >= np.where(highest >= np.float32(0.8), highest, second)[:, np.newaxis],
    )


def _quality(
    duration_s: float, n_leads: int, poor_epochs: Sequence[int], random: np.random.Generator | None
) -> Quality:
    n_epochs = int(np.ceil(duration_s / EPOCH_S))
    analysable = np.ones((n_epochs, n_leads), np.bool_)
    analysable[list(poor_epochs)] = False
    index = np.where(analysable, 0.9, 0.1) + np.abs(_noise(random, 0.02, (n_epochs, n_leads)))
    filters = ("resampled from 360 to 250 Hz (polyphase)", "band-pass 0.5 to 40 Hz, zero-phase")
    return Quality(EPOCH_S, index.clip(0, 1).astype(np.float32), analysable, 0, filters)


def _chosen(
    row: int, maps: Sequence[str], waves_ms: npt.NDArray[np.float32], random: np.random.Generator | None
) -> ChosenBeat:
    bell = np.exp(-0.5 * ((np.arange(WINDOW_SAMPLES) - R_INDEX) / 6) ** 2)
    signed = np.zeros(WINDOW_SAMPLES)
    signed[95:105], signed[200:210] = 0.2, -0.1

    def curve(values: npt.NDArray[np.float64]) -> FloatArray:
        return (values + _noise(random, 0.1, WINDOW_SAMPLES)).astype(np.float32)

    def of(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
        return dict(zip(names, (values + _noise(random, 0.3, len(names))).tolist(), strict=True))

    scale = {"integrated_gradients": 0.5}
    return ChosenBeat(
        beat_index=row,
        reason="most typical",
        waveform_mv=curve(bell),
        counterpart_mv=curve(0.8 * bell),
        template_mv=curve(0.9 * bell),
        attributions={
            name: curve(scale.get(name, 1.0) * signed) if is_signed(name) else np.abs(curve(bell)) for name in maps
        },
        context_shap=of(FEATURES, (1.5, -0.7, 0.3)),
        waves_ms=waves_ms,
        shapley=of(PLAYERS, SHAPLEY),
        lime=of(PLAYERS, LIME),
        deviation_by_wave=of(WAVE_PLAYERS, DEVIATIONS),
        blend=Blend(0.38, "S", {player: 0.6 if player == "qrs" else float("nan") for player in PLAYERS}),
    )
