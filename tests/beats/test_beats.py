"""Windows, template, context, rhythm and choice, on real recordings and on arrays with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.beats import (
    CONTEXT_NAMES,
    CONTEXT_PLAYERS,
    RHYTHM_FEATURES,
    analysed_leads,
    extract_beats,
    extract_from_leads,
    model_inputs,
    summarise_rhythm,
)
from ecg_core.datasets.annotated import load_record
from ecg_core.labels import CLASSES
from ecg_core.result import Quality
from ecg_core.signal import assess_quality, clean

GOOD = np.ones(1000, dtype=bool)


def shape(width=6.0, height=1.0):
    t = np.arange(-100, 156)
    return height * np.exp(-((t / width) ** 2)) + 0.15 * np.exp(-(((t + 40) / 8) ** 2))


def train_of(letters, rr_samples=200):
    """A lead with a narrow beat for each N and a wide, upside-down one for each V."""
    r = 300 + np.cumsum(np.broadcast_to(rr_samples, len(letters)))
    lead = np.zeros(r[-1] + 400, dtype=np.float32)
    for at, letter in zip(r, letters, strict=True):
        lead[at - 100 : at + 156] += shape() if letter == "N" else shape(20.0, -2.0)
    return lead, r


def rhythm(letters, rr_ms=800.0, analysable=None, missing=()):
    n = len(letters)
    rr = np.array(np.broadcast_to(rr_ms, n), dtype=np.float32)
    time_s = np.cumsum(rr, dtype=np.float64) / 1000
    rr[[0, *missing][:n]] = np.nan
    index = np.array([CLASSES.index(letter) for letter in letters], dtype=np.int8)
    return summarise_rhythm(time_s, rr, index, np.ones(n, bool) if analysable is None else analysable)


def spans(result):
    return [(e.kind, e.first_beat, e.last_beat) for e in result.episodes]


def test_windows_hold_the_beat_at_index_100_and_go_on_beyond_the_ends():
    lead = np.arange(1000, dtype=np.float32)
    beats = extract_beats(lead, np.array([10, 500, 990]), GOOD, 10.0, trees=None)
    assert beats.windows_mv.shape == (3, 256)
    assert beats.windows_mv.dtype == np.float32
    assert beats.windows_mv[:, 100].tolist() == [10, 500, 990]
    assert beats.windows_mv[1].tolist() == list(range(400, 656))
    assert beats.windows_mv[0, :91].max() == 0
    assert beats.windows_mv[2, 110:].min() == 999
    assert beats.rr_prev_ms[1:].tolist() == [1960, 1960]
    assert np.isnan(beats.rr_prev_ms[0])
    assert np.isnan(beats.rr_next_ms[-1])


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("lead", [np.zeros(600, np.float32), np.ones(600, np.float32)])
def test_few_beats_on_a_flat_lead_give_finite_neutral_values(n, lead):
    beats = extract_beats(lead, np.array([200, 400][:n], dtype=np.int64), GOOD, 10.0, trees=None)
    waveform, context = model_inputs(beats)
    assert waveform.shape == (n, 256, 2)
    assert context.shape == (n, len(CONTEXT_NAMES))
    assert np.isfinite(waveform).all()
    assert np.isfinite(context).all()
    assert (beats.scale_mv > 0).all()
    timing = [k for k, name in enumerate(CONTEXT_NAMES) if name.startswith("rr_")]
    assert np.abs(context[:1, timing]).max(initial=0) < 1e-5


def test_no_signal_at_all_gives_an_empty_table():
    beats = extract_beats(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(1, bool), 10.0, trees=None)
    assert len(beats) == 0
    assert model_inputs(beats)[0].shape == (0, 256, 2)


@pytest.mark.parametrize("letters", ["N" * 60, "NV" * 60, "VN" * 400, "NVV" * 50, "V" * 5 + "N" * 50])
def test_the_template_is_the_conducted_beat(letters):
    # Ectopic beats come early and are followed by a pause.
    early = np.where(np.array(list(letters)) == "V", 130, np.where(np.roll(list(letters), 1) == "V", 270, 200))
    lead, r = train_of(letters, early)
    beats = extract_beats(lead, r, GOOD, 10.0, trees=None)
    assert np.corrcoef(beats.template_mv[0, 75:150], shape()[75:150])[0, 1] > 0.98
    assert beats.scale_mv[0] == pytest.approx(1.0, abs=0.1)


def test_only_ventricular_beats_still_give_a_template_of_their_own():
    lead, r = train_of("V" * 30)
    beats = extract_beats(lead, r, GOOD, 10.0, trees=None)
    assert beats.template_mv[0, 100] == pytest.approx(-2.0, abs=0.1)
    assert 1.2 < beats.scale_mv[0] < 2.1


def test_context_tells_an_early_wide_beat_from_the_others_and_is_free_of_scale():
    letters = "N" * 20 + "V" + "N" * 20
    lead, r = train_of(letters, np.array([200] * 20 + [100, 300] + [200] * 19))
    beats = extract_beats(lead, r, GOOD, 10.0, trees=None)
    value = dict(zip(CONTEXT_NAMES, beats.context[20], strict=True))
    assert value["rr_prev_to_local_median"] == pytest.approx(-2)  # half the interval: two half octaves
    assert value["rr_next_to_local_median"] == pytest.approx(2 * np.log2(1.5), abs=1e-5)
    assert value["rr_next_to_rr_prev"] == pytest.approx(3)  # clipped
    assert value["qrs_width_to_template"] > 0.5
    assert value["qrs_height_to_template"] > 0.5
    assert value["qrs_unlike_template"] > 0.5
    in_time = dict(zip(CONTEXT_NAMES, beats.context[5], strict=True))
    for reference in ("local_median", "local_upper", "near_upper", "long_mode", "recording_median", "rr_before"):
        assert in_time[f"rr_prev_to_{reference}"] == pytest.approx(0, abs=1e-5)
    after = dict(zip(CONTEXT_NAMES, beats.context[22], strict=True))
    assert after["rr_prev_to_local_upper"] == pytest.approx(0, abs=1e-5), "the pause after V is no reference"
    louder = extract_beats(lead * 7, r, GOOD, 10.0, trees=None)
    np.testing.assert_allclose(louder.context, beats.context, atol=1e-3)
    np.testing.assert_allclose(model_inputs(louder)[0], model_inputs(beats)[0], atol=1e-3)


def test_one_ectopic_p_wave_among_many_is_told_by_the_company_it_keeps():
    # Three of four beats are early and have an inverted P wave: the median interval is theirs, and so is the template.
    letters, rr = "NSSS" * 40, np.array([300, 150, 150, 150] * 40)
    lead, r = train_of(letters.replace("S", "N"), rr)
    for beat, letter in zip(r, letters, strict=True):
        bump = 0.15 * np.exp(-np.square(np.arange(-20, 21) / 7.0)).astype(np.float32)
        lead[beat - 60 : beat - 19] += bump if letter == "N" else -bump
    beats = extract_beats(lead, r, GOOD, 10.0, trees=None)
    context = {name: beats.context[8:-8, k] for k, name in enumerate(CONTEXT_NAMES)}
    is_s = np.array(list(letters))[8:-8] == "S"
    for name in ("rr_prev_to_long_mode", "p_prematurity_of_alike"):
        assert context[name][is_s].max() < context[name][~is_s].min() - 0.5, name
    assert np.abs(context["rr_prev_to_local_median"][is_s]).max() < 0.1, "one reference alone does not tell"


def test_players_and_names_go_together():
    assert len(CONTEXT_PLAYERS) == len(CONTEXT_NAMES) == len(set(CONTEXT_NAMES))
    allowed = {"previous_rr", "p_wave", "pq_segment", "qrs", "st_segment", "t_wave", "following_rr"}
    assert set(CONTEXT_PLAYERS) <= allowed
    assert not set(CONTEXT_PLAYERS[:RHYTHM_FEATURES]) & {"qrs", "st_segment", "t_wave"}, "S is asked without the QRS"


def test_intervals_across_bad_epochs_are_unknown_and_their_beats_marked():
    lead, r = train_of("N" * 40, 250)  # a beat each second from 2.2 s on
    analysable = np.array([True, False, True, True, True])
    beats = extract_beats(lead, r, analysable, 10.0, trees=None)
    second = beats.r_index / 250
    in_bad = (second >= 10) & (second < 20)
    assert (beats.analysable == ~in_bad).all()
    touches = (second >= 10) & (second < 21)  # the interval before the first beat after the gap, too
    assert np.isnan(beats.rr_prev_ms[touches]).all()
    assert np.isfinite(beats.rr_prev_ms[~touches][1:]).all()
    assert np.array_equal(beats.rr_prev_ms[1:], beats.rr_next_ms[:-1], equal_nan=True)
    assert np.isfinite(beats.context).all()


@pytest.mark.parametrize("record", ["100", "200", "207", "222", "232"])
def test_real_beats_have_finite_inputs_of_about_unit_scale(mitdb, record):
    labelled = load_record(mitdb, record)
    cleaned = clean(labelled.recording)
    quality = assess_quality(labelled.recording, cleaned)
    lead = quality.primary_lead
    r = np.round(labelled.r_sample * 250 / 360).astype(np.int64)
    beats = extract_beats(cleaned.signal_mv[:, lead], r, quality.analysable[:, lead], quality.epoch_s, trees=None)
    waveform, context = model_inputs(beats)
    assert np.isfinite(waveform).all()
    assert np.isfinite(context).all()
    assert np.abs(context).max() <= 3.01
    assert 0.2 < np.abs(waveform[:, 60:140, 1]).max() <= 1.2
    if record != "232":
        normal = labelled.class_index == 0
        ventricular = labelled.class_index == 2
        unlike = context[:, CONTEXT_NAMES.index("qrs_unlike_template")]
        if ventricular.any():
            assert np.median(unlike[ventricular]) > np.median(unlike[normal])
    else:
        early = context[:, CONTEXT_NAMES.index("rr_prev_to_local_upper")]
        assert np.median(early[labelled.class_index == 1]) < np.median(early[labelled.class_index == 0])


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNNNN", []),
        ("NVNNN", []),
        ("NVVNN", [("v_couplet", 1, 2)]),
        ("VVNNN", [("v_couplet", 0, 1)]),
        ("NNVVV", [("v_run", 2, 4)]),
        ("NSSNN", [("s_couplet", 1, 2)]),
        ("NSSSSN", [("s_run", 1, 4)]),
        ("NSVNN", []),
        ("NVNVNV", [("bigeminy", 0, 5)]),
        ("VNVNVNVN", [("bigeminy", 1, 6)]),
        ("NVNVNN", []),
        ("NVNVNVNNNVNVNV", [("bigeminy", 0, 5), ("bigeminy", 8, 13)]),
        ("NNVNNVNNV", [("trigeminy", 0, 8)]),
        ("NNVNNVN", []),
        ("FVFVFV", []),
        ("", []),
        ("V", []),
    ],
)
def test_patterns_have_exactly_their_episodes(letters, expected):
    assert spans(rhythm(letters)) == expected


def test_one_long_bigeminy_is_one_episode_with_its_rate():
    (episode,) = rhythm("NV" * 50).episodes
    assert (episode.kind, episode.first_beat, episode.last_beat) == ("bigeminy", 0, 99)
    assert episode.heart_rate_bpm == pytest.approx(75)
    assert episode.end_s - episode.start_s == pytest.approx(99 * 0.8, abs=1e-3)


def test_nothing_is_claimed_across_what_is_not_analysable():
    assert spans(rhythm("NVVVN", missing=[2])) == [("v_couplet", 2, 3)]
    assert spans(rhythm("NVNVNV", missing=[2])) == []
    analysable = np.array([True, True, False, True, True])
    assert spans(rhythm("NVVVN", analysable=analysable)) == []
    pause = np.array([800, 800, 3000, 800, 800.0])
    assert spans(rhythm("NNNNN", pause)) == [("pause", 1, 2)]
    assert spans(rhythm("NNNNN", pause, analysable=analysable)) == []
    assert rhythm("N" * 30, 400.0, missing=list(range(0, 30, 8))).heart_rate is None


def test_sustained_rates_are_found_and_single_intervals_are_not():
    slow = rhythm("N" * 40, np.array([800] * 10 + [1500] * 20 + [800] * 10))
    (episode,) = slow.episodes
    assert episode.kind == "bradycardia"
    assert episode.heart_rate_bpm < 50
    assert episode.first_beat <= 9
    assert episode.last_beat >= 29
    assert spans(rhythm("N" * 9, 400.0)) == [("tachycardia", 0, 8)]
    assert spans(rhythm("N" * 8, 400.0)) == []
    assert spans(rhythm("N" * 20, np.array([800] * 10 + [1500] + [800] * 9))) == []
    assert spans(rhythm("N" * 20, 500.0)) == []  # exactly 120/min is no tachycardia


def test_heart_rate_and_where_its_extremes_are():
    rate = rhythm("N" * 40, np.array([1000] * 20 + [600] * 20)).heart_rate
    assert (rate.min_bpm, rate.max_bpm) == (pytest.approx(60), pytest.approx(100))
    assert 60 < rate.mean_bpm < 100
    assert rate.min_at_s < 20 < rate.max_at_s
    assert rhythm("N" * 8).heart_rate is None
    assert rhythm("").heart_rate is None


def test_real_runs_and_bigeminy_are_found_with_the_reference_labels(mitdb):
    kinds = {}
    for record in ("106", "200", "213"):
        labelled = load_record(mitdb, record)
        seconds = labelled.r_sample / labelled.recording.sampling_rate_hz
        rr = np.diff(seconds, prepend=np.nan).astype(np.float32) * 1000
        result = summarise_rhythm(seconds, rr, labelled.class_index, np.ones(seconds.size, bool))
        kinds[record] = [e.kind for e in result.episodes]
        assert all(e.start_s < e.end_s for e in result.episodes)
    assert kinds["106"].count("bigeminy") > 5
    assert kinds["200"].count("v_run") >= 5
    assert "s_couplet" in kinds["213"]


def two_leads(analysable: np.ndarray) -> tuple[np.ndarray, np.ndarray, Quality]:
    lead, r = train_of("N" * 20 + "V" + "N" * 20)
    signal = np.stack([lead, np.roll(0.5 * lead, 3)], axis=1).astype(np.float32)
    return signal, r, Quality(10.0, analysable.astype(np.float32), analysable, 0, ())


def test_two_leads_speak_together_and_one_alone_for_itself():
    both = np.ones((5, 2), dtype=bool)
    signal, r, quality = two_leads(both)
    single = [extract_beats(signal[:, k], r, both[:, k], 10.0, trees=None).context for k in (0, 1)]
    joined = extract_from_leads(signal, r, quality, None)
    np.testing.assert_allclose(joined.context, (single[0] + single[1]) / 2, atol=1e-6)
    np.testing.assert_array_equal(joined.windows_mv[:, 100], signal[r, 0])

    second_bad = np.stack([np.ones(5), np.zeros(5)], axis=1).astype(bool)
    signal, r, quality = two_leads(second_bad)
    np.testing.assert_allclose(extract_from_leads(signal, r, quality, None).context, single[0], atol=1e-6)
    alone = extract_from_leads(
        signal[:, :1], r, replace(quality, analysable=both[:, :1], index=quality.index[:, :1]), None
    )
    np.testing.assert_allclose(alone.context, single[0], atol=1e-6)


def test_where_the_primary_lead_cannot_be_read_another_serves():
    analysable = np.array([[True, True]] * 2 + [[False, True]] + [[False, False]] + [[True, True]])
    signal, r, quality = two_leads(analysable)
    beats = extract_from_leads(signal, r, quality, None)
    on_second = (r >= 5100) & (r < 7400)
    np.testing.assert_array_equal(beats.windows_mv[on_second, 100], signal[r[on_second], 1])
    np.testing.assert_array_equal(beats.windows_mv[r < 4900, 100], signal[r[r < 4900], 0])
    assert beats.analysable[on_second].all()
    assert not beats.analysable[(r > 7500) & (r < 10000)].any()
    assert np.isfinite(beats.rr_prev_ms[1:][(r[1:] < 7400)]).all(), "beats are found on all leads together"
    assert beats.scale_mv[on_second].max() < 0.7 * beats.scale_mv[0]
    shapes, _ = model_inputs(beats)
    np.testing.assert_allclose(np.ptp(shapes[on_second, 80:120, 1], axis=1), 1, atol=0.05)


def test_the_rhythm_is_that_of_the_true_beats_and_names_their_rows():
    times = np.array([0, 0.8, 1.6, 1.9, 2.4, 2.8, 3.2, 4.0, 4.8, 5.6, 6.4, 7.2])
    letters = "NNNQNVVVNNNN"
    classes = np.array([CLASSES.index(letter) for letter in letters], np.int8)
    rr = np.diff(times, prepend=np.nan).astype(np.float32) * 1000
    found = summarise_rhythm(times, rr, classes, np.ones(12, bool), false=classes == CLASSES.index("Q"))
    assert [(e.kind, e.first_beat, e.last_beat) for e in found.episodes] == [("v_run", 5, 7)]
    assert found.heart_rate.max_bpm < 90
    unknown = rr.copy()
    unknown[3] = np.nan
    assert summarise_rhythm(times, unknown, classes, np.ones(12, bool), false=classes == 4).heart_rate is None


def test_of_twelve_leads_the_primary_and_the_best_of_the_others_are_taken():
    index = np.tile(np.linspace(0.2, 0.9, 12, dtype=np.float32), (3, 1))
    assert analysed_leads(Quality(10.0, index, index > 0, 4, ())) == [4, 11]
    assert analysed_leads(Quality(10.0, index[:, :1], index[:, :1] > 0, 0, ())) == [0]
    assert analysed_leads(Quality(10.0, index[:0], index[:0] > 0, 4, ()))[0] == 4
