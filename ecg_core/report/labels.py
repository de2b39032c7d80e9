"""What the tasks other than the classification of beats say of the whole recording, as tables."""

from __future__ import annotations

from ecg_core.report.view import Table
from ecg_core.report.wording import number
from ecg_core.result import Result
from ecg_core.texts import say, say_or


def label_tables(result: Result) -> tuple[Table, ...]:
    """Give one table for each task that labelled the recording, the most probable label first."""
    columns = tuple(say(f"labels_{name}") for name in ("label", "probability", "possible"))
    tables = []
    for task in dict.fromkeys(label.task for label in result.labels):
        own = sorted((one for one in result.labels if one.task == task), key=lambda one: (-one.probability, one.label))
        rows = tuple(
            (
                say_or(f"label_{task}_{one.label}", one.label),
                number(one.probability, 2),
                say("labels_yes" if one.in_set else "labels_no"),
            )
            for one in own
        )
        caption = say("labels_caption", task=say_or(f"task_{task}", task), model=own[0].version)
        tables.append(Table(caption, columns, rows))
    return tuple(tables)
