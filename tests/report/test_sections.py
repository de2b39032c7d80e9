"""The sections on rhythm, the folded recording, twelve leads and the steps to beats, against known answers."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ecg_core.report import render, with_reviews
from ecg_core.report.compared import compared_view
from ecg_core.report.disclosure import COLUMN, COLUMNS, LEFT, disclosure
from ecg_core.report.morphology import forms_view
from ecg_core.report.steps import steps_view
from ecg_core.report.tables import ectopy_table, hourly_table
from ecg_core.report.trust import trust_view
from ecg_core.report.twelve import twelve_leads
from ecg_core.report.waves import brackets, interval_table, interval_text, measured_in
from ecg_core.result import Correction, RawExcerpt, Review
from ecg_core.result.past import PastRecording
from ecg_core.result.variability import variability

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def with_intervals(result, rr_ms):
    rr_ms = np.asarray(rr_ms, np.float32)
    times = np.concatenate(([0.5], 0.5 + np.cumsum(rr_ms / 1000)))
    edge = np.full(1, np.nan, np.float32)
    beats = replace(
        result.beats, r_time_s=times, rr_prev_ms=np.concatenate((edge, rr_ms)), rr_next_ms=np.concatenate((rr_ms, edge))
    )
    return replace(result, beats=beats)


# variability


def test_variability_of_known_intervals(build):
    rr = np.tile([800.0, 860.0], 100)
    found = variability(with_intervals(build("N" * 201), rr))
    assert (found.n, found.share) == (200, 1.0)
    assert found.mean_nn_ms == pytest.approx(830)
    assert found.sdnn_ms == pytest.approx(np.std(rr, ddof=1))
    assert found.rmssd_ms == pytest.approx(60)
    assert found.pnn50 == 1.0
    assert found.lf_hf is None  # less than five minutes


@pytest.mark.parametrize(("frequency_hz", "low"), [(0.1, True), (0.25, False)])
def test_the_spectrum_finds_the_band_in_which_the_rhythm_swings(build, frequency_hz, low):
    rr, at_s = [], 0.0
    while at_s < 700:
        rr.append(850 + 40 * np.sin(2 * np.pi * frequency_hz * at_s))
        at_s += rr[-1] / 1000
    found = variability(with_intervals(build("N" * (len(rr) + 1)), rr))
    assert found.windows == 2
    assert (found.lf_hf > 20) if low else (found.lf_hf < 0.05)


def test_ectopic_beats_are_no_part_of_variability(build):
    letters = "N" * 50 + "V" + "N" * 50
    rr = np.full(100, 800.0)
    rr[49:51] = (400.0, 1200.0)  # before and after the V
    found = variability(with_intervals(build(letters), rr))
    assert found.sdnn_ms == pytest.approx(0, abs=1e-3)
    assert found.n == 98
    assert variability(build("N" * 10)) is None


def test_unknown_intervals_and_poor_signal_are_left_out(build):
    result = build("N" * 60, poor_epochs=(1,))
    assert variability(result).n < 59
    nothing = replace(result.beats, rr_prev_ms=np.full(60, np.nan, np.float32))
    assert variability(replace(result, beats=nothing)) is None
    render(replace(result, beats=nothing))


# tables


def test_ectopy_counts(build, make_episode):
    letters = "NVNNVVNNVVVNNSNVNVNVNN"
    runs = (make_episode("v_run", 8, 10, bpm=150.0), make_episode("v_couplet", 4, 5), make_episode("bigeminy", 14, 19))
    table = ectopy_table(build(letters, episodes=runs))
    v, s = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (v["Beats"], v["Isolated"], v["Couplets"], v["Runs"], v["Bigeminy"]) == ("9", "4", "1", "1", "1")
    assert v["Longest run"].startswith("3 beats at")
    assert v["Fastest run"].startswith("150/min")
    assert (s["Beats"], s["Isolated"], s["Bigeminy"]) == ("1", "1", "–")


def test_v_beats_are_told_by_morphology(build):
    letters = "NNNV" * 6 + "NN"
    assert forms_view(build("N" * 20)) is None
    assert forms_view(build("NNVNN")) is None
    forms = forms_view(build(letters))
    assert sum(int(row.cells[1]) for row in forms.rows) == 6
    assert len(forms.figures) == len([row for row in forms.rows if row.cells[0] in "ABCDEFGH"])
    assert all(figure.drawing.shapes for figure in forms.figures)
    html = render(build(letters))
    assert html.count('class="form-figure"') == len(forms.figures)


def test_hours_are_told_above_one_hour_only(build, make_episode):
    assert hourly_table(build("N" * 10, duration_s=3600.0)) is None
    letters = "N" * 4500 + "V" + "N" * 1000
    table = hourly_table(build(letters, duration_s=2.5 * 3600, episodes=(make_episode("pause", 4600, 4601),)))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["V"] for row in rows] == ["0", "1", "0"]
    assert [row["Pauses"] for row in rows] == ["0", "1", "0"]
    assert [row["Mean heart rate"] for row in rows] == ["75", "75", "–"]
    assert sum(int(row["Beats"].replace(",", "")) for row in rows) == len(letters)


def test_hours_are_summed_by_day_and_night_where_the_clock_is_known(build, make_episode):
    letters = "N" * 4500 + "V" * 2 + "N" * 8900
    result = build(letters, duration_s=3 * 3600, episodes=(make_episode("v_couplet", 4500, 4501),))
    unknown = replace(result, recording=replace(result.recording, start_time=None))
    assert [row[0] for row in hourly_table(unknown).totals] == ["All"]
    night = replace(result.recording, start_time=datetime(2026, 3, 1, 20, 30))  # an hour and a half by day
    table = hourly_table(replace(result, recording=night))
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.totals}
    assert [rows[name]["V"] for name in ("Day, 6 to 22 h", "Night, 22 to 6 h", "All")] == ["2", "0", "2"]
    beats = [int(rows[name]["Beats"].replace(",", "")) for name in rows]
    assert beats[0] + beats[1] == beats[2] == len(letters)
    assert rows["All"]["Couplets"] == "1"
    morning = replace(result.recording, start_time=datetime(2026, 3, 1, 23, 0))
    assert [row[0] for row in hourly_table(replace(result, recording=morning)).totals] == ["Night, 22 to 6 h", "All"]


def test_the_last_recording_stands_beside_this_one(usual):
    last = PastRecording(
        "ab" * 32, 7, None, datetime(2026, 2, 3, 4, 5, tzinfo=UTC), 86400.0, "final", 61.0, 40.0, 120.0, 0.2, 0.0,
        0.5, 3.21, {"pr_ms": 180.0}, ("atrial_fibrillation", "v_run"), 2,
    )  # fmt: skip
    view = compared_view(usual, last)
    assert "arrived 2026-02-03 04:05:00 UTC" in view.table.caption
    now, was = (dict(zip(view.table.columns, row, strict=True)) for row in view.table.rows)
    assert (was["Mean /min"], was["V"], was["Longest pause"], was["PR ms"]) == ("61", "20.0 %", "3.2 s", "180")
    assert (now["Longest pause"], was["QTc ms"]) == ("2.8 s", "–")
    assert "No longer: possible atrial fibrillation." in view.text
    assert "pauses" in view.text.split("No longer")[0]
    assert 'id="compared"' in render(usual, last=last)
    assert compared_view(usual, None) is None


# the folded recording


def decoded(trace):
    """Absolute points of the folded trace's path data, a set of (column, y)."""
    points = set()
    for line in filter(None, trace.split("M")):
        x, y = (int(v) for v in re.match(r"(\d+) (\d+)", line).groups())
        points.add(((x - LEFT) // COLUMN, y))
        for command, a, b in re.findall(r"([vl])(-?\d+)[ ]?(-?\d+)?", line):
            x, y = (x, y + int(a)) if command == "v" else (x + int(a), y + int(b))
            points.add(((x - LEFT) // COLUMN, y))
    return points


@pytest.mark.parametrize(("duration_s", "row_s"), [(35.0, 60), (1800.0, 60), (3 * 3600.0, 120), (5 * 3600.0, 300)])
def test_no_peak_is_lost_however_far_it_is_folded(build, duration_s, row_s):
    result = build("", duration_s=duration_s)
    signal = np.zeros((round(duration_s * 250), 2), np.float32)
    spikes = np.random.default_rng(2).choice(signal.shape[0], 40, replace=False)
    signal[spikes, 0] = 0.1
    view = disclosure(replace(result, signal_mv=signal))
    drawn = set().union(*(decoded(panel.trace) for panel in view.panels))
    level = {y for _, y in decoded(disclosure(replace(result, signal_mv=0 * signal)).panels[0].trace)}
    edges = np.arange(COLUMNS + 1) * (row_s * 250) // COLUMNS
    columns = {int(np.searchsorted(edges, spike % (row_s * 250), side="right")) - 1 for spike in spikes}
    # One sample of tens of thousands, and yet its column goes up to it.
    assert {column for column, y in drawn if y not in level} == columns


def test_rows_and_marks_of_the_folded_recording(build):
    view = disclosure(build("NNVNN" * 30, duration_s=121.0))
    assert len(view.panels) == 1
    assert [word.text for word in view.panels[0].words] == ["0:00:00", "0:01:00", "0:02:00"]
    [(letter, d)] = view.panels[0].ticks
    assert letter == "V"
    x = [int(v) for v in re.findall(r"M(\d+)", d)]
    assert len(x) == 30
    assert min(x) >= LEFT
    assert max(x) <= LEFT + COLUMNS * COLUMN
    assert "N 120, V 30" in view.panels[0].text


def test_missing_signal_is_a_gap(build):
    result = build("", duration_s=60.0)
    signal = result.signal_mv.copy()
    signal[5000:8000] = np.nan
    assert disclosure(replace(result, signal_mv=signal)).panels[0].trace.count("M") == 2
    assert disclosure(replace(result, signal_mv=np.full_like(signal, np.nan))).panels[0].trace == ""


# twelve leads


def test_twelve_leads_in_their_usual_places(build):
    shuffled = tuple(reversed(TWELVE))
    strip = twelve_leads(build("N" * 14, duration_s=12.0, lead_names=shuffled))
    places = {word.text: (float(word.x), float(word.y)) for word in strip.drawing.words}
    assert sorted(TWELVE[:3], key=lambda lead: places[lead][1]) == ["I", "III", "II"]  # II again as the rhythm lead
    for row in (("I", "aVR", "V1", "V4"), ("III", "aVF", "V3", "V6")):
        assert [places[lead][0] for lead in row] == sorted(places[lead][0] for lead in row)
        assert len({places[lead][1] for lead in row}) == 1
    assert sum(shape.kind == "trace" for shape in strip.drawing.shapes) == 13
    assert float(strip.drawing.width) == 265


@pytest.mark.parametrize("names", [TWELVE[:11], (*TWELVE[:11], "X"), ("II",)])
def test_fewer_or_other_leads_have_no_such_page(build, names):
    assert twelve_leads(build("N", duration_s=12.0, lead_names=names)) is None


# from file to beats


def test_the_steps_show_what_the_filter_took_away(build):
    result = build("NNNVNNNNN", duration_s=9.0)
    recorded = result.signal_mv[:1750, 0] + np.float32(0.5)
    view = steps_view(replace(result, raw=RawExcerpt(0.0, 250.0, recorded)))
    traces = [shape.d for shape in view.raw.shapes if shape.kind == "trace"]
    assert len(traces) == 3
    steps = np.array([float(v) for v in re.findall(r"-?\d*\.?\d+", traces[2].split("l")[1])]).reshape(-1, 2)
    assert np.abs(steps[:, 1]).max() <= 0.02  # a constant was taken away: the difference is a level line
    assert re.search(r"offset of 0.5\d mV", " ".join(word.text for word in view.raw.words))
    assert [overlay.letter for overlay in view.overlays] == ["N", "V"]
    assert view.overlays[1].text.startswith("One beat")
    assert [fact.value.short for fact in view.beat_facts][1].startswith("–")  # the first beat has none before it


def test_without_raw_signal_and_beats_the_section_still_stands(build):
    view = steps_view(build("", duration_s=9.0))
    assert (view.raw, view.overlays, view.beat) == (None, (), None)


# how far to trust it


def test_intervals_and_calibration_are_shown_where_the_model_states_them(usual):
    figures = {"deciding.V.sensitivity": 0.93, "deciding.V.sensitivity_low": 0.88, "deciding.V.sensitivity_high": 0.96}
    bins = {f"deciding.calibration.{i}.{k}": v for i, v in enumerate((0.2, 0.9)) for k in ("confidence", "accuracy")}
    methods = {"explanations.shap.stability": 0.7}
    view = trust_view(replace(usual, model=replace(usual.model, figures={**figures, **bins, **methods})))
    [table] = view.figures
    assert table.caption.startswith("Deciding patients: ")
    assert table.rows == (("V", "0.930 (0.88 to 0.96)"),)
    assert view.calibration is not None
    assert view.explanations.rows == (("SHAP", "not tested", "0.70"),)
    assert view.other_figures == ()
    assert trust_view(usual).calibration is None


# sign-off


def test_reviews_are_filled_in_alike_when_rendered_and_when_added_later(usual, usual_html):
    said = Review("ada", None, "</section><script>alert(1)</script>", True, {}, (Correction(1.0, 1.0, "V", 0),))
    later = with_reviews(usual_html, (said,), ())
    assert later == render(usual, (said,))
    assert "<script>alert" not in later
    assert "To be filled in by the reader." in usual_html
    assert "To be filled in by the reader." not in later
    assert with_reviews(usual_html, (), ("v_run",)) == usual_html


# PR, QRS and QT


def test_intervals_are_medians_of_normal_beats_with_their_spread_and_doubt(build):
    result = build("N" * 41)
    intervals = result.beats.intervals_ms.copy()
    intervals[1:, 2] = np.arange(380, 420)
    intervals[1:11, 0] = np.nan
    result = replace(result, beats=replace(result.beats, intervals_ms=intervals))
    rows = {row[0]: row[1:] for row in interval_table(result).rows}
    assert rows["PR"] == ("160 ms", "160 to 160 ms", "30")
    assert rows["QT"] == ("400 ms", "390 to 409 ms", "40")
    assert list(rows) == ["PR", "QRS", "QT", "QTc (Bazett)", "QTc (Fridericia)"]
    text = interval_text(result)
    assert "the 40 normal beats" in text
    assert "75.0 % of them" in text
    assert "smaller differences mean nothing" in text


def test_without_normal_beats_no_interval_is_stated(build):
    for letters in ("V" * 20, ""):
        result = build(letters)
        assert interval_table(result) is None
        assert "none is stated" in render(result)


def test_an_interval_that_was_never_measured_is_a_dash(build):
    result = build("N" * 20)
    intervals = result.beats.intervals_ms.copy()
    intervals[:, 0] = np.nan
    result = replace(result, beats=replace(result.beats, intervals_ms=intervals))
    assert interval_table(result).rows[0] == ("PR", "–", "–", "0")


def test_waves_are_drawn_from_onset_to_end_and_absent_ones_are_not():
    waves = np.array([-200, -160, -120, -40, 50, 180, 260, 360], np.float32)
    (shape,), words = brackets(waves, 10.0, 50.0, 0.1)
    assert shape.d == "M30 10v1H38v-1M46 10v1H55v-1M68 10v1H86v-1"
    assert [word.text for word in words] == ["P", "QRS", "T"]
    waves[:3] = np.nan
    assert [word.text for word in brackets(waves, 10.0, 50.0, 0.1)[1]] == ["QRS", "T"]
    assert brackets(np.full(8, np.nan, np.float32), 10.0, 50.0, 0.1) == ([], [])


def test_a_beat_says_what_was_measured_in_it(build):
    result = build("N" * 20)
    chosen = result.chosen[0]
    assert measured_in(result, chosen) == "Measured in it: PR 160 ms, QRS 90 ms, QT 400 ms."
    for missing, said in ((slice(0, 1), "No P wave"), (slice(0, 3), "could not be measured")):
        intervals = result.beats.intervals_ms.copy()
        intervals[chosen.beat_index, missing] = np.nan
        assert said in measured_in(replace(result, beats=replace(result.beats, intervals_ms=intervals)), chosen)
