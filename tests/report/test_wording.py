from datetime import UTC, datetime

import pytest

from ecg_core.report.wording import Clock, duration, moment, number, percent, shown, signed


def test_control_and_direction_characters_become_visible():
    assert shown("a\x00b\x1bc").short == "a␀b␛c"
    assert shown("ab\u202egnp.exe").short == "ab‹U+202E›gnp.exe"
    assert shown("x\u200by\ufeff\x7f").short == "x‹U+200B›y‹U+FEFF›‹U+007F›"
    assert shown("one\r\n two\tthree").short == "one   two three"


def test_a_lone_surrogate_can_be_written_as_utf8():
    assert shown("bad\udcff").short.encode() == "bad‹U+DCFF›".encode()


def test_long_text_is_cut_and_kept_whole_beside():
    text = shown("x" * 10_000, 60)
    assert (len(text.short), len(text.full)) == (60, 10_000)
    assert text.short.endswith("…")
    assert shown("x" * 60, 60).full == ""


def test_stacked_marks_do_not_run_over_the_page():
    assert len(shown("e" + "\u0301" * 500).short) == 3


def test_ordinary_foreign_text_stays_as_it_is():
    assert shown("Müller 心电图").short == "Müller 心电图"


def test_right_to_left_letters_are_isolated_from_the_sentence():
    assert shown("לב 1").short == "\u2068לב 1\u2069"


def test_numbers():
    assert [number(v, d) for v, d in ((1234.56, 1), (-2, 0), (-0.04, 1), (float("nan"), 1), (None, 0))] == [
        "1,234.6",
        "−2",
        "0.0",
        "–",
        "–",
    ]
    assert (signed(1.25), signed(-0.5), signed(float("nan"))) == ("+1.2", "−0.5", "–")
    assert (signed(0.004, 2), signed(-0.04), signed(10.0, 0)) == ("0.00", "0.0", "+10")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.0004, "<0.1 %"), (0.9999, ">99.9 %"), (0.319, "31.9 %"), (float("nan"), "–")],
)
def test_a_share_is_not_rounded_to_all_or_nothing(share, text):
    assert percent(share) == text


def test_times():
    assert [duration(s) for s in (9, 59.94, 59.96, 1806, 86400)] == ["9.0 s", "59.9 s", "1 min", "30 min 6 s", "24 h"]
    assert Clock(None).at(3725.9) == "1:02:05"
    assert Clock(datetime(2026, 3, 4, 23, 59, 50)).at(15) == "0:00:15 (00:00:05)"
    assert Clock(datetime.max).at(15) == "0:00:15"
    assert moment(datetime(812, 1, 2, 3, 4, 5)) == "0812-01-02 03:04:05"
    assert moment(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02 00:00:00 UTC"
