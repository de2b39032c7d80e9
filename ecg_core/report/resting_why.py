"""The second page of a resting ECG's report: answers, what moved them, what speaks for and against, median beat."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.resting import measured_of
from ecg_core.report.resting_paragraph import paragraph
from ecg_core.report.resting_view import Reason, RestingWhyView
from ecg_core.report.resting_words import resting_sentence, value_text
from ecg_core.report.view import Drawing, Shape, Table, Text
from ecg_core.report.wording import number, signed
from ecg_core.result import ANALYSIS_RATE_HZ, RecordingLabel, Result
from ecg_core.result.resting import GAMES, STANDARD_LEADS, Game, Measurement, Resting
from ecg_core.result.resting_findings import NOT_MET, SPEAKS_FOR, TASK, called_superclasses
from ecg_core.texts import TEXTS, say

_WIDTH_MM: Final = 86.0
_LEFT_MM: Final = 37.0
_BARS_MM: Final = 36.0
_ROW_MM: Final = 4.6
_PANEL_MM: Final = (42.0, 30.0)
_PANELS_ACROSS: Final = 6
_SHOWN_COLUMNS: Final = slice(40, 300)
_BOUNDS: Final = ("p_on", "qrs_on", "qrs_off", "t_off")


def resting_why_view(result: Result, text: str) -> RestingWhyView:
    """Say and draw the second page; `text` is what a language model made of the findings, or empty."""
    resting = measured_of(result)
    labels = {label.label: label for label in result.labels if label.task == TASK}
    return RestingWhyView(
        paragraph=text or paragraph(result),
        generated=say("text_generated") if text else "",
        answers=_answers(labels) if labels else None,
        no_answers="" if labels else say("resting_child" if resting.is_child else "resting_no_model"),
        reasons=tuple(_reason(result, resting, labels[name]) for name in called_superclasses(labels)),
        median_beat=_median_beat(resting),
        median_text=say("median_text", n=resting.n_beats, left_out=resting.n_left_out),
    )


def _answers(labels: dict[str, RecordingLabel]) -> Table:
    """Give each superclass with its probability and what is said of it."""
    called = called_superclasses(labels)
    rows = []
    for name, label in sorted(labels.items(), key=lambda item: -item[1].probability):
        answer = "called" if name in called else "possible" if label.in_set else "ruled_out"
        rows.append((say(f"superclass_{name}"), number(label.probability, 2), say(f"answer_{answer}")))
    return Table(
        say("answers_caption"), tuple(say(f"answers_{k}") for k in ("label", "probability", "answer")), tuple(rows)
    )


def _reason(result: Result, resting: Resting, label: RecordingLabel) -> Reason:
    moved = {(one.game, one.player): one.value for one in resting.attributions if one.label == label.label}
    name = say(f"superclass_{label.label}")
    met = {finding.kind: finding for finding in result.findings}
    speaks_for = [resting_sentence(result, met[kind])[0] for kind in SPEAKS_FOR[label.label] if kind in met]
    against = [
        _not_met(resting, kind) for kind in SPEAKS_FOR[label.label] if kind not in met and f"against_{kind}" in TEXTS
    ]
    if label.label == "NORM":
        criteria = {kind for kinds in SPEAKS_FOR.values() for kind in kinds}
        against = [resting_sentence(result, met[kind])[0] for kind in met if kind in criteria]
        speaks_for = [] if against else [say("speaks_normal")]
    return Reason(
        anchor=f"reason-{label.label.lower()}",
        title=say("reason_title", name=name, probability=number(label.probability, 2)),
        sentence=_moved_sentence(label, moved) if moved else say("reason_none"),
        figure=_bars(name, moved) if moved else None,
        speaks_for=tuple(speaks_for),
        speaks_against=tuple(sentence for sentence in against if sentence),
    )


def _moved_sentence(label: RecordingLabel, moved: dict[tuple[Game, str], float]) -> str:
    """Say which leads and which wave moved it most, and what the probability would be with the normal beat."""
    if label.label == "NORM":
        least = {game: min(players, key=lambda player: moved[game, player]) for game, players in GAMES.items()}
        return _told("reason_normal", least, moved, label)
    best = {game: max(players, key=lambda player: moved[game, player]) for game, players in GAMES.items()}
    return _told("reason_moved", best, moved, label)


def _told(text: str, which: dict[Game, str], moved: dict[tuple[Game, str], float], label: RecordingLabel) -> str:
    without = label.probability - sum(moved["leads", player] for player in GAMES["leads"])
    return say(
        text,
        leads=say(f"territory_{which['leads']}"),
        by_leads=signed(moved["leads", which["leads"]], 2),
        wave=say(f"player_resting_{which['waves']}"),
        by_wave=signed(moved["waves", which["waves"]], 2),
        without=number(max(without, 0.0), 2),
    )


def _bars(name: str, moved: dict[tuple[Game, str], float]) -> Drawing:
    """Draw both games, one bar a player, to one scale."""
    low, high = min(0.0, *moved.values()), max(0.0, *moved.values())
    mm_per_unit = _BARS_MM / max(high - low, 0.05)
    zero = _LEFT_MM - low * mm_per_unit
    shapes: list[Shape] = []
    words: list[Text] = []
    y = 1.0
    for game, players in GAMES.items():
        words.append(Text(mm(1), mm(y + 3.2), say(f"game_{game}"), "label"))
        y += _ROW_MM
        for player in players:
            value = moved[game, player]
            width = abs(value) * mm_per_unit
            left = zero if value >= 0 else zero - width
            key = f"player_resting_{player}" if game == "waves" else f"player_{player}"
            shapes.append(
                Shape(
                    f"M{mm(left)} {mm(y + 0.6)}h{mm(width)}v{mm(_ROW_MM - 1.2)}h-{mm(width)}z",
                    "towards" if value >= 0 else "against",
                )
            )
            words.append(Text(mm(4), mm(y + 3.3), say(key), "label"))
            words.append(Text(mm(max(left + width, zero) + 1.5), mm(y + 3.3), signed(value, 2), "label"))
            y += _ROW_MM
        y += 1.0
    shapes.append(Shape(f"M{mm(zero)} 1V{mm(y)}", "zero"))
    return Drawing(mm(_WIDTH_MM), mm(y + 1), say("reason_figure", name=name), (), tuple(shapes), tuple(words))


def _not_met(resting: Resting, kind: str) -> str:
    """Say that a criterion is not met, with the value where one value decides; empty where it could not be told."""
    if kind not in NOT_MET:
        return say(f"against_{kind}")
    name, limit = NOT_MET[kind]
    value = resting.value(name)
    # A wide complex that is a bundle branch block, or a long QTc that is not judged beside one, speaks not against it.
    if not value <= limit:
        return ""
    unit = next(row.unit for row in resting.measurements if row.name == name)
    return say(
        f"against_{kind}",
        value=value_text(Measurement(None, name, value, unit)),
        limit=value_text(Measurement(None, name, limit, unit)),
    )


def _median_beat(resting: Resting) -> Drawing:
    """Draw the median beat of each lead on paper's scale, with the ends of its waves over all leads together."""
    across, down = _PANEL_MM
    rows = -(-len(STANDARD_LEADS) // _PANELS_ACROSS)
    width, height = across * _PANELS_ACROSS, down * rows
    shapes = [
        Shape(paper.grid(width, height, paper.MINOR_MM), "minor"),
        Shape(paper.grid(width, height, paper.MAJOR_MM), "major"),
    ]
    words: list[Text] = []
    first = _SHOWN_COLUMNS.start
    for k, lead in enumerate(STANDARD_LEADS):
        left, top = k % _PANELS_ACROSS * across + 2, k // _PANELS_ACROSS * down
        baseline = top + 0.6 * down
        beat = resting.beat_mv[k, _SHOWN_COLUMNS].astype(np.float64)
        x = left + np.arange(beat.size) / ANALYSIS_RATE_HZ * paper.MM_PER_S
        for name in _BOUNDS:
            column = resting.points.get(name, math.nan)
            at = left + (column - first) / ANALYSIS_RATE_HZ * paper.MM_PER_S
            if math.isfinite(at) and left <= at <= left + across - 4:
                shapes.append(Shape(f"M{mm(at)} {mm(top + 7)}V{mm(top + down - 2)}", "wave"))
        y = np.clip(baseline - beat * paper.MM_PER_MV, top + 1, top + down - 1)
        shapes.append(Shape(paper.path(x, y), "trace"))
        words.append(Text(mm(left), mm(top + 4.6), lead, "lead"))
    return Drawing(mm(width), mm(height), say("median_name"), (), tuple(shapes), tuple(words))
