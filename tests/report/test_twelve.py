"""The page of twelve leads: no row runs over another, whatever the voltages, and the gain that was drawn is told."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ecg_core.report import twelve
from ecg_core.report.twelve import twelve_leads
from ecg_core.result.resting import STANDARD_LEADS


@pytest.fixture
def page_of(build):
    """The page of a heart whose leads all have these spikes, mV, five times in ten seconds."""
    result = build("N" * 12)

    def page(spikes, most_mm=twelve.MOST_MM, first=150):
        signal = np.zeros((2500, 12), np.float32)
        for k, lead in enumerate(STANDARD_LEADS):
            signal[np.arange(first, 2500, 500)[:, None] + np.arange(6), k] = spikes.get(lead, 0.5)
        recording = replace(result.recording, lead_names=STANDARD_LEADS)
        return twelve_leads(replace(result, recording=recording, signal_mv=signal), most_mm)

    return page


def rows_of(view):
    """Each row's line: mm from the top of the paper at every tenth of a millimetre across."""
    traces = [points(shape.d) for shape in view.drawing.shapes if shape.kind == "trace"]
    rows = [np.concatenate(traces[first : first + 4]) for first in (0, 4, 8, 12)]
    across = np.arange(10, 260, 0.1)
    return [np.interp(across, row[:, 0], row[:, 1]) for row in rows]


def points(path):
    start, steps = path.removeprefix("M").split("l")
    moved = np.array(steps.replace("-", " -").split(), float).reshape(-1, 2)
    return np.array(start.split(), float) + np.concatenate(([[0.0, 0.0]], np.cumsum(moved, axis=0)))


@pytest.mark.parametrize("spikes", [{}, {"V2": -2.6, "V3": -2.6}, {"V2": -3.5, "V3": 3.0, "II": 2.0}])
def test_no_row_runs_over_another(page_of, spikes):
    view = page_of(spikes)
    rows = rows_of(view)
    for upper, lower in pairwise(rows):
        assert (lower - upper).min() >= 1
    assert rows[0].min() > 0
    assert rows[-1].max() < float(view.drawing.height)
    assert "10 mm/mV" in view.place


def test_where_the_paper_does_not_suffice_chest_leads_are_halved_and_it_is_said(page_of):
    spikes = {"V1": -2.5, "V2": -4.0, "V3": -4.0}
    assert float(page_of(spikes, 200).drawing.height) > 110
    view = page_of(spikes, 110)
    assert float(view.drawing.height) <= 110
    assert "limb leads 10 mm/mV, V1 to V6 5 mm/mV" in view.place
    assert [word.text for word in view.drawing.words if "½" in word.text] == [f"V{k} ½" for k in (1, 4, 2, 5, 3, 6)]
    assert "limb leads 5 mm/mV, V1 to V6 2.5 mm/mV" in page_of({"V2": -9.0, "V3": -9.0, "II": 4.0}, 110).place


def test_twelve_leads_of_the_highest_waves_still_leave_room_on_the_first_sheet(page_of):
    """Record HR00599 of PTB-XL: 8 mV in V5 and V6, -3.8 mV in V4; its signature stood on a second sheet."""
    view = page_of({"V4": 8.0, "V5": 8.0, "V6": 8.0, "I": 2.7, "III": -3.1, "V2": -3.5}, 110)
    assert float(view.drawing.height) <= 110
    assert "2.5 mm/mV" in view.place


def test_a_name_stands_above_a_wave_that_is_drawn_beside_it(page_of):
    view = page_of({"II": 1.5}, first=20)
    above, own = (row[:60] for row in rows_of(view)[:2])
    name = next(float(word.y) for word in view.drawing.words if word.text == "II")
    assert above.max() < name - 3, "its letters stay clear of the row above"
    assert name < own.min()
