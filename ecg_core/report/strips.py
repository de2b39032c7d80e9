"""Strips of ECG paper, true to scale: signal, calibration, class marks and intervals as coordinates and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.view import Box, Drawing, Shape, StripView, Text
from ecg_core.report.wording import Clock, duration, number, shown
from ecg_core.result import ANALYSIS_RATE_HZ, SIGNAL_STEP_MV, Result
from ecg_core.texts import say, say_count

LEAD_CHARACTERS: Final = 16
"""A lead's label on the paper is cut after so many characters."""
STRIP_LEADS: Final = 2
OPENING_LEADS: Final = 4
OPENING_ROWS: Final = 2
EVENT_CHARACTERS: Final = 24
SMALL_S: Final = 3.2
"""Seconds of a small strip: two stand side by side on a page."""
TRACE_STEP_MM: Final = SIGNAL_STEP_MV * paper.MM_PER_MV
"""On the paper the signal moves by whole steps of so much; a sample lies two of them after the one before."""
_SMALL_UP_MM: Final = 15.0
_SMALL_DOWN_MM: Final = 8.0
_LETTER_MM: Final = 4.2
_SHAPE_MM: Final = 7.2
_EVENT_LINE_MM: Final = 3.2
_INTERVAL_ROOM_MM: Final = 9.0
"""An interval is printed only where its beats lie so far apart."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A lead on the paper: its zero line, and the paper it has above and below."""

    lead: int
    baseline_mm: float
    top_mm: float
    bottom_mm: float


def strip_start(start_s: float, end_s: float, duration_s: float) -> float:
    """Where a strip begins that shows ``start_s … end_s``: centred, or 1.5 s before what does not fit."""
    room = paper.STRIP_S - (end_s - start_s)
    wanted = start_s - (room / 2 if room >= 2 else 1.5)
    latest = max(0.0, duration_s - paper.STRIP_S)
    return float(round(min(max(0.0, wanted), latest) * ANALYSIS_RATE_HZ) / ANALYSIS_RATE_HZ)


def leads_in_order(result: Result) -> list[int]:
    """Columns of the signal, the primary lead first."""
    primary = result.quality.primary_lead
    return [primary, *(lead for lead in range(result.signal_mv.shape[1]) if lead != primary)]


def opening(result: Result) -> tuple[StripView, ...]:
    """Draw the first seconds of up to four leads, in rows of one strip's length."""
    leads = leads_in_order(result)
    left_out = tuple(_lead_name(result, lead) for lead in leads[OPENING_LEADS:])
    notes = (say_count("opening_more", len(left_out), leads=", ".join(left_out)),) if left_out else ()
    duration_s = result.signal_mv.shape[0] / ANALYSIS_RATE_HZ
    starts = [row * paper.STRIP_S for row in range(OPENING_ROWS) if row * paper.STRIP_S < duration_s]
    return tuple(
        make_strip(
            result,
            start_s,
            anchor=f"opening-{row + 1}",
            title=say("opening_title", time=Clock.offset(start_s)),
            leads=leads[:OPENING_LEADS],
            notes=notes if row == len(starts) - 1 else (),
        )
        for row, start_s in enumerate(starts)
    )


def make_strip(
    result: Result, start_s: float, anchor: str, title: str, leads: list[int], notes: tuple[str, ...] = ()
) -> StripView:
    """Draw one row of paper.

    Parameters
    ----------
    result : Result
    start_s : float
        Start of the row; it is `paper.STRIP_S` long, or ends with the recording.
    anchor : str
        Its ``id`` in the page.
    title : str
    leads : list of int
        Columns of the signal, from top to bottom.
    notes : tuple of str
        Sentences to print below it, before those that the strip adds itself.
    """
    first = round(start_s * ANALYSIS_RATE_HZ)
    segment = result.signal_mv[first : first + round(paper.STRIP_S * ANALYSIS_RATE_HZ), leads]
    end_s = start_s + segment.shape[0] / ANALYSIS_RATE_HZ
    channels, height_mm = _channels(segment, leads)
    rows = np.flatnonzero((result.beats.r_time_s >= start_s) & (result.beats.r_time_s < end_s))
    poor = _poor_boxes(result, start_s, end_s, height_mm)
    names = [_lead_name(result, lead) for lead in leads]
    events = _events(result, start_s, end_s)
    clock = Clock(result.recording.start_time)
    shapes: list[Shape] = [
        Shape("", "minor"),
        Shape("", "major"),
        *_mark_shapes(result, rows, start_s, height_mm),
        *_event_shapes(events, start_s, height_mm),
        *(Shape(paper.pulse(channel.baseline_mm), "pulse") for channel in channels),
        *(_trace(segment[:, i], channel) for i, channel in enumerate(channels)),
    ]
    words = [
        *_mark_words(result, rows, start_s),
        *_labels(channels, names),
        *_poor_words(poor, height_mm),
        *_event_words(events, start_s),
        *_second_marks(start_s, end_s, height_mm),
    ]
    drawing = Drawing(
        width=mm(paper.WIDTH_MM),
        height=mm(height_mm),
        name=say(
            "strip_name", title=title, length=duration(end_s - start_s), time=clock.at(start_s), leads=", ".join(names)
        ),
        boxes=tuple(poor),
        shapes=tuple(shapes),
        words=tuple(words),
    )
    return StripView(
        anchor=anchor,
        start_s=f"{start_s:g}",
        title=title,
        place=say("strip_place", time=clock.at(start_s), leads=", ".join(names)),
        drawing=drawing,
        description=" ".join(
            [_description(result, rows), *(say("strip_event", text=text, time=clock.at(at_s)) for at_s, text in events)]
        ),
        notes=(*notes, *_notes(segment, channels, names), *((say("strip_poor"),) if poor else ())),
    )


def small_strip(result: Result, at_s: float, name: str) -> Drawing:
    """Draw `SMALL_S` of the primary lead around a moment, true to scale."""
    duration_s = result.signal_mv.shape[0] / ANALYSIS_RATE_HZ
    start_s = min(max(0.0, at_s - SMALL_S / 2), max(0.0, duration_s - SMALL_S))
    first = round(start_s * ANALYSIS_RATE_HZ)
    lead = result.quality.primary_lead
    column = result.signal_mv[first : first + round(SMALL_S * ANALYSIS_RATE_HZ), lead]
    zero_mm = paper.MARKS_MM + _SMALL_UP_MM
    channel = Channel(lead, zero_mm, paper.MARKS_MM, zero_mm + _SMALL_DOWN_MM)
    width_mm = paper.CALIBRATION_MM + SMALL_S * paper.MM_PER_S + 1.5
    times = result.beats.r_time_s
    rows = np.flatnonzero((times >= start_s) & (times < start_s + column.size / ANALYSIS_RATE_HZ))
    shapes = (
        Shape("", "minor"),
        Shape("", "major"),
        *_mark_shapes(result, rows, start_s, channel.bottom_mm),
        Shape(paper.pulse(channel.baseline_mm), "pulse"),
        _trace(column, channel),
    )
    words = (*_mark_words(result, rows, start_s), *_labels([channel], [_lead_name(result, lead)]))
    return Drawing(mm(width_mm), mm(channel.bottom_mm), name, (), shapes, tuple(words))


def _channels(segment: npt.NDArray[np.float32], leads: list[int]) -> tuple[list[Channel], float]:
    """Give each lead paper for its own swing, zero lines and edges on the 5 mm grid."""
    channels: list[Channel] = []
    top = paper.MARKS_MM
    for i, lead in enumerate(leads):
        column = segment[:, i]
        known = column[np.isfinite(column)]
        high, low = (float(known.max()), float(known.min())) if known.size else (0.0, 0.0)
        up = _paper_for(high * paper.MM_PER_MV, *paper.UP_MM)
        down = _paper_for(-low * paper.MM_PER_MV, *paper.DOWN_MM)
        channels.append(Channel(lead, top + up, top, top + up + down))
        top += up + down
    return channels, top + paper.MAJOR_MM


def _paper_for(swing_mm: float, least_mm: float, most_mm: float) -> float:
    whole = np.ceil((swing_mm + 1.0) / paper.MAJOR_MM) * paper.MAJOR_MM
    return float(min(max(whole, least_mm), most_mm))


def _trace(column: npt.NDArray[np.float32], channel: Channel) -> Shape:
    x = paper.CALIBRATION_MM + np.arange(column.size) * (paper.MM_PER_S / ANALYSIS_RATE_HZ)
    y = np.clip(channel.baseline_mm - column.astype(np.float64) * paper.MM_PER_MV, channel.top_mm, channel.bottom_mm)
    # Whole steps lose nothing, and are spelled in fewer digits.
    return Shape(paper.path(x / TRACE_STEP_MM, y / TRACE_STEP_MM), "trace", scale=mm(TRACE_STEP_MM))


def _x(time_s: float, start_s: float) -> float:
    return paper.CALIBRATION_MM + (time_s - start_s) * paper.MM_PER_S


def _mark_shapes(result: Result, rows: npt.NDArray[np.int64], start_s: float, height_mm: float) -> list[Shape]:
    """Every class's shapes as one path, and a faint line down to each abnormal beat."""
    table = result.beats
    shapes: list[Shape] = []
    for index, letter in enumerate(CLASSES):
        of_class = rows[table.analysable[rows] & (table.class_index[rows] == index)]
        places = [mm(_x(float(table.r_time_s[row]), start_s)) for row in of_class]
        if not places:
            continue
        if letter != "N":
            depth = mm(height_mm - paper.MARKS_MM)
            shapes.append(Shape("".join(f"M{x} {mm(paper.MARKS_MM)}v{depth}" for x in places), f"guide c{letter}"))
        marks = "".join(f"M{x} {mm(_SHAPE_MM)}{paper.MARK_SHAPES[letter]}" for x in places)
        shapes.append(Shape(marks, f"mark c{letter}"))
    return shapes


def _mark_words(result: Result, rows: npt.NDArray[np.int64], start_s: float) -> list[Text]:
    table = result.beats
    doubtful = result.beats.inconclusive
    words: list[Text] = []
    for row in rows.tolist():
        x = _x(float(table.r_time_s[row]), start_s)
        letter = CLASSES[int(table.class_index[row])]
        if table.analysable[row]:
            text = f"{letter}?" if doubtful[row] else letter
            words.append(Text(mm(x), mm(_LETTER_MM), text, f"letter t{letter}"))
        else:
            words.append(Text(mm(x), mm(_LETTER_MM), "×", "letter unread"))
        rr_ms = float(table.rr_prev_ms[row])
        width = rr_ms / 1000 * paper.MM_PER_S
        if np.isfinite(rr_ms) and width >= _INTERVAL_ROOM_MM and x - width / 2 > paper.CALIBRATION_MM:
            words.append(Text(mm(x - width / 2), mm(_LETTER_MM), number(rr_ms), "interval"))
    return words


def _labels(channels: list[Channel], names: list[str]) -> list[Text]:
    return [
        Text("1.2", mm(channel.baseline_mm + 4.6), name, "lead") for channel, name in zip(channels, names, strict=True)
    ]


def _second_marks(start_s: float, end_s: float, height_mm: float) -> list[Text]:
    """Print the time of every whole second that has room for its label, at the lower edge."""
    seconds = range(int(np.ceil(start_s)), int(np.floor(end_s)) + 1)
    inside = [s for s in seconds if start_s + 0.2 <= s <= end_s - 0.35]
    return [Text(mm(_x(s, start_s)), mm(height_mm - 1.2), Clock.offset(s), "second") for s in inside]


def _poor_boxes(result: Result, start_s: float, end_s: float, height_mm: float) -> list[Box]:
    """Stretches in which no lead can be analysed, neighbouring epochs joined."""
    quality = result.quality
    bad = np.flatnonzero(~quality.readable)
    boxes: list[Box] = []
    # Neighbouring epochs make one stretch.
    for run in np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1) if bad.size else []:
        left = max(start_s, float(run[0]) * quality.epoch_s)
        right = min(end_s, float(run[-1] + 1) * quality.epoch_s)
        if right > left:
            width = mm((right - left) * paper.MM_PER_S)
            boxes.append(Box(mm(_x(left, start_s)), mm(paper.MARKS_MM), width, mm(height_mm - paper.MARKS_MM), "poor"))
    return boxes


def _poor_words(boxes: list[Box], height_mm: float) -> list[Text]:
    y = mm(height_mm - paper.MAJOR_MM - 1)
    return [Text(mm(float(box.x) + 1), y, say("strip_poor_word"), "poor-word") for box in boxes]


def _events(result: Result, start_s: float, end_s: float) -> list[tuple[float, str]]:
    """Return what person or device noted within the strip, cut to what fits on it."""
    noted = result.recording.stated.events
    return [(at_s, shown(text, EVENT_CHARACTERS).short) for at_s, text in noted if start_s <= at_s < end_s]


def _event_shapes(events: list[tuple[float, str]], start_s: float, height_mm: float) -> list[Shape]:
    depth = mm(height_mm - paper.MARKS_MM)
    lines = "".join(f"M{mm(_x(at_s, start_s))} {mm(paper.MARKS_MM)}v{depth}" for at_s, _ in events)
    return [Shape(lines, "event")] if lines else []


def _event_words(events: list[tuple[float, str]], start_s: float) -> list[Text]:
    """Name each beside its line, those that follow one another on lines of their own."""
    y = paper.MARKS_MM + 3.0
    return [
        Text(mm(_x(at_s, start_s) + 0.8), mm(y + _EVENT_LINE_MM * (i % 3)), text, "event-word")
        for i, (at_s, text) in enumerate(events)
    ]


def _description(result: Result, rows: npt.NDArray[np.int64]) -> str:
    """Say in words what the marks show."""
    if rows.size == 0:
        return say("strip_no_beats")
    table = result.beats
    doubtful = result.beats.inconclusive
    letters = [
        "×" if not table.analysable[row] else CLASSES[int(table.class_index[row])] + ("?" if doubtful[row] else "")
        for row in rows.tolist()
    ]
    sentences = [say("strip_beats", letters=" ".join(letters))]
    rr = table.rr_prev_ms[rows[1:]]
    rr = rr[np.isfinite(rr)]
    if rr.size:
        sentences.append(say("strip_rr", shortest=number(float(rr.min())), longest=number(float(rr.max()))))
    return " ".join(sentences)


def _notes(segment: npt.NDArray[np.float32], channels: list[Channel], names: list[str]) -> list[str]:
    notes: list[str] = []
    for i, (channel, name) in enumerate(zip(channels, names, strict=True)):
        column = segment[:, i]
        y = channel.baseline_mm - column[np.isfinite(column)] * paper.MM_PER_MV
        if y.size and (y.min() < channel.top_mm or y.max() > channel.bottom_mm):
            notes.append(say("strip_cut", lead=name))
        if y.size < column.size:
            notes.append(say("strip_missing", lead=name))
    return notes


def _lead_name(result: Result, lead: int) -> str:
    return shown(result.recording.lead_names[lead], LEAD_CHARACTERS).short
