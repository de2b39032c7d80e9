"""Whether a challenger takes the champion's place: no worse on anything that counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ecg_core.models.evaluation import JUDGED, Figures


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or keep, and why in one sentence with the numbers."""

    promote: bool
    reason: str


def gate(champion: Figures, challenger: Figures, macro_f1_margin: float, recall_margin: float) -> Verdict:
    """Compare two versions on the same deciding beats.

    A challenger is promoted when its macro F1, the recall of every class and its deviation AUC are each no lower than
    the champion's by more than a margin (`recall_margin` for the AUC), and when it is not the same on all of them.
    A class with few beats has a margin of one beat at least (1/n): with fewer than 1/margin beats, one single beat
    would decide otherwise. A class without beats in the deciding set is not judged, and the reason says so. Where
    a figure is missing or not a number, nothing is promoted.

    Parameters
    ----------
    champion, challenger : Figures
        From `ecg_core.models.evaluate` on the same beats.
    macro_f1_margin, recall_margin : float
        What may be lost, 0 to 1.

    Returns
    -------
    Verdict
    """
    try:
        rows = _compared(champion, challenger, macro_f1_margin, recall_margin)
        same_beats = champion["n_beats"] == challenger["n_beats"]
    except (KeyError, TypeError) as error:
        return Verdict(False, f"Kept the champion: a figure is missing ({error}).")
    if not same_beats:
        return Verdict(False, "Kept the champion: the two were not measured on the same beats.")
    for name, was, is_now, _ in rows:
        if not (_is_number(was) and _is_number(is_now)):
            return Verdict(False, f"Kept the champion: {name} is missing or not a number (from {was} to {is_now}).")
    absent = [c for c in JUDGED if not champion["classes"][c]["n"]]
    note = f" No beat of {', '.join(absent)} in the deciding set: not judged." if absent else ""
    worse = [row for row in rows if row[2] < row[1] - row[3]]
    if worse:
        return Verdict(False, f"Kept the champion: {_in_words(worse)}.{note}")
    if all(was == is_now for _, was, is_now, _ in rows):
        return Verdict(False, f"Kept the champion: the challenger is the same on every figure.{note}")
    return Verdict(True, f"Promoted: {_in_words(rows)}.{note}")


def _compared(
    champion: Figures, challenger: Figures, macro_f1_margin: float, recall_margin: float
) -> list[tuple[str, Any, Any, float]]:
    """(name, champion's, challenger's, margin) of everything that is judged."""
    rows = [("macro F1", champion["macro_f1"], challenger["macro_f1"], macro_f1_margin)]
    for name in JUDGED:
        was, is_now = champion["classes"][name], challenger["classes"][name]
        if was["n"] or is_now["n"]:
            margin = max(recall_margin, 1 / max(was["n"], 1))
            rows.append((f"recall of {name}", was["sensitivity"], is_now["sensitivity"], margin))
    return [*rows, ("deviation AUC", champion["deviation_auc"], challenger["deviation_auc"], recall_margin)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _in_words(rows: list[tuple[str, Any, Any, float]]) -> str:
    return "; ".join(f"{name} from {was:.4f} to {is_now:.4f} (margin {m:.3f})" for name, was, is_now, m in rows)
