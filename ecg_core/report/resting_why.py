"""The second page of a resting ECG's report: answers, what moved them, what speaks for and against, median beat."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.resting import measured_of
from ecg_core.report.resting_moved import moved_figure
from ecg_core.report.resting_paragraph import paragraph
from ecg_core.report.resting_view import Reason, RestingWhyView
from ecg_core.report.resting_words import resting_sentence, value_text
from ecg_core.report.view import Drawing, Shape, Table, Text
from ecg_core.report.wording import number, signed
from ecg_core.result import ANALYSIS_RATE_HZ, RecordingLabel, Result
from ecg_core.result.resting import EXACT_GAMES, STANDARD_LEADS, ExactGame, Game, Measurement, Resting
from ecg_core.result.resting_findings import NOT_MET, SPEAKS_FOR, TASK, called_superclasses
from ecg_core.texts import TEXTS, say, say_count

_PANEL_MM: Final = 42.0
_ROWS_MM: Final = 62.0
_NAME_MM: Final = 5.5
_PANELS_ACROSS: Final = 6
_GAINS_MM_PER_MV: Final = (paper.MM_PER_MV, paper.MM_PER_MV / 2, paper.MM_PER_MV / 4)
_SHOWN_COLUMNS: Final = slice(40, 300)
_NEXT_TO_NOTHING: Final = 0.005
"""What is below it is printed as 0.00."""
_BOUNDS: Final = ("p_on", "qrs_on", "qrs_off", "t_off")


def resting_why_view(result: Result, text: str) -> RestingWhyView:
    """Say and draw the second page; `text` is what a language model made of the findings, or empty."""
    resting = measured_of(result)
    labels = {label.label: label for label in result.labels if label.task == TASK}
    median_beat, gain = _median_beat(resting)
    return RestingWhyView(
        paragraph=text or paragraph(result),
        generated=say("text_generated") if text else "",
        answers=_answers(labels) if labels else None,
        no_answers="" if labels else say("resting_child" if resting.is_child else "resting_no_model"),
        reasons=tuple(_reason(result, resting, labels[name]) for name in called_superclasses(labels)),
        median_beat=median_beat,
        median_text=say(
            "median_text",
            beats=say_count("median_beats", resting.n_beats),
            left_out=resting.n_left_out,
            gain=f"{gain:g}",
        ),
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
    attributions = [one for one in resting.attributions if one.label == label.label]
    moved = {(one.game, one.player): one.value for one in attributions}
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
        figure=moved_figure(name, attributions) if attributions else None,
        speaks_for=tuple(speaks_for),
        speaks_against=tuple(sentence for sentence in against if sentence),
    )


def _moved_sentence(label: RecordingLabel, moved: dict[tuple[Game, str], float]) -> str:
    """Say which leads and which wave moved it most, and what the probability would be with the normal beat."""
    of_all = label.probability - _without(label, moved)
    if max(map(abs, (of_all, *moved.values()))) < _NEXT_TO_NOTHING:
        return say("reason_nothing", without=number(label.probability, 2))
    if label.label == "NORM":
        least = {game: min(players, key=lambda player: moved[game, player]) for game, players in EXACT_GAMES.items()}
        return _told("reason_normal", least, moved, label)
    best = {game: max(players, key=lambda player: moved[game, player]) for game, players in EXACT_GAMES.items()}
    return _told("reason_moved", best, moved, label)


def _told(text: str, which: dict[ExactGame, str], moved: dict[tuple[Game, str], float], label: RecordingLabel) -> str:
    return say(
        text,
        leads=say(f"territory_{which['leads']}"),
        by_leads=signed(moved["leads", which["leads"]], 2),
        wave=say(f"player_resting_{which['waves']}"),
        by_wave=signed(moved["waves", which["waves"]], 2),
        without=number(max(_without(label, moved), 0.0), 2),
    )


def _without(label: RecordingLabel, moved: dict[tuple[Game, str], float]) -> float:
    """Give the probability with the mean normal beat in the place of this one."""
    return label.probability - sum(moved["leads", player] for player in EXACT_GAMES["leads"])


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


def _median_beat(resting: Resting) -> tuple[Drawing, float]:
    """Draw the median beat of each lead on paper's scale, with the ends of its waves over all leads together.

    Each row has the paper that its waves need. Where both need more than `_ROWS_MM`, the gain is halved; it comes back.
    """
    beats = np.nan_to_num(resting.beat_mv[:, _SHOWN_COLUMNS].astype(np.float64))
    rows = [slice(first, first + _PANELS_ACROSS) for first in range(0, len(STANDARD_LEADS), _PANELS_ACROSS)]
    for gain in _GAINS_MM_PER_MV:
        above = [np.ceil(_NAME_MM + 1 + max(beats[row].max() * gain, 4)) for row in rows]
        heights = [up + np.ceil(1 + max(-beats[row].min() * gain, 5)) for up, row in zip(above, rows, strict=True)]
        if sum(heights) <= _ROWS_MM:
            break
    width, height = _PANEL_MM * _PANELS_ACROSS, float(sum(heights))
    shapes = [
        Shape(paper.grid(width, height, paper.MINOR_MM), "minor"),
        Shape(paper.grid(width, height, paper.MAJOR_MM), "major"),
    ]
    words: list[Text] = []
    for k, lead in enumerate(STANDARD_LEADS):
        row, column = divmod(k, _PANELS_ACROSS)
        left, top = column * _PANEL_MM + 2, float(sum(heights[:row]))
        shapes += _wave_ends(resting, left, top + _NAME_MM, top + float(heights[row]) - 1)
        x = left + np.arange(beats.shape[1]) / ANALYSIS_RATE_HZ * paper.MM_PER_S
        y = top + above[row] - resting.beat_mv[k, _SHOWN_COLUMNS].astype(np.float64) * gain
        shapes.append(Shape(paper.path(x, y), "trace"))
        words.append(Text(mm(left), mm(top + _NAME_MM - 1.5), lead, "lead"))
    return Drawing(mm(width), mm(height), say("median_name"), (), tuple(shapes), tuple(words)), gain


def _wave_ends(resting: Resting, left: float, top: float, bottom: float) -> list[Shape]:
    """Draw a line at each end of a wave that is within the panel."""
    columns = [resting.points.get(name, math.nan) - _SHOWN_COLUMNS.start for name in _BOUNDS]
    places = [left + column / ANALYSIS_RATE_HZ * paper.MM_PER_S for column in columns]
    return [
        Shape(f"M{mm(at)} {mm(top)}V{mm(bottom)}", "wave")
        for at in places
        if math.isfinite(at) and left <= at <= left + _PANEL_MM - 4
    ]
