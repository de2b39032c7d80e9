"""The ST trend: shifts of known height and place, in cleaned signals and through our own filters."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.made_up import drawn
from ecg_core.formats import read_recording
from ecg_core.report.st import st_view
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.result.st_trend import st_trend
from ecg_core.signal import analyse

MINUTES = 15
T = np.arange(-0.1, 0.44, 1 / ANALYSIS_RATE_HZ)
BEAT = 1.2 * np.exp(-((T / 0.02) ** 2)) - 0.3 * np.exp(-(((T - 0.03) / 0.012) ** 2))
ST = np.interp(T, [0.04, 0.06, 0.25, 0.35], [0, 1, 1, 0], left=0, right=0)


def recorded(shift_mv: float = 0.0, minutes: int = MINUTES) -> Result:
    """Beats every 0.8 s, ST shifted in the minutes 5 to 9 on the first lead."""
    result = drawn("N" * (minutes * 75))
    signal = np.random.default_rng(0).normal(0, 0.01, result.signal_mv.shape).astype(np.float32)
    for at_s in result.beats.r_time_s:
        start = round((at_s - 0.1) * ANALYSIS_RATE_HZ)
        part = signal[start : start + T.size]
        part += BEAT[: len(part), None]
        if 300 <= at_s < 600:
            part[:, 0] += shift_mv * ST[: len(part)]
    return replace(result, signal_mv=signal)


@pytest.mark.parametrize("shift_mv", [0.2, -0.15, 0.0])
def test_a_shift_is_found_where_and_as_high_as_it_is(shift_mv):
    trend = st_trend(recorded(shift_mv))
    moved = trend.level_mv - trend.baseline_mv
    assert trend.window_s == 60
    assert moved[5:10, 0] == pytest.approx(shift_mv, abs=0.01)
    assert np.delete(moved[:MINUTES, 0], np.s_[5:10]) == pytest.approx(0, abs=0.01)
    assert moved[:MINUTES, 1] == pytest.approx(0, abs=0.01)


def test_what_is_unread_is_a_gap_and_short_recordings_have_no_trend():
    result = recorded()
    quality = result.quality
    analysable = quality.analysable.copy()
    analysable[: round(120 / quality.epoch_s), 1] = False
    trend = st_trend(replace(result, quality=replace(quality, analysable=analysable)))
    assert np.isnan(trend.level_mv[:2, 1]).all()
    assert np.isfinite(trend.level_mv[2:MINUTES, 1]).all()
    assert np.isfinite(trend.level_mv[:MINUTES, 0]).all()
    assert st_trend(recorded(minutes=9)) is None
    assert st_trend(drawn("V" * 1200)) is None


def test_the_table_lists_every_window_and_what_it_is_measured_against():
    view = st_view(recorded(0.2))
    assert len(view.table.rows) in (MINUTES, MINUTES + 1)
    assert view.table.rows[6][2].endswith("(+0.20)")
    assert "not in the file" in view.note


def test_our_own_filters_leave_a_shift_as_high_as_it_was(mitdb):
    recording = read_recording(mitdb / "100.hea", b"k")
    analysis = analyse(recording)
    r_time_s = analysis.r_index / ANALYSIS_RATE_HZ
    signal, rate = recording.signal.copy(), recording.sampling_rate_hz
    t = np.arange(0, 0.4, 1 / rate)
    raised = np.interp(t, [0.035, 0.055, 0.2, 0.32], [0, 0.2, 0.2, 0], left=0, right=0).astype(np.float32)
    for at in np.rint(r_time_s[(r_time_s >= 600) & (r_time_s < 1200)] * rate).astype(int):
        signal[at : at + t.size] += raised[:, None]
    made_up = drawn("N" * len(r_time_s))
    before, after = (
        st_trend(
            replace(
                made_up,
                recording=replace(made_up.recording, duration_s=recording.duration_s),
                beats=replace(made_up.beats, r_time_s=r_time_s),
                quality=found.quality,
                signal_mv=found.cleaned.signal_mv,
            )
        )
        for found in (analysis, analyse(replace(recording, signal=signal)))
    )
    change = after.level_mv - before.level_mv
    assert np.nanmedian(change[10:20], axis=0) == pytest.approx(0.2, abs=0.01)
    assert np.nanmedian(change[21:], axis=0) == pytest.approx(0, abs=0.01)
