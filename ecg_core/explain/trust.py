"""How far each method can be trusted on a model version: measured on beats of patients that no training touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.errors import ExplanationError
from ecg_core.explain import measures
from ecg_core.explain.attribution import Attribution
from ecg_core.explain.coalitions import coalition_log_odds
from ecg_core.explain.players import sample_player
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.registry import METHODS
from ecg_core.explain.variants import randomised, weighted_layers, with_noise
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.result import PLAYERS, WINDOW_SAMPLES
from ecg_core.result.methods import INSENSITIVE, STABLE, is_signed

RECOGNISES: Final = 0.5
"""Mean recall of N, S and V; a model that always names the same class has a third. Exact methods are true to any model,
random weights included: what a model that tells nothing apart went by explains nothing."""
NOISE_DB: Final = (24, 12)
_DRAWS: Final = 3
_RANDOMISED_BEATS: Final = 80
"""So many are enough for a mean rank correlation, which is asked for at every layer."""
LOCAL: Final = {"V": ("qrs",), "S": ("previous_rr", "p_wave", "pq_segment")}
"""Where a reader looks, by class."""
UNKNOWN: Final[dict[str, Any]] = {
    "randomisation_correlation": None,
    "deletion_gain": None,
    "deletion_gain_ci": [None, None],
    "stability": None,
    "beats_per_second": None,
    "passed": False,
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredBeats:
    """Beats to measure on: what the model called them, what they are, and whose; all of shape (n,)."""

    beats: ExplainedBeats
    called: npt.NDArray[np.int64]
    true: npt.NDArray[np.int8]
    patient: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.beats)

    def select(self, rows: npt.NDArray[np.int64]) -> MeasuredBeats:
        """Return the beats of these rows."""
        return MeasuredBeats(self.beats.select(rows), self.called[rows], self.true[rows], self.patient[rows])

    def balanced_recall(self) -> float:
        """Mean over N, S and V, as far as they occur, of how many were called so."""
        classes = [c for c in (CLASSES.index(letter) for letter in "NSV") if (self.true == c).any()]
        return float(np.mean([(self.called[self.true == c] == c).mean() for c in classes]))

    def abnormal(self, per_patient: int) -> MeasuredBeats:
        """Take up to so many beats of each patient and abnormal call, evenly over time."""
        rows = []
        for patient in np.unique(self.patient):
            for called in range(1, len(CLASSES)):
                own = np.flatnonzero((self.patient == patient) & (self.called == called))
                rows.append(own[np.linspace(0, own.size - 1, min(own.size, per_patient)).astype(np.int64)])
        return self.select(np.sort(np.concatenate(rows)))


def join(parts: Sequence[MeasuredBeats]) -> MeasuredBeats:
    """Put the beats of several recordings together."""
    beats = ExplainedBeats(*(np.concatenate([getattr(p.beats, f.name) for p in parts]) for f in fields(ExplainedBeats)))
    arrays = (np.concatenate([getattr(p, name) for p in parts]) for name in ("called", "true", "patient"))
    return MeasuredBeats(beats, *arrays)


def measure_methods(
    model: LoadedModel,
    measured: MeasuredBeats,
    scratch: Path,
    *,
    balanced_recall: float,
    equal_models: Sequence[LoadedModel] = (),
    every_layer: bool = True,
    methods: Sequence[str] = tuple(METHODS),
) -> dict[str, Any]:
    """Put every method to the test.

    Parameters
    ----------
    model : LoadedModel
    measured : MeasuredBeats
        Abnormal calls; see `MeasuredBeats.abnormal`.
    scratch : Path
        An empty folder for versions with random weights.
    balanced_recall : float
        The model's own over all beats; where it is not above `RECOGNISES`, no method passes.
    equal_models : sequence of LoadedModel
        Trained on the same beats with other seeds; without them stability between models is not measured.
    every_layer : bool
        Randomise layer by layer, the whole three times; False: all layers at once, and no noise.
    methods : sequence of str
        Of `METHODS`.

    Returns
    -------
    dict
        ``methods`` by name (figures as in `_figures_of`, or an ``error`` and `UNKNOWN`), ``agreement`` by pair of
        methods and ``offered_first``: the first of `METHODS` that passed everything that was measured, or None.
    """
    if not len(measured):
        unknown = {"error": "The model calls no beat of these patients abnormal.", **UNKNOWN}
        return {"methods": dict.fromkeys(methods, unknown), "agreement": {}, "offered_first": None}
    log_odds = coalition_log_odds(model, measured.beats, measured.called)
    given: dict[str, Attribution] = {}
    figures: dict[str, dict[str, Any]] = {}
    for name in methods:
        try:
            given[name], speed = _timed(model, measured, name)
        except ExplanationError as error:
            figures[name] = {"error": str(error), **UNKNOWN}
            continue
        figures[name] = {**_figures_of(name, given[name], log_odds, measured), "beats_per_second": speed}
    for name, (signed, absolute) in _randomisation(model, measured, scratch, given, every_layer).items():
        figures[name]["randomisation_curve"] = signed
        figures[name]["randomisation_correlation"] = signed[-1]
        figures[name]["randomisation_correlation_absolute"] = absolute[-1]
        figures[name]["stability"] = _stability(name, given[name], equal_models, measured)
        for decibel in NOISE_DB if every_layer else ():
            noisy = METHODS[name](model, with_noise(measured.beats, decibel), measured.called).units()
            same = measures.rank_correlation(given[name].units(), noisy)
            figures[name][f"noise_{decibel}_db"] = float(same.mean())
        figures[name]["passed"] = passed(figures[name], balanced_recall)
        _log.info("explanation measured", method=name, passed=figures[name]["passed"])
    return {
        "methods": figures,
        "agreement": {f"{a} {b}": _between(given[a], given[b]) for a, b in combinations(given, 2)},
        "offered_first": next((name for name in METHODS if figures.get(name, {}).get("passed")), None),
    }


def passed(figures: dict[str, Any], balanced_recall: float) -> bool:
    """Say whether a method passed: sensitive to the weights, better than random deletion, stable where measured."""
    stability = figures["stability"]
    low = figures["deletion_gain_ci"][0]
    return bool(
        balanced_recall > RECOGNISES
        and figures["randomisation_correlation"] <= INSENSITIVE
        and low is not None
        and low > 0
        and (stability is None or stability > STABLE)
    )


def _randomisation(
    model: LoadedModel, measured: MeasuredBeats, scratch: Path, given: dict[str, Attribution], every_layer: bool
) -> dict[str, tuple[list[float], list[float]]]:
    """By method: how far its map, as it is and absolute, is like the trained model's when ever more layers are random.

    The topmost layer comes first. The last figure decides, and what random weights give differs from drawing to
    drawing, so that all layers are drawn three times.
    """
    rows = np.linspace(0, len(measured) - 1, min(len(measured), _RANDOMISED_BEATS)).astype(np.int64)
    some = measured.select(rows)
    n_layers = len(weighted_layers(model))
    curves: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in given}
    for depth in range(1, n_layers + 1) if every_layer else (n_layers,):
        seeds = range(_DRAWS) if depth == n_layers and every_layer else range(1)
        drawn = [randomised(model, depth, scratch / f"random-{depth}-{seed}", seed) for seed in seeds]
        for name, own in given.items():
            trained = own.units()[rows]
            others = [METHODS[name](other, some.beats, some.called).units() for other in drawn]
            signed, absolute = curves[name]
            signed.append(_likeness(trained, others))
            absolute.append(_likeness(np.abs(trained), [np.abs(units) for units in others]))
    return curves


def _likeness(own: npt.NDArray[np.float64], others: list[npt.NDArray[np.float64]]) -> float:
    return float(np.mean([measures.rank_correlation(own, units).mean() for units in others]))


def _timed(model: LoadedModel, measured: MeasuredBeats, name: str) -> tuple[Attribution, float]:
    explain = METHODS[name]
    for c in np.unique(measured.called):  # what a process pays once is not the speed of a beat
        first = np.flatnonzero(measured.called == c)[:1]
        explain(model, measured.beats.select(first), measured.called[first])
    started = time.perf_counter()
    attribution = explain(model, measured.beats, measured.called)
    return attribution, len(measured) / (time.perf_counter() - started)


def _score(name: str, attribution: Attribution) -> npt.NDArray[np.float64]:
    return attribution.players if is_signed(name) else attribution.absolute


def _figures_of(
    name: str, attribution: Attribution, log_odds: npt.NDArray[np.float64], measured: MeasuredBeats
) -> dict[str, Any]:
    """Measure deletion, insertion, faithfulness and localisation of one method; gains are in probability, 0 to 1."""
    probability = 1 / (1 + np.exp(-log_odds))
    score = _score(name, attribution)
    figures: dict[str, Any] = {}
    for kind, gain in measures.gains(probability, score).items():
        key = "deletion_gain_over_reversed" if kind == "reversed" else f"{kind}_gain"
        low, high = measures.interval_over_patients(gain, measured.patient)
        figures[key] = float(gain.mean())
        figures[f"{key}_ci"] = [low, high] if np.isfinite(low) else [None, None]
    figures["faithfulness_correlation"] = float(measures.faithfulness(log_odds, score).mean())
    owner = sample_player(measured.beats)
    for letter, players in LOCAL.items():
        rows = measured.called == CLASSES.index(letter)
        if rows.any():
            inside = np.isin(owner[rows], [PLAYERS.index(player) for player in players])
            share = measures.share_of(attribution.absolute[rows], players)
            figures[f"{letter.lower()}_share"] = share if np.isfinite(share) else None
            figures[f"{letter.lower()}_time_share"] = float(inside.sum() / (rows.sum() * WINDOW_SAMPLES))
    return figures


def _stability(
    name: str, own: Attribution, equal_models: Sequence[LoadedModel], measured: MeasuredBeats
) -> float | None:
    """Mean rank correlation between the maps of each two of this model and its equals."""
    others = [METHODS[name](model, measured.beats, measured.called).units() for model in equal_models]
    pairs = [float(measures.rank_correlation(a, b).mean()) for a, b in combinations([own.units(), *others], 2)]
    return float(np.mean(pairs)) if pairs else None


def _between(one: Attribution, other: Attribution) -> float:
    return float(measures.rank_correlation(one.absolute, other.absolute).mean())
