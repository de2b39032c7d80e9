"""Generated recordings: the truth they claim is in the signal, and WFDB gives it back."""

import numpy as np
import pytest
import wfdb

from ecg_core.datasets.synth import synthesise, write_wfdb
from ecg_core.errors import SettingsError
from ecg_core.formats import read_recording


def test_the_same_seed_gives_the_same_bytes():
    first, again, other = (synthesise(20, seed=seed) for seed in (1, 1, 2))
    assert first.recording.signal.tobytes() == again.recording.signal.tobytes()
    assert first.recording.recording_id == again.recording.recording_id
    np.testing.assert_array_equal(first.r_sample, again.r_sample)
    assert first.symbols == again.symbols
    assert first.recording.recording_id != other.recording.recording_id


@pytest.mark.parametrize("rate", [128, 250, 360, 1000])
def test_annotations_are_exactly_at_the_peaks(rate):
    made = synthesise(120, sampling_rate_hz=rate, pvc_per_minute=6, sveb_per_minute=6, noise_mv=0, heart_rate_bpm=80)
    lead = made.recording.signal[:, made.recording.lead_names.index("II")]
    reach = round(0.06 * rate)
    around = made.r_sample[:, None] + np.arange(-reach, reach + 1)
    np.testing.assert_allclose(lead[made.r_sample], lead[around].max(axis=1), atol=0.0011)
    assert set(made.symbols) == {"N", "V", "A"}


def rr_before_and_after(made, symbol):
    rr = np.diff(made.r_sample) / made.recording.sampling_rate_hz
    normal = np.median(rr)
    places = [i for i, s in enumerate(made.symbols) if s == symbol and 1 < i < len(made.symbols) - 2]
    return np.array([(rr[i - 1] / normal, rr[i] / normal) for i in places])


def test_ectopic_beats_come_early_and_pause_as_they_should():
    made = synthesise(600, pvc_per_minute=4, sveb_per_minute=4, seed=5)
    pvc, sveb = rr_before_and_after(made, "V"), rr_before_and_after(made, "A")
    assert len(pvc) > 20
    assert len(sveb) > 20
    assert (pvc[:, 0] < 0.8).all()
    assert (sveb[:, 0] < 0.9).all()
    assert np.median(pvc.sum(axis=1)) == pytest.approx(2.0, abs=0.05), "full compensatory pause"
    assert np.median(sveb.sum(axis=1)) < 1.85, "the sinus node is reset"


def test_a_pvc_is_wide_and_has_no_p_wave():
    # So slow that the T wave before it is over where a P wave would be.
    made = synthesise(300, pvc_per_minute=5, sveb_per_minute=0, noise_mv=0, heart_rate_bpm=40, seed=2)
    lead = made.recording.signal[:, 0]

    def mean_beat(symbol):
        at = [r for r, s in zip(made.r_sample, made.symbols, strict=True) if s == symbol and 200 < r < lead.size - 300]
        return lead[np.array(at)[:, None] + np.arange(-100, 200)].mean(axis=0)

    normal, pvc = mean_beat("N"), mean_beat("V")
    assert (pvc > pvc.max() / 2).sum() > 2 * (normal > normal.max() / 2).sum()
    p_wave = slice(100 - 66, 100 - 53)  # 165 ms before R, give or take
    assert normal[p_wave].max() > 0.1
    assert abs(pvc[p_wave]).max() < 0.05
    assert pvc[150:].min() < -0.2, "T against the QRS"


def test_fibrillation_is_irregular_without_p():
    af, sinus = synthesise(300, af=True, pvc_per_minute=0), synthesise(300, pvc_per_minute=0, sveb_per_minute=0)

    def variation(made):
        return np.std(np.diff(made.r_sample)) / np.mean(np.diff(made.r_sample))

    assert variation(af) > 0.15
    assert variation(sinus) < 0.08
    assert af.rhythm_notes == ((0, "(AFIB"),)
    assert "A" not in af.symbols


def test_mean_rate_is_as_asked():
    made = synthesise(600, heart_rate_bpm=90, pvc_per_minute=0, sveb_per_minute=0)
    assert 60 * (len(made.r_sample) - 1) / (np.ptp(made.r_sample) / 360) == pytest.approx(90, rel=0.03)


@pytest.mark.parametrize("n_leads", [1, 2, 3, 8, 11, 12])
def test_leads(n_leads):
    recording = synthesise(10, n_leads=n_leads, noise_mv=0).recording
    assert recording.signal.shape == (3600, n_leads)
    assert recording.signal.dtype == np.float32
    assert len(set(recording.lead_names)) == n_leads
    lead = dict(zip(recording.lead_names, recording.signal.T, strict=True))
    if n_leads == 12:
        np.testing.assert_allclose(lead["II"], lead["I"] + lead["III"], atol=0.002)
        np.testing.assert_allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0, atol=0.002)


def test_written_and_read_again(tmp_path):
    made = synthesise(60, n_leads=3, pvc_per_minute=8, seed=4)
    header = write_wfdb(made, tmp_path / "new", "synth_1")
    recording = read_recording(header, b"key")
    np.testing.assert_array_equal(recording.signal, made.recording.signal)
    assert recording.synthetic
    assert recording.lead_names == ("II", "V1", "V5")
    assert recording.sampling_rate_hz == 360
    annotation = wfdb.rdann(str(header.with_suffix("")), "atr")
    assert (annotation.symbol[0], annotation.aux_note[0].rstrip("\0")) == ("+", "(N")
    np.testing.assert_array_equal(annotation.sample[1:], made.r_sample)
    assert tuple(annotation.symbol[1:]) == made.symbols
    assert sorted(path.name for path in header.parent.iterdir()) == ["synth_1.atr", "synth_1.dat", "synth_1.hea"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration_s": 1},
        {"duration_s": float("nan")},
        {"sampling_rate_hz": 0},
        {"n_leads": 0},
        {"n_leads": 13},
        {"heart_rate_bpm": -1},
        {"noise_mv": -0.1},
        {"pvc_per_minute": 500},
    ],
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        synthesise(**{"duration_s": 10, **wrong})


@pytest.mark.parametrize("name", ["../x", "", "a b", "ü", "x.y"])
def test_a_name_that_wfdb_does_not_take(tmp_path, name):
    with pytest.raises(SettingsError):
        write_wfdb(synthesise(10), tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["mi", "sttc", "cd", "hyp"])
def test_another_heart_looks_unlike_a_normal_one_in_twelve_leads(kind):
    quiet = {"n_leads": 12, "pvc_per_minute": 0, "sveb_per_minute": 0, "noise_mv": 0}
    normal, other = (synthesise(10, kind=of, **quiet).recording.signal for of in ("normal", kind))
    assert np.abs(normal - other).max() > 0.2
    # Einthoven's law holds for any heart.
    np.testing.assert_allclose(other[:, 0] + other[:, 2], other[:, 1], atol=0.003)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"kind": "mi", "n_leads": 2}, "twelve leads alone"),
    ({"kind": "cd", "n_leads": 12, "duration_s": 61}, "duration_s"),
    ({"kind": "infarction", "n_leads": 12}, "not known"),
])  # fmt: skip
def test_a_kind_that_cannot_be_shown_is_refused(arguments, words):
    with pytest.raises(SettingsError, match=words):
        synthesise(**{"duration_s": 10, **arguments})
