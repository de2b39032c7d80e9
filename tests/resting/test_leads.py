"""The twelve standard leads, from names in any spelling and order; all else is refused with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.resting import NotMeasured, twelve_leads
from ecg_core.resting.leads import CHEST_LEADS, standard_name
from ecg_core.result.resting import STANDARD_LEADS


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("AVR", ("aVR", False)),
        ("avl", ("aVL", False)),
        ("Lead II", ("II", False)),
        ("MDC_ECG_LEAD_V3", ("V3", False)),
        ("-aVR", ("aVR", True)),
        ("−AVR", ("aVR", True)),
        ("c5", ("V5", False)),
        ("DIII", ("III", False)),
        (" v 1 ", ("V1", False)),
        ("MLII", None),
        ("lead 1", None),
        ("V3R", None),
        ("V7", None),
        ("V1-V2", None),
        ("ECG", None),
        ("IV", None),
        ("", None),
        ("-", None),
    ],
)
def test_a_name_is_read_in_any_spelling_and_never_guessed(name, standard):
    assert standard_name(name) == standard


def test_order_spelling_and_sign_change_no_measurement(made, read):
    plain = made()
    order = np.random.default_rng(3).permutation(12)
    names = [STANDARD_LEADS[k].upper() for k in order]
    signal = plain.signal[:, order].copy()
    turned = names.index("AVR")
    signal[:, turned] *= -1
    names[turned] = "-aVR"
    same, other = read(plain), read(replace(plain, signal=signal, lead_names=tuple(names)))
    assert other.leads.turned == ("aVR",)
    assert other.leads.derived == ()
    for one, two in zip(same.measurements, other.measurements, strict=True):
        assert (one.lead, one.name, one.unit) == (two.lead, two.name, two.unit)
        assert one.value == pytest.approx(two.value, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("limbs", [("I", "II"), ("II", "III"), ("aVL", "aVF"), ("I", "II", "III")])
def test_two_limb_leads_give_the_others(made, limbs):
    names = (*limbs, *CHEST_LEADS)
    leads = twelve_leads(made(noise_mv=0.0, names=names))
    assert set(leads.derived) == set(STANDARD_LEADS[:6]) - set(limbs)
    derived = made(noise_mv=0.0, names=names).signal @ leads.mixing.T
    assert derived == pytest.approx(made(noise_mv=0.0).signal, abs=1e-5)


def test_a_limb_lead_that_never_moves_is_derived(made):
    recording = made()
    signal = recording.signal.copy()
    signal[:, 0] = 0.3
    signal[:, 3] = np.nan
    assert twelve_leads(replace(recording, signal=signal)).derived == ("I", "aVR")


def test_a_limb_lead_that_cannot_be_read_is_derived(made, read):
    recording = made()
    signal = recording.signal.copy()
    rng = np.random.default_rng(5)
    signal[:, 5] = rng.normal(0, 0.5, signal.shape[0])
    ecg, plain = read(replace(recording, signal=signal)), read(recording)
    assert ecg.leads.derived == ("aVF",)
    assert ecg.measured.at("r_mv", "aVF") == pytest.approx(plain.measured.at("r_mv", "aVF"), abs=0.02)
    assert plain.leads.derived == ()


def test_further_leads_are_left_aside(made):
    recording = made()
    signal = np.concatenate([recording.signal, recording.signal[:, :1]], axis=1)
    leads = twelve_leads(replace(recording, signal=signal, lead_names=(*recording.lead_names, "V7")))
    assert leads.ignored == ("V7",)
    assert not leads.mixing[:, 12].any()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("II",), "V1, V2, V3, V4, V5, V6 missing"),
        (("I", "II", "V1", "V2", "V3", "V4", "V5"), "V6 missing"),
        (("II", *CHEST_LEADS), "two are needed"),
        ((), "none"),
    ],
)
def test_other_lead_sets_are_refused_with_their_reason(made, names, said):
    recording = made(names=names) if names else replace(made(), signal=np.zeros((5000, 0), np.float32), lead_names=())
    refused = twelve_leads(recording)
    assert isinstance(refused, NotMeasured)
    assert said in refused.reason


def test_chest_leads_without_a_signal_are_refused(made):
    plain = made()
    signal = plain.signal.copy()
    signal[:, [6, 8]] = 0.0
    names = tuple(name.lower() for name in plain.lead_names)
    refused = twelve_leads(replace(plain, signal=signal, lead_names=names))
    assert isinstance(refused, NotMeasured)
    assert "no signal in V1, V3" in refused.reason


def test_limb_leads_without_a_signal_are_refused(made):
    recording = made()
    signal = recording.signal.copy()
    signal[:, :6] = 0
    refused = twelve_leads(replace(recording, signal=signal))
    assert isinstance(refused, NotMeasured)
    assert "a signal in none of the limb leads" in refused.reason


@pytest.mark.parametrize("second", ["I", "I 2", "Lead I"])
def test_a_lead_that_occurs_twice_is_refused(made, second):
    recording = made()
    refused = twelve_leads(replace(recording, lead_names=(*recording.lead_names[:11], second)))
    assert isinstance(refused, NotMeasured)
    assert "Lead I occurs twice" in refused.reason


@pytest.mark.parametrize(("rate_hz", "seconds"), [(99.0, 10), (1001.0, 10), (500.0, 4.9), (100.0, 301)])
def test_other_rates_and_lengths_are_refused(made, rate_hz, seconds):
    recording = made(rate_hz=100.0, seconds=2)
    signal = np.zeros((round(rate_hz * seconds), 12), np.float32)
    refused = twelve_leads(replace(recording, signal=signal, sampling_rate_hz=rate_hz))
    assert isinstance(refused, NotMeasured)
    assert ("sampling rate" in refused.reason) or ("lasts" in refused.reason)
