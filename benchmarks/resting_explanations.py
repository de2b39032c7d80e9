"""`ecg benchmark explanations --task resting`: do the reasons of superclasses depend on what was learned, and matter.

On PTB-XL's records of folds 9 and 10, which the shipped version did not learn from; of each record the superclasses
other than NORM that it has or that are called.

- Randomisation (Adebayo et al. 2018): the same games with the leaves of each class's trees dealt out anew, five times.
  By absolute values: the rank correlation of what each player gets from the trained and from the random trees.
- Deletion: players are exchanged for the normal beat's, the one with the highest value first; what is gained is the
  area under the probability's curve, less that of the mean over all 24 orders (of the products, over the sampled
  orders). Interval of 95 % over patients.
- Of infarctions with a stated wall, the share of the absolute attribution that falls on its groups of leads.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.explain.measures import interval_over_patients, rank_correlation
from ecg_core.explain.resting import (
    N_PLAYERS,
    coalition_probabilities,
    joining_beats,
    sampled_orders,
    shapley_weights,
    values_of_orders,
)
from ecg_core.models.resting import RestingModel, measure
from ecg_core.recording import FloatArray, Stated
from ecg_core.result.methods import INSENSITIVE
from ecg_core.result.resting import EXACT_GAMES, GAMES, SUPERCLASSES, Game, Resting
from ecg_core.signal import analyse

N_RANDOM: Final = 5
WALLS: Final = {
    "AMI": ("anterior", "septal"),
    "ASMI": ("anterior", "septal"),
    "ALMI": ("anterior", "lateral"),
    "IMI": ("inferior",),
    "ILMI": ("inferior", "lateral"),
    "IPMI": ("inferior",),
    "IPLMI": ("inferior", "lateral"),
    "LMI": ("lateral",),
}
"""PTB-XL's statements of an infarction, and the groups of leads that look at its wall."""
Array = npt.NDArray[np.float64]


def measure_explanations(base: Path, model: RestingModel) -> dict[str, Any]:
    """Measure all games; `base` is laid out as PhysioNet's file tree."""
    cases = _cases(base, model)
    random = [_with_random_leaves(model, seed) for seed in range(N_RANDOM)]
    rows: dict[Game, dict[str, list[Any]]] = {game: {"own": [], "random": [], "gain": []} for game in GAMES}
    patients, labels, walls = [], [], []
    for record, resting, names in cases:
        own, others = _values(model, resting, names), [_values(one, resting, names) for one in random]
        gains = _gains(model, resting, names, own["products"])
        for column, name in enumerate(names):
            patients.append(record.patient)
            labels.append(name)
            walls.append(_walls(record) if name == "MI" else ())
            for game, of in rows.items():
                of["own"].append(own[game][:, column])
                of["random"].append([other[game][:, column] for other in others])
                of["gain"].append(gains[game][column])
    figures = {game: _figures(of, np.array(patients), np.array(labels)) for game, of in rows.items()}
    shares = [
        float(np.abs(values)[[EXACT_GAMES["leads"].index(wall) for wall in wall_groups]].sum() / np.abs(values).sum())
        for values, wall_groups in zip(rows["leads"]["own"], walls, strict=True)
        if wall_groups and np.abs(values).sum() > 0
    ]
    by_chance = [len(groups) / N_PLAYERS for groups in walls if groups]
    return {
        "records": len(cases),
        "explanations": len(labels),
        "games": figures,
        "mi_share_on_its_wall": {
            "n": len(shares),
            "mean": round(float(np.mean(shares)), 3) if shares else None,
            "by_chance": round(float(np.mean(by_chance)), 3) if by_chance else None,
        },
    }


def _values(model: RestingModel, resting: Resting, names: list[str]) -> dict[Game, Array]:
    """Shapley values by game, each (n_players, n_labels)."""
    values: dict[Game, Array] = {
        game: shapley_weights() @ asked for game, asked in coalition_probabilities(model, resting, names).items()
    }
    orders = sampled_orders()
    asked = _asked(model, resting, joining_beats(resting, model.normal_beat_mv, orders), names)
    return values | {"products": values_of_orders(asked, orders)[0]}


def _asked(model: RestingModel, resting: Resting, beats: FloatArray, names: list[str]) -> Array:
    return model.probabilities(resting, beats, [SUPERCLASSES.index(name) for name in names]).astype(np.float64)


def _gains(model: RestingModel, resting: Resting, names: list[str], products: Array) -> dict[Game, list[float]]:
    """Tell what deletion by falling value gains, by game, for each label."""
    gains: dict[Game, list[float]] = {
        game: [deletion_gain(column, shapley_weights() @ column) for column in asked.T]
        for game, asked in coalition_probabilities(model, resting, names).items()
    }
    # Taken out first is what joins last.
    own = np.argsort(products, axis=0, kind="stable").T
    orders = np.concatenate([sampled_orders(), own])
    curves = _asked(model, resting, joining_beats(resting, model.normal_beat_mv, orders), names)
    areas = _curve_area(curves.reshape(len(orders), -1, len(names)))
    n = len(sampled_orders())
    return gains | {"products": [float(areas[:n, k].mean() - areas[n + k, k]) for k in range(len(names))]}


def _curve_area(curves: Array) -> Array:
    """Area under probabilities (n_orders, n_coalitions, n_labels), mean over the steps."""
    area: Array = (curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2
    return area


def deletion_gain(probability: Array, values: Array) -> float:
    """Area under the curve of taking players out, mean over all orders, less that of the order by falling value."""
    areas = {order: _area(probability, order) for order in permutations(range(N_PLAYERS))}
    best = tuple(np.argsort(-values, kind="stable").tolist())
    return float(np.mean(list(areas.values())) - areas[best])


def _area(probability: Array, order: tuple[int, ...]) -> float:
    left = 2**N_PLAYERS - 1 - np.concatenate([[0], np.cumsum(1 << np.array(order))])
    curve = probability[left]
    return float((curve[1:] + curve[:-1]).mean() / 2)


def _figures(of: dict[str, list[Any]], patients: npt.NDArray[np.str_], labels: npt.NDArray[np.str_]) -> dict[str, Any]:
    own, random, gain = np.array(of["own"]), np.array(of["random"]), np.array(of["gain"])
    absolute = np.mean([rank_correlation(np.abs(own), np.abs(random[:, k])) for k in range(N_RANDOM)], axis=0)
    signed = np.mean([rank_correlation(own, random[:, k]) for k in range(N_RANDOM)], axis=0)
    low, high = interval_over_patients(gain, patients)
    correlation = float(absolute.mean())
    return {
        "randomisation_correlation_absolute": round(correlation, 3),
        "randomisation_correlation": round(float(signed.mean()), 3),
        "deletion_gain": round(float(gain.mean()), 4),
        "deletion_gain_ci": [round(low, 4), round(high, 4)],
        "deletion_gain_by_class": {
            name: round(float(gain[labels == name].mean()), 4) for name in SUPERCLASSES if (labels == name).any()
        },
        "passed": bool(correlation <= INSENSITIVE and low > 0),
    }


def _cases(base: Path, model: RestingModel) -> list[tuple[ptbxl.PtbXlRecord, Resting, list[str]]]:
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    held_back = (ptbxl.CALIBRATION_FOLD, ptbxl.TEST_FOLD)
    records = [record for record in ptbxl.records(folder) if record.fold in held_back]
    cases = []
    for record, recording in zip(records, ptbxl.recordings(folder, records), strict=True):
        age = None if record.age_years is None else int(record.age_years)
        known = replace(recording, stated=Stated(age_years=age, sex=record.sex))
        resting = measure(known, analyse(known))
        if resting.not_measured or resting.is_child:
            continue
        probabilities = model.probabilities(resting, resting.beat_mv[None])
        present, absent = model.trees.answers(probabilities)
        called = present[0] & ~absent[0] & (probabilities[0] >= 0.5)
        names = [
            name for k, name in enumerate(SUPERCLASSES) if name != "NORM" and (called[k] or name in record.superclasses)
        ]
        if names:
            cases.append((record, resting, names))
    return cases


def _walls(record: ptbxl.PtbXlRecord) -> tuple[str, ...]:
    return tuple(sorted({wall for code in record.statements for wall in WALLS.get(code, ())}))


def _with_random_leaves(model: RestingModel, seed: int) -> RestingModel:
    """Deal the answers of each class's leaves out anew: the same questions, nothing learned."""
    trees, rng = model.trees, np.random.default_rng(seed)
    value = trees.node_value.copy()
    bounds = [*trees.root[:, 0].tolist(), value.size]
    for first, end in pairwise(bounds):
        leaves = first + np.flatnonzero(trees.node_feature[first:end] < 0)
        value[leaves] = rng.permutation(value[leaves])
    other = RestingModel(model.folder, model.manifest)
    other.__dict__["trees"] = replace(trees, node_value=value)
    return other
