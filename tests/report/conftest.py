"""Results whose beats and signal are known, so that what the report says of them is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.made_up import drawn
from ecg_core.report import render
from ecg_core.result import Result, RhythmEpisode
from ecg_core.result.findings import with_findings


def episode(kind: str, first: int, last: int, rr_s: float = 0.8, bpm: float | None = 120.0) -> RhythmEpisode:
    return RhythmEpisode(kind, rr_s * (first + 1), rr_s * (last + 1), first, last, bpm)


@pytest.fixture
def build() -> Callable[..., Result]:
    return drawn


@pytest.fixture
def make_episode() -> Callable[..., RhythmEpisode]:
    return episode


@pytest.fixture(scope="session")
def usual() -> Result:
    """Five minutes with a run of three V, a couplet, a pause, one S, one F, and an unreadable stretch."""
    letters = "N" * 40 + "VVV" + "N" * 57 + "VV" + "N" * 20 + "S" + "N" * 30 + "F" + "N" * 200
    result = drawn(
        letters,
        episodes=(
            episode("v_run", 40, 42, bpm=182.0),
            episode("v_couplet", 100, 101),
            RhythmEpisode("pause", 60.0, 62.84, 74, 75, None),
            episode("bigeminy", 40, 42, bpm=None),
        ),
        poor_epochs=(20, 21, 22, 23, 24),
    )
    uncertain = result.beats.probabilities.copy()
    uncertain[41] = (0.3, 0.05, 0.55, 0.05, 0.05)
    in_set = result.beats.in_set.copy()
    in_set[41] = (True, False, True, False, False)
    return with_findings(replace(result, beats=replace(result.beats, probabilities=uncertain, in_set=in_set)))


@pytest.fixture(scope="session")
def usual_html(usual: Result) -> str:
    return render(usual)
