"""Numbers of median beats: real recordings of PTB-XL, and beats whose numbers are known."""

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.resting import Subject, read_resting
from ecg_core.resting.beat_features import RHYTHM_NAMES, beat_features, rhythm_features
from ecg_core.resting.leads import LIMB_OF_I_AND_II
from ecg_core.result.resting import STANDARD_LEADS
from ecg_core.signal import analyse

R = 130


@pytest.fixture(scope="module")
def real(physionet_base):
    folder = physionet_base / "ptb-xl" / "1.0.3"
    if not folder.is_dir():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds ptb-xl/1.0.3")
    beats = []
    for recording in ptbxl.recordings(folder, ptbxl.records(folder)[:12]):
        analysis = analyse(recording)
        beats.append(read_resting(recording, analysis, analysis.waves_ms(), Subject(), None).beat)
    return (
        np.stack([beat.signal_mv for beat in beats]),
        np.array([beat.points["qrs_on"] for beat in beats]),
        np.array([beat.points["qrs_off"] for beat in beats]),
        np.array([beat.rr_ms for beat in beats]),
    )


def _stack(table):
    return np.stack(list(table.values()), axis=1)


def _made(r_mv=1.0, s_mv=0.4, t_mv=0.3):
    """A beat with a triangular R and S and a T wave, in lead II alone (so in I: nothing) and V1 to V6."""
    beat = np.zeros((12, 400), dtype=np.float32)
    shape = np.zeros(400, dtype=np.float32)
    shape[R - 5 : R + 6] = r_mv * (1 - np.abs(np.arange(-5, 6)) / 5)
    shape[R + 6 : R + 15] = -s_mv * (1 - np.abs(np.arange(-4, 5)) / 5)
    shape[R + 40 : R + 81] += t_mv * np.hanning(41)
    beat[:6] = LIMB_OF_I_AND_II[:, 1:] * shape
    beat[6:] = shape
    return beat


def _measure(beat, on=R - 8.0, off=R + 18.0):
    return beat_features(beat[None], np.array([on]), np.array([off]), np.array([900.0]))


def test_numbers_of_a_known_beat():
    table = _measure(_made())
    assert table["II_r_mv"][0] == pytest.approx(1.0, abs=1e-6)
    assert table["II_s_mv"][0] == pytest.approx(0.4, abs=1e-6)
    assert table["II_q_mv"][0] == 0
    assert table["V3_t_mv"][0] == pytest.approx(0.3, abs=0.02)
    assert table["qrs_ms"][0] == 104
    assert table["net_axis_deg"][0] == pytest.approx(90, abs=0.1)
    assert table["sokolow_lyon_mv"][0] == pytest.approx(1.4, abs=1e-5)


def test_a_qs_complex_is_as_wide_as_the_qrs(real):
    """The width of a Q wave without an R after it is that of the complex, whatever is measured beside it."""
    beat = _made(r_mv=-1.0, s_mv=0.6)
    alone = _measure(beat)["V2_q_ms"][0]
    wider = beat_features(np.stack([beat, beat]), np.array([122.0, 110.0]), np.array([148.0, 170.0]), np.full(2, 900.0))
    assert 0 < alone <= 104
    assert wider["V2_q_ms"][0] == alone


def test_a_beat_gives_the_same_alone_and_among_others(real):
    beats, on, off, rr = real
    together = _stack(beat_features(beats, on, off, rr))
    for k in range(len(beats)):
        alone = _stack(beat_features(beats[k : k + 1], on[k : k + 1], off[k : k + 1], rr[k : k + 1]))
        np.testing.assert_allclose(alone[0], together[k], rtol=1e-5, atol=1e-5)


def test_names_and_order_do_not_depend_on_the_beats(real):
    first = beat_features(*(part[:2] for part in real))
    second = beat_features(*(part[5:6] for part in real))
    assert list(first) == list(second)
    assert {name.split("_")[0] for name in first} >= set(STANDARD_LEADS)
    assert np.isfinite(_stack(first)).all()


def test_an_unreadable_limb_lead_is_computed_from_the_others(real):
    beats, on, off, rr = (part[:1] for part in real)
    spoiled = beats.copy()
    spoiled[0, STANDARD_LEADS.index("aVF")] = np.nan
    whole, mended = beat_features(beats, on, off, rr), beat_features(spoiled, on, off, rr)
    assert mended["aVF_r_mv"][0] == pytest.approx(whole["aVF_r_mv"][0], abs=0.01)


def test_an_unreadable_chest_lead_leaves_its_numbers_open_and_no_others(real):
    beats, on, off, rr = (part[:1] for part in real)
    spoiled = beats.copy()
    spoiled[0, STANDARD_LEADS.index("V4")] = np.nan
    table = beat_features(spoiled, on, off, rr)
    unknown = {name for name, column in table.items() if np.isnan(column[0])}
    assert {name for name in table if name.startswith("V4_")} <= unknown
    assert not {name for name in unknown if name.split("_")[0] in set(STANDARD_LEADS) - {"V4"}}


@pytest.mark.parametrize("shape", [(12, 400), (1, 8, 400), (2, 12, 400)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"[Bb]eats"):
        beat_features(np.zeros(shape, dtype=np.float32), np.array([118.0]), np.array([142.0]), np.array([900.0]))


def test_bounds_that_are_unknown_or_absurd_do_not_stop_it():
    for on, off in ((np.nan, np.nan), (-50.0, 1e6), (150.0, 100.0)):
        assert np.isfinite(_stack(_measure(_made(), on, off))).all()


def test_rhythm_of_few_beats_is_left_open():
    assert all(np.isnan(rhythm_features(np.array([100, 300]), 0.0)[name]) for name in RHYTHM_NAMES[:-1])
    steady = rhythm_features(np.arange(10) * 250, 0.1)
    assert steady["heart_rate_bpm"] == pytest.approx(60)
    assert steady["rr_variation"] == 0
    assert list(steady) == list(rhythm_features(np.array([], dtype=np.int64), 0.0))
