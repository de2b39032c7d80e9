"""Results of plausible shape from a seed, for tests and benchmarks of the store; real recordings are the pipeline's."""

import hashlib
from datetime import UTC, datetime

import numpy as np

from ecg_core.result import (
    PLAYERS,
    SEGMENTS_MS,
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
from ecg_core.result.methods import MAPS, given_to, is_signed

RATE_HZ = 360.0


def recording_id_of(seed: int) -> str:
    """The SHA-256 that stands for the content of recording number `seed`."""
    return hashlib.sha256(str(seed).encode()).hexdigest()


def build_result(n_beats: int = 50, *, seed: int = 0, version: str = "cnn-test-1", **recording: object) -> Result:
    """A result with `n_beats` beats, three chosen beats, one episode, two leads."""
    random = np.random.default_rng(seed)
    rr_s = random.uniform(0.5, 1.2, n_beats)
    duration_s = float(rr_s.sum()) + 2.0
    beats = _beats(random, rr_s)
    n_epochs = int(np.ceil(duration_s / 10))
    analysable = np.ones((n_epochs, 2), dtype=bool)
    analysable[-1] = False
    facts = {
        "recording_id": recording_id_of(seed),
        "patient_pseudonym": f"pseudonym-{seed}",
        "source_format": "wfdb",
        "lead_names": ("MLII", "V1"),
        "sampling_rate_hz": RATE_HZ,
        "n_samples": int(duration_s * RATE_HZ),
        "duration_s": duration_s,
        "start_time": None,
        "device": None,
        "synthetic": True,
    } | recording
    return with_findings(
        Result(
            recording=RecordingFacts(**facts),
            quality=Quality(
                epoch_s=10.0,
                index=random.random((n_epochs, 2), dtype=np.float32),
                analysable=analysable,
                primary_lead=0,
                filters=("resampled 360 → 250 Hz (polyphase)", "band-pass 0.5–40 Hz (zero phase)"),
            ),
            beats=beats,
            attributions=tuple(_attributions(random, name, n_beats) for name in sorted(given_to("every"))),
            chosen=tuple(_chosen(random, int(i)) for i in random.choice(n_beats, min(3, n_beats), replace=False)),
            rhythm=Rhythm(
                heart_rate=HeartRate(72.5, 55.0, 10.0, 110.0, 20.0) if n_beats else None,
                episodes=(RhythmEpisode("v_run", 1.0, 3.0, 1, min(3, n_beats - 1), 140.0),) if n_beats > 3 else (),
            ),
            model=ModelFacts(
                version=version,
                family="cnn",
                created_at=datetime(2026, 1, 2, tzinfo=UTC),
                training_data=("made up for a test",),
                figures={"ds2.V.sensitivity": 0.93, "ds2.Q.sensitivity": float("nan")},
                limits=("Knows nothing.",),
            ),
            signal_mv=np.zeros((0, 2), np.float32),
            shapley=_shapley(random, beats),
            stages={"read": 0.25, "clean": 0.5},
        )
    )


def _beats(random: np.random.Generator, rr_s: np.ndarray) -> BeatTable:
    n_beats = rr_s.size
    r_time_s = np.cumsum(rr_s)
    probabilities = random.dirichlet((4.0, 0.5, 0.7, 0.2, 0.1), n_beats).astype(np.float32)
    rr_ms = np.diff(r_time_s).astype(np.float32) * 1000
    edge = np.full(min(n_beats, 1), np.nan, np.float32)
    return BeatTable(
        r_sample=np.rint(r_time_s * RATE_HZ).astype(np.int64),
        r_time_s=r_time_s,
        rr_prev_ms=np.concatenate([edge, rr_ms]),
        rr_next_ms=np.concatenate([rr_ms, edge]),
        class_index=probabilities.argmax(axis=1).astype(np.int8),
        probabilities=probabilities,
        deviation=random.normal(size=n_beats).astype(np.float32),
        analysable=random.random(n_beats) > 0.05,
        waves_ms=np.full((n_beats, 8), np.nan, np.float32),
        intervals_ms=_intervals(random, n_beats),
        in_set=_sets(probabilities),
    )


def _intervals(random: np.random.Generator, n_beats: int) -> np.ndarray:
    """PR, QRS and QT; every tenth beat has no P wave."""
    intervals = random.normal((160, 95, 390), (15, 6, 20), (n_beats, 3)).astype(np.float32)
    intervals[::10, 0] = np.nan
    return intervals


def _sets(probabilities: np.ndarray) -> np.ndarray:
    """One class where it has 0.8 at least, else two."""
    highest, second = np.sort(probabilities, axis=1)[:, [-1, -2]].T
    return probabilities >= np.where(highest >= np.float32(0.8), highest, second)[:, None]


def _shapley(random: np.random.Generator, beats: BeatTable) -> ShapleyValues:
    """Of every second abnormal beat, as if there were a cap."""
    rows = np.flatnonzero(beats.analysable & (beats.class_index > 0))[::2]
    return ShapleyValues(rows, random.normal(size=(rows.size, len(PLAYERS))).astype(np.float32))


def _attributions(random: np.random.Generator, method: str, n_beats: int) -> BeatAttributions:
    return BeatAttributions(method, random.dirichlet(np.ones(len(SEGMENTS_MS)), n_beats).astype(np.float32))


def _chosen(random: np.random.Generator, beat_index: int) -> ChosenBeat:
    def wave() -> np.ndarray:
        return random.normal(size=WINDOW_SAMPLES).astype(np.float32)

    return ChosenBeat(
        beat_index=beat_index,
        reason="most typical",
        waveform_mv=wave(),
        counterpart_mv=wave(),
        template_mv=wave(),
        attributions={method: wave() if is_signed(method) else np.abs(wave()) for method in MAPS},
        context_shap={"rr_prev_ratio": -1.5, "rr_next_ratio": 0.25},
        waves_ms=np.array([np.nan, np.nan, np.nan, -40, 55, 180, 260, 350], np.float32),
        shapley=dict(zip(PLAYERS, random.normal(size=len(PLAYERS)).tolist(), strict=True)),
        lime=dict(zip(PLAYERS, random.normal(size=len(PLAYERS)).tolist(), strict=True)),
        deviation_by_wave={"p": float("nan"), "qrs": 4.5, "t": -0.25},
        blend=Blend(0.375, "N", {player: 0.5 if player == "qrs" else float("nan") for player in PLAYERS}),
        own_reference=False,
    )
