import math
import re

import numpy as np

from ecg_core.report import paper


def points(d: str) -> list[list[tuple[float, float]]]:
    """Absolute points of path data made of M and l, a list for each piece."""
    pieces = []
    for piece in filter(None, d.split("M")):
        numbers = [float(x) for x in re.findall(r"-?\d*\.?\d+", piece)]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        x, y = pairs[0]
        line = [(x, y)]
        for dx, dy in pairs[1:]:
            x, y = x + dx, y + dy
            line.append((x, y))
        pieces.append(line)
    return pieces


def test_path_keeps_every_point_to_a_hundredth_however_long_it_is():
    rng = np.random.default_rng(3)
    x = np.arange(5000) * 0.1
    y = rng.normal(20, 8, 5000)
    drawn = np.array(points(paper.path(x, y))[0])
    assert np.abs(drawn[:, 0] - x).max() < 0.006
    assert np.abs(drawn[:, 1] - y).max() < 0.006


def test_path_breaks_where_the_signal_is_missing():
    y = np.array([1.0, 2, math.nan, 3, math.nan, math.nan, 4, 5])
    pieces = points(paper.path(np.arange(8.0), y))
    assert [len(piece) for piece in pieces] == [2, 2, 2]  # a lone point is drawn as a dot
    assert pieces[1] == [(3, 3), (3, 3)]


def test_path_of_nothing_is_nothing():
    assert paper.path(np.zeros(0), np.zeros(0)) == ""
    assert paper.path(np.arange(3.0), np.full(3, np.nan)) == ""
    assert paper.outline(np.zeros(0), np.zeros(0), np.zeros(0)) == ""


def test_lengths_are_spelled_short():
    assert [paper.mm(v) for v in (0, 0.5, -0.25, 12, 12.346, -3.1, 100.001)] == [
        "0",
        ".5",
        "-.25",
        "12",
        "12.35",
        "-3.1",
        "100",
    ]


def test_columns_lose_no_peak():
    values = np.array([70.0, 70, 180, 70, 65, 66, 30, 67])
    column = np.array([0, 0, 0, 0, 2, 2, 2, 2])
    occupied, low, middle, high = paper.columns_min_max(column, values)
    assert occupied.tolist() == [0, 2]
    assert (low.tolist(), middle.tolist(), high.tolist()) == ([70, 30], [70, 65.5], [180, 67])


def test_pulse_is_one_millivolt_high_and_stays_on_its_stretch():
    d = paper.pulse(25)
    assert "v-10h5v10" in d
    assert sum(float(h) for h in re.findall(r"h([\d.]+)", d)) == paper.CALIBRATION_MM
