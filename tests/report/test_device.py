"""What file and device say stands apart in the report, and what is doubtful in the file stands where it is seen."""

import re
from dataclasses import replace

import pytest

from benchmarks.made_up import DOUBTS, STATED
from ecg_core.recording import Doubt, Stated
from ecg_core.report import render


def of_file(result, **facts):
    return replace(result, recording=replace(result.recording, **facts))


def section(html):
    found = re.search(r'<section id="device_says">.*?</section>', html, re.S)
    return found and re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0]))


def test_the_device_speaks_in_a_section_of_its_own(usual):
    html = render(of_file(usual, stated=STATED))
    assert "71 years, female" in html
    told = section(html)
    for words in ("left axis deviation", "high pass 0.05 Hz", "palpitations", "QT, ms 402", "symptom button"):
        assert words in told
    assert "left axis deviation" not in html.replace(
        re.search(r'<section id="device_says">.*?</section>', html, re.S)[0], ""
    )


def test_a_doubt_stands_over_everything_and_in_the_section(usual):
    html = render(of_file(usual, doubts=DOUBTS))
    banner = re.search(r'<p class="banner warning">([^<]*the rest is left out[^<]*)</p>', html)
    assert banner is not None
    assert DOUBTS[0].text in section(html)
    many = render(of_file(usual, doubts=(*DOUBTS, Doubt("gain", "Its gain is odd."))))
    assert "doubtful in 2 points" in many
    assert "Its gain is odd." in section(many)


def test_a_text_that_was_left_out_is_no_warning(usual):
    html = render(of_file(usual, doubts=(Doubt("text_left_out", "1 text(s) of the file are left out."),)))
    assert "doubtful" not in html.split("<section", 1)[0]
    assert "1 text(s)" in section(html)


def test_a_silent_file_has_no_such_section(usual_html):
    assert section(usual_html) is None
    assert "Age and sex" not in usual_html


@pytest.mark.parametrize(("age", "words"), [(90, "90 years or older"), (89, "89 years"), (0, "0 years")])
def test_the_oldest_are_not_told_apart(usual, age, words):
    assert words in render(of_file(usual, stated=Stated(age_years=age)))


def test_what_the_file_says_is_text(usual):
    html = render(of_file(usual, stated=Stated(statements=("<script>alert(1)</script>",))))
    assert "<script>alert(1)" not in html


def test_what_was_noted_stands_on_the_strips_of_its_moment(usual):
    start_s = 0.8 * 41 - 2
    noted = Stated(events=((start_s + 2.5, "palpitations"), (250.0, "dizziness")))
    html = render(of_file(usual, stated=noted))
    strips = re.findall(r'<figure class="strip".*?</figure>', html, re.S)
    marked = [strip for strip in strips if 'class="event"' in strip]
    assert marked
    assert all(">palpitations</text>" in strip and "Noted at" in strip for strip in marked)
    assert not any("dizziness" in strip for strip in strips), "nothing is drawn of that moment"
    assert 'class="event"' not in render(usual)
