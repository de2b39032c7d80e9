"""What moved the model on a beat, against the patient's own normal beat: exact Shapley values as bars and sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, Shape, Table, Text
from ecg_core.report.wording import number, percent, signed
from ecg_core.result import PLAYERS, WAVE_POINTS, BeatTable, Blend, ChosenBeat, Result
from ecg_core.texts import say, say_count

SMALLEST_PART: Final = 0.05
"""Log-odds; what moved the answer less is not worth a word."""
MOST_PARTS: Final = 4
EARLY: Final = 0.9
LATE: Final = 1.1
"""An interval is called early or late against the median of those around it."""
_AROUND: Final = 10
_WIDTH_MM: Final = 90.0
_ROW_MM: Final = 5.0
_ZERO_MM: Final = 56.0
_HALF_MM: Final = 20.0

V_PLAYERS: Final = ("previous_rr", "qrs", "t_wave", "following_rr")
S_PLAYERS: Final = ("previous_rr", "p_wave")
EXPECTED: Final[Mapping[str, tuple[tuple[str, ...], float, str]]] = {
    "V": (V_PLAYERS, 0.8, "v_share_qrs_t_rr"),
    "S": (S_PLAYERS, 0.5, "s_share_rr_p"),
}
"""By class: what a cardiologist looks at, the least share of the absolute values that it should take, and the figure's
name. Less is no proof of a fault, but a reason to doubt that the model looks at what a reader would."""


def player_name(player: str, chosen: ChosenBeat, beats: BeatTable) -> str:
    """Name a player of a beat by what it is there: an early beat, a pause after it, a P wave that is not there."""
    if player == "p_wave":
        p_peak, qrs_on = (chosen.waves_ms[WAVE_POINTS.index(point)] for point in ("p_peak", "qrs_on"))
        return say("player_p_wave_absent" if np.isnan(p_peak) and np.isfinite(qrs_on) else "player_p_wave")
    if player not in ("previous_rr", "following_rr"):
        return say(f"player_{player}")
    ratio = _ratio(beats, chosen.beat_index, "previous" if player == "previous_rr" else "following")
    which = "early" if ratio < EARLY else "late" if ratio > LATE else "plain"
    return say(f"player_{player}_{which}")


def _ratio(beats: BeatTable, row: int, which: Literal["previous", "following"]) -> float:
    around = beats.rr_prev_ms[max(0, row - _AROUND) : row + _AROUND + 1].astype(np.float64)
    around = around[np.isfinite(around)]
    rr_ms = float((beats.rr_prev_ms if which == "previous" else beats.rr_next_ms)[row])
    return rr_ms / float(np.median(around)) if around.size and math.isfinite(rr_ms) else math.nan


def called_sentence(result: Result, chosen: ChosenBeat, letter: str, probability: str) -> str:
    """Say ``Called V (0.97): QRS shape +3.1, early beat +1.2, T wave +0.4, against this patient's normal beat.``."""
    named = {player: player_name(player, chosen, result.beats) for player in PLAYERS}
    parts = _parts({named[player]: chosen.shapley.get(player, math.nan) for player in PLAYERS})
    against = say("against_own" if chosen.own_reference else "against_population")
    if not parts:
        return say("shapley_nothing", letter=letter, p=probability, against=against)
    return say("shapley_called", letter=letter, p=probability, parts=", ".join(parts), against=against)


def _parts(values: Mapping[str, float]) -> list[str]:
    known = [(name, value) for name, value in values.items() if math.isfinite(value) and abs(value) >= SMALLEST_PART]
    known.sort(key=lambda part: -abs(part[1]))
    return [say("shapley_part", name=name, value=signed(value)) for name, value in known[:MOST_PARTS]]


def class_sentences(result: Result) -> tuple[str, ...]:
    """Say of each abnormal class what moved its calls on average."""
    sentences: list[str] = []
    for letter, values in _by_class(result).items():
        mean = values.mean(axis=0)
        parts = _parts({say(f"player_{player}"): float(v) for player, v in zip(PLAYERS, mean, strict=True)})
        if parts:
            sentences.append(say_count("shapley_class", len(values), letter=letter, parts=", ".join(parts)))
    return tuple(sentences)


def share_table(result: Result) -> Table | None:
    """Mean share of the absolute values that each player takes, for each abnormal class that occurs."""
    rows: list[tuple[str, ...]] = []
    for letter, values in _by_class(result).items():
        size = np.abs(values)
        total = size.sum(axis=1, keepdims=True)
        known = total[:, 0] > 0
        shares = (size[known] / total[known]).mean(axis=0) if known.any() else np.full(len(PLAYERS), np.nan)
        rows.append((letter, number(len(values)), *(percent(float(share), 0) for share in shares)))
    if not rows:
        return None
    columns = (say("column_class"), say("column_count"), *(say(f"player_{player}") for player in PLAYERS))
    return Table(say("shapley_shares"), columns, tuple(rows))


def share_here(result: Result, letter: str) -> tuple[int, float] | None:
    """Give what `EXPECTED` asks of a class in this recording: on how many beats, and the mean share; None without."""
    values = _by_class(result).get(letter)
    if values is None:
        return None
    size = np.abs(values)
    total = size.sum(axis=1)
    wanted = [PLAYERS.index(player) for player in EXPECTED[letter][0]]
    known = total > 0
    if not known.any():
        return None
    return int(known.sum()), float((size[known][:, wanted].sum(axis=1) / total[known]).mean())


def _by_class(result: Result) -> dict[str, np.ndarray]:
    rows, values = result.shapley.beat_index, result.shapley.values.astype(np.float64)
    called = result.beats.class_index[rows]
    known = np.isfinite(values).all(axis=1)
    masks = {letter: known & (called == CLASSES.index(letter)) for letter in CLASSES if letter != "N"}
    return {letter: values[mask] for letter, mask in masks.items() if mask.any()}


def shapley_figure(chosen: ChosenBeat, beats: BeatTable, name: str) -> Drawing | None:
    """Bars of all players in the order of a beat, their sum below; a tick where LIME puts the same player."""
    values = [chosen.shapley.get(player, math.nan) for player in PLAYERS]
    if not any(math.isfinite(value) for value in values):
        return None
    lime = [chosen.lime.get(player, math.nan) for player in PLAYERS]
    largest = max(abs(value) for value in (*values, *lime) if math.isfinite(value)) or 1.0
    height = _ROW_MM * (len(PLAYERS) + 1) + 1.5
    shapes = [Shape(f"M{mm(_ZERO_MM)} 0V{mm(_ROW_MM * len(PLAYERS))}", "zero")]
    words: list[Text] = []
    for i, (player, value, other) in enumerate(zip(PLAYERS, values, lime, strict=True)):
        y = i * _ROW_MM + 0.8
        words.append(Text(mm(_ZERO_MM - _HALF_MM - 2), mm(y + 2.5), player_name(player, chosen, beats), "level"))
        words.append(Text(mm(_WIDTH_MM - 1), mm(y + 2.5), signed(value, 2), "level"))
        if math.isfinite(value):
            bar = f"M{mm(_ZERO_MM)} {mm(y)}h{mm(value / largest * _HALF_MM)}v3.4H{mm(_ZERO_MM)}z"
            shapes.append(Shape(bar, "towards" if value > 0 else "against"))
        if math.isfinite(other):
            shapes.append(Shape(f"M{mm(_ZERO_MM + other / largest * _HALF_MM)} {mm(y - 0.3)}v4", "lime"))
    y = len(PLAYERS) * _ROW_MM
    shapes.append(Shape(f"M{mm(_ZERO_MM - _HALF_MM)} {mm(y + 0.2)}H{mm(_WIDTH_MM - 1)}", "rule"))
    words.append(Text(mm(_ZERO_MM - _HALF_MM - 2), mm(y + 3.8), say("shapley_sum"), "level"))
    words.append(Text(mm(_WIDTH_MM - 1), mm(y + 3.8), signed(_sum(values), 2), "level"))
    return Drawing(mm(_WIDTH_MM), mm(height), name, (), tuple(shapes), tuple(words))


def shapley_text(chosen: ChosenBeat, beats: BeatTable) -> str:
    """Say the bars in words, for who does not see them."""
    named = [(player_name(player, chosen, beats), chosen.shapley.get(player, math.nan)) for player in PLAYERS]
    parts = [say("shapley_part", name=name, value=signed(value, 2)) for name, value in named]
    return "; ".join(
        (*parts, say("shapley_part", name=say("shapley_sum"), value=signed(_sum([v for _, v in named]), 2)))
    )


def _sum(values: Sequence[float]) -> float:
    return math.fsum(value for value in values if math.isfinite(value))


def blend_sentence(blend: Blend | None, letter: str, *, own: bool) -> str:
    """Say how far the beat must be moved toward normal before the answer turns; empty where nobody looked."""
    if blend is None:
        return ""
    towards = say("blend_own" if own else "blend_population")
    if not math.isfinite(blend.share):
        return say("blend_never", letter=letter, towards=towards)
    alone = {player: share for player, share in blend.by_player.items() if math.isfinite(share) and player in PLAYERS}
    first = min(alone, key=lambda player: (alone[player], PLAYERS.index(player)), default=None)
    sentence = say("blend_turns", share=percent(blend.share, 0), towards=towards, other=blend.turns_to)
    if first is None:
        return f"{sentence} {say('blend_none_alone')}"
    return f"{sentence} {say('blend_alone', player=say(f'player_{first}'), share=percent(alone[first], 0))}"
