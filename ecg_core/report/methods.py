"""Which explanation methods are offered and in which order, how each did in its tests, and how far they agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.report.wording import shown
from ecg_core.result import ChosenBeat
from ecg_core.result.methods import INSENSITIVE, MAPS, STABLE, is_signed
from ecg_core.texts import say_or

BIN_SAMPLES: Final = 5
"""Attributions are drawn and compared in bins of 20 ms: finer detail is noise of the method."""

Verdict = Literal["passed", "untested", "failed", "insensitive"]
_RANK: Final[Mapping[Verdict, int]] = {"passed": 0, "untested": 1, "failed": 2, "insensitive": 3}
MEASURES: Final = (
    "randomisation_correlation",
    "randomisation_correlation_absolute",
    "deletion_gain",
    "stability",
    "beats_per_second",
)
"""What a reader is told of each method; a model's card holds more."""


class MethodTests:
    """How the methods of a model version did: its figures ``explanations.<method>.<measure>``."""

    def __init__(self, figures: Mapping[str, float]) -> None:
        self.by_method: dict[str, dict[str, float]] = {}
        for name in sorted(figures):
            parts = name.split(".")
            if len(parts) == 3 and parts[0] == "explanations":
                self.by_method.setdefault(parts[1], {})[parts[2]] = figures[name]

    def verdict(self, method: str) -> Verdict:
        """Say how a method did; ``insensitive`` is worse than ``failed``: it does not even show this model."""
        row = self.by_method.get(method, {})
        correlation = row.get("randomisation_correlation", math.nan)
        if correlation > INSENSITIVE:
            return "insensitive"
        if "passed" in row:
            return "passed" if row["passed"] >= 0.5 else "failed"
        needed = ("randomisation_correlation", "deletion_gain_low", "stability")
        if not all(math.isfinite(row.get(measure, math.nan)) for measure in needed):
            return "untested"
        return "passed" if row["deletion_gain_low"] > 0 and row["stability"] > STABLE else "failed"

    def none_passed(self) -> bool:
        """Whether methods were tested and none passed: then none is to be relied on."""
        verdicts = [self.verdict(method) for method in self.by_method]
        return any(v != "untested" for v in verdicts) and "passed" not in verdicts

    def in_order(self, methods: Iterable[str]) -> list[str]:
        """Put the method first that the tests put first, the insensitive ones last."""

        def place(method: str) -> tuple[float, ...]:
            row = self.by_method.get(method, {})
            gain = row.get("deletion_gain", math.nan)
            basic = MAPS.index(method) if method in MAPS else len(MAPS)
            return (
                -row.get("offered_first", 0.0),
                _RANK[self.verdict(method)],
                -gain if math.isfinite(gain) else math.inf,
                basic,
            )

        return sorted(sorted(methods), key=place)

    def measures(self) -> list[str]:
        """Name the measures of `MEASURES` that were taken."""
        return [measure for measure in MEASURES if any(measure in row for row in self.by_method.values())]


def method_name(method: str) -> str:
    """Return the name of a method as a reader should see it."""
    return say_or(f"method_{method}", shown(method.replace("_", " "), 20).short)


def agreement(chosen: ChosenBeat) -> dict[tuple[str, str], float]:
    """Compare the maps of a beat: rank correlation (Spearman) of their absolute values in bins of 20 ms, by pair.

    Pairs of which one map is level, and so has no ranks, are left out.
    """
    ranks = {
        method: _ranks(np.abs(bin_sums(values) if is_signed(method) else bin_peaks(values)))
        for method, values in sorted(chosen.attributions.items())
    }
    found: dict[tuple[str, str], float] = {}
    for one, other in combinations(ranks, 2):
        a, b = ranks[one] - ranks[one].mean(), ranks[other] - ranks[other].mean()
        size = math.sqrt(float(a @ a) * float(b @ b))
        if size > 0:
            found[one, other] = float(a @ b) / size
    return found


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rank values from small to large; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)


def bin_sums(values: FloatArray) -> npt.NDArray[np.float64]:
    """Sum a signed map over bins of 20 ms."""
    known = np.nan_to_num(values.astype(np.float64))
    return np.asarray(np.add.reduceat(known, np.arange(0, known.size, BIN_SAMPLES)), dtype=np.float64)


def bin_peaks(values: FloatArray) -> npt.NDArray[np.float64]:
    """Take the largest value of an unsigned map in each bin of 20 ms."""
    known = np.nan_to_num(values.astype(np.float64))
    return np.asarray(np.maximum.reduceat(known, np.arange(0, known.size, BIN_SAMPLES)), dtype=np.float64)
