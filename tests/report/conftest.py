"""Builds results: a drawn ECG (Gaussian waves) with known peaks and classes, so that what the report says is known."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ecg_core.labels import CLASSES
from ecg_core.report import render
from ecg_core.result import (
    PLAYERS,
    WAVE_PLAYERS,
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

RATE_HZ = 250
EPOCH_S = 10.0
WAVES_MS = np.array((-200, -160, -120, -40, 50, 180, 260, 360), np.float32)
SHAPLEY = (1.2, 0.02, -0.01, 3.1, 0.03, -0.4, 0.0)
FEATURES = ("rr_prev_to_local_median", "qrs_unlike_template", "a_feature_nobody_named")


def drawn_ecg(r_times_s: np.ndarray, is_v: np.ndarray, duration_s: float, r_mv: float = 1.0) -> np.ndarray:
    """One lead: P, R and T waves as bells; V beats wide and downward, without a P wave."""
    signal = np.zeros(round(duration_s * RATE_HZ), dtype=np.float32)
    steps = np.arange(round(-0.35 * RATE_HZ), round(0.5 * RATE_HZ))
    offsets = steps / RATE_HZ

    def bell(at_s: float, width_s: float) -> np.ndarray:
        return np.exp(-0.5 * ((offsets - at_s) / width_s) ** 2)

    normal = 0.12 * bell(-0.16, 0.025) + r_mv * bell(0, 0.012) + 0.25 * bell(0.28, 0.05)
    ventricular = -1.4 * r_mv * bell(0, 0.035) + 0.5 * bell(0.25, 0.06)
    for time_s, v in zip(r_times_s, is_v, strict=True):
        index = round(time_s * RATE_HZ) + steps
        inside = (index >= 0) & (index < signal.size)
        signal[index[inside]] += (ventricular if v else normal)[inside]
    return signal


def build_result(
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
    """A result whose beats have the given classes, one every `rr_s` from `rr_s` on."""
    n = len(letters)
    r_time_s = rr_s * (1 + np.arange(n, dtype=np.float64))
    duration_s = duration_s if duration_s is not None else rr_s * (n + 1)
    class_index = np.array([CLASSES.index(letter) for letter in letters], dtype=np.int8)
    n_epochs = int(np.ceil(duration_s / EPOCH_S))
    analysable = np.ones((n_epochs, len(lead_names)), dtype=bool)
    analysable[list(poor_epochs), 0] = False
    readable = analysable[np.minimum((r_time_s / EPOCH_S).astype(int), n_epochs - 1), 0] if n else np.zeros(0, bool)
    lead = drawn_ecg(r_time_s, class_index == CLASSES.index("V"), duration_s, r_mv)
    probabilities = np.full((n, 5), 0.0125, dtype=np.float32)
    probabilities[np.arange(n), class_index] = 0.95
    rr_ms = np.full(n, rr_s * 1000, dtype=np.float32)
    prev, following = rr_ms.copy(), rr_ms.copy()
    if n:
        prev[0] = following[-1] = np.nan
    abnormal = np.flatnonzero((class_index > 0) & readable)
    return with_findings(
        Result(
            recording=RecordingFacts(
                recording_id="0123456789abcdef" * 4,
                patient_pseudonym="p-1234abcd",
                source_format="wfdb",
                lead_names=lead_names,
                sampling_rate_hz=360.0,
                n_samples=round(duration_s * 360),
                duration_s=duration_s,
                start_time=datetime(2026, 3, 4, 8, 0, 0),
                device="Holter 7",
                synthetic=False,
            ),
            quality=Quality(
                EPOCH_S,
                np.where(analysable, 0.9, 0.1).astype(np.float32),
                analysable,
                0,
                ("resampled from 360 to 250 Hz (polyphase)", "band-pass 0.5 to 40 Hz, zero-phase"),
            ),
            beats=BeatTable(
                r_sample=np.rint(r_time_s * 360).astype(np.int64),
                r_time_s=r_time_s,
                rr_prev_ms=prev,
                rr_next_ms=following,
                class_index=class_index,
                probabilities=probabilities,
                deviation=np.where(class_index == 0, 0.2, 5.1).astype(np.float32),
                analysable=readable,
                waves_ms=np.tile(WAVES_MS, (n, 1)),
                intervals_ms=np.tile(np.array([160, 90, 400], np.float32), (n, 1)),
                in_set=probabilities > 0.5,
            ),
            attributions=(BeatAttributions("gradcam", np.full((n, 3), 1 / 3, dtype=np.float32)),),
            chosen=tuple(_chosen(row) for row in range(min(n, n_chosen))),
            rhythm=Rhythm(HeartRate(75.0, 61.0, 2.0, 99.0, 4.0) if n > 8 else None, episodes),
            model=ModelFacts(
                version="cnn-20261121-1a2b3c4d",
                family="cnn",
                created_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
                training_data=("MIT-BIH Arrhythmia Database 1.0.0, 16 records",),
                figures={"deciding.V.sensitivity": 0.93, "deciding.V.n": 1234.0, "deciding.macro_f1": 0.81},
                limits=("Fusion beats are often missed.",),
            ),
            signal_mv=np.column_stack([lead * (1 - 0.3 * i) for i in range(len(lead_names))]).astype(np.float32),
            stages={"read": 0.5},
            shapley=ShapleyValues(abnormal, np.tile(np.float32(SHAPLEY), (abnormal.size, 1))),
        )
    )


def _chosen(row: int) -> ChosenBeat:
    x = np.arange(256, dtype=np.float32)
    bell = np.exp(-0.5 * ((x - 100) / 6) ** 2).astype(np.float32)
    shap = np.zeros(256, dtype=np.float32)
    shap[95:105] = 0.2
    shap[200:210] = -0.1
    return ChosenBeat(
        beat_index=row,
        reason="most typical",
        waveform_mv=bell,
        counterpart_mv=0.8 * bell,
        template_mv=0.9 * bell,
        attributions={"shap": shap, "gradcam": bell, "saliency": bell, "integrated_gradients": 0.5 * shap},
        context_shap=dict(zip(FEATURES, (1.5, -0.7, 0.3), strict=True)),
        shapley=dict(zip(PLAYERS, SHAPLEY, strict=True)),
        lime=dict(zip(PLAYERS, (1.0, 0.1, 0.0, 2.5, 0.0, -0.3, 0.2), strict=True)),
        deviation_by_wave=dict(zip(WAVE_PLAYERS, (0.5, 0.1, 6.0, 0.2, 1.0), strict=True)),
        blend=Blend(0.38, "S", {player: 0.6 if player == "qrs" else float("nan") for player in PLAYERS}),
        waves_ms=WAVES_MS,
    )


def episode(kind: str, first: int, last: int, rr_s: float = 0.8, bpm: float | None = 120.0) -> RhythmEpisode:
    return RhythmEpisode(kind, rr_s * (first + 1), rr_s * (last + 1), first, last, bpm)


@pytest.fixture
def build() -> Callable[..., Result]:
    return build_result


@pytest.fixture
def make_episode() -> Callable[..., RhythmEpisode]:
    return episode


@pytest.fixture(scope="session")
def usual() -> Result:
    """Five minutes with a run of three V, a couplet, a pause, one S, one F, and an unreadable stretch."""
    letters = "N" * 40 + "VVV" + "N" * 57 + "VV" + "N" * 20 + "S" + "N" * 30 + "F" + "N" * 200
    result = build_result(
        letters,
        episodes=(
            episode("v_run", 40, 42, bpm=182.0),
            episode("v_couplet", 100, 101),
            RhythmEpisode("pause", 60.0, 62.84, 74, 75, None),
            episode("bigeminy", 40, 42, bpm=None),
        ),
        poor_epochs=(20, 21, 22, 23, 24),
    )
    uncertain = result.beats.probabilities.copy()
    uncertain[41] = (0.3, 0.05, 0.55, 0.05, 0.05)
    in_set = result.beats.in_set.copy()
    in_set[41] = (True, False, True, False, False)
    return with_findings(replace(result, beats=replace(result.beats, probabilities=uncertain, in_set=in_set)))


@pytest.fixture(scope="session")
def usual_html(usual: Result) -> str:
    return render(usual)
