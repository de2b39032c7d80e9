"""Texts that may be kept, and those that could hold a person's name, birth date or number."""

import pytest

from ecg_core.formats.words import is_free_of_names, keep


@pytest.mark.parametrize(
    "text",
    [
        "Normal sinus rhythm", "Sinus bradycardia with 1st degree A-V block", "Premature ventricular complexes",
        "Cannot rule out Anterior infarct, age undetermined", "QRSd >115mS, not LBBB/RBBB", ">>> Acute MI <<<",
        "Rapid, pounding, or fluttering heartbeat", "Shortness of breath", "too_short", "Sinusrhythmus",
        "Fibrilación auricular", "ST elevation V2 - V4, 0.15 mV", "Left bundle branch block",
    ],
)  # fmt: skip
def test_words_of_electrocardiography_are_kept(text):
    assert is_free_of_names(text)


@pytest.mark.parametrize(
    "text",
    [
        "Confirmed by Dr. Hanna Beispiel", "Beispiel", "Sinus rhythm, seen by HB", "born 1.2.1950", "1950", "12/03/50",
        "0171 555 12 34", "12 03 50", "Patient 77318842", "", "  ", "Normal " * 40, "Sinus rhythm\nMüller", "山田",
    ],
)  # fmt: skip
def test_what_could_be_a_person_is_left_out(text):
    assert not is_free_of_names(text)


def test_what_is_left_out_is_counted():
    assert keep(["Sinus rhythm", "Sinus  rhythm", "---", "Seen by Beispiel"]) == (("Sinus rhythm",), 1)
