"""Do the maps of the network over recurrence plots depend on what it learned, and do they matter.

``python -m benchmarks.recurrence_explanations``: learns from PTB-XL's folds 1 to 8 and the Challenge of 2021, explains
the superclasses other than NORM that records of folds 9 and 10 have. Of Grad-CAM (over time) and SHAP (over time and
lead, its absolute values over time):

- randomisation: rank correlation of absolute values with the maps of networks that have learned nothing;
- deletion: tenths of the ten seconds, those with the highest values first, are exchanged for the mean normal picture's;
  what is gained is the area under the probability's curve, less that of random orders. Interval of 95 % over patients;
- of infarctions with a stated wall, the share of the absolute SHAP values on the leads that look at it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.resting_explanations import WALLS
from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.explain.measures import interval_over_patients, rank_correlation
from ecg_core.explain.recurrence import recurrence_gradcam, recurrence_shap
from ecg_core.recording import FloatArray
from ecg_core.resting.recurrence import SIZE, recurrence_plots
from ecg_core.result.methods import INSENSITIVE
from ecg_core.result.resting import STANDARD_LEADS, SUPERCLASSES, TERRITORIES
from ecg_core.settings import load_settings
from ecg_core.training.resting import weights
from ecg_core.training.resting_recurrence import LAST_MAPS, build_recurrence_cnn, shares, train_recurrence_cnn
from ecg_core.training.resting_set import RestingSet, read_resting_set
from ecg_core.training.resting_task import split

if TYPE_CHECKING:
    import keras

_N_RANDOM: Final = 2
_DRAWS: Final = 32
_STEPS: Final = 10
_RANDOM_ORDERS: Final = 5
_SEED: Final = 0
Array = npt.NDArray[np.float64]


def main() -> None:
    """Learn, explain, measure, print."""
    base = Path(load_settings().physionet_base)
    learned, *judged = split(read_resting_set(base))
    plots = recurrence_plots(learned.signals_mv)
    model = train_recurrence_cnn(plots, learned.labels, weights(learned), _SEED)
    normal = shares(plots[learned.labels[:, SUPERCLASSES.index("NORM")]])
    sys.stdout.write(json.dumps(measure(model, normal, judged, _walls(base)), indent=1) + "\n")


def measure(
    model: keras.Model, normal: FloatArray, judged: list[RestingSet], walls: dict[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Measure both maps on recordings that were not learned from; `normal` are pictures of those that were."""
    pictures = shares(np.concatenate([recurrence_plots(part.signals_mv) for part in judged]))
    labels = np.concatenate([part.labels for part in judged])
    patient, record = (np.concatenate([getattr(part, name) for part in judged]) for name in ("patient", "record"))
    row, target = np.nonzero(labels & (np.array(SUPERCLASSES) != "NORM"))
    maps = [_maps(one, normal, pictures[row], target) for one in (model, *_random_networks())]
    figures: dict[str, Any] = {"explanations": int(row.size), "records": int(np.unique(row).size)}
    over_time = {
        "gradcam": [cam.astype(np.float64) for cam, _ in maps],
        "shap": [np.abs(shap).sum(axis=2, dtype=np.float64) for _, shap in maps],
    }
    for name, (own, *others) in over_time.items():
        gain = _deletion_gains(model, normal.mean(axis=0), pictures[row], target, own)
        low, high = interval_over_patients(gain, patient[row])
        correlation = float(np.mean([rank_correlation(own, other).mean() for other in others]))
        figures[name] = {
            "randomisation_correlation_absolute": round(correlation, 3),
            "deletion_gain": round(float(gain.mean()), 4),
            "deletion_gain_ci": [round(low, 4), round(high, 4)],
            "passed": bool(correlation <= INSENSITIVE and low > 0),
        }
    return figures | {"mi_share_on_its_wall": _share(maps[0][1], record[row], target, walls)}


def _random_networks() -> list[keras.Model]:
    import keras

    networks = []
    for seed in range(_N_RANDOM):
        keras.utils.set_random_seed(seed)
        networks.append(build_recurrence_cnn())
    return networks


def _maps(
    model: keras.Model, normal: FloatArray, pictures: FloatArray, target: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Grad-CAM, (n, stretches), and SHAP, (n, stretches, leads), each towards its own class."""
    cam = np.empty((len(pictures), SIZE), np.float32)
    shap = np.empty((len(pictures), SIZE, pictures.shape[-1]), np.float32)
    for c in np.unique(target).tolist():
        of_class = target == c
        cam[of_class] = recurrence_gradcam(model, LAST_MAPS, pictures[of_class], c)
        shap[of_class] = recurrence_shap(model, pictures[of_class], normal, c, _DRAWS, _SEED)
    return cam, shap


def _deletion_gains(
    model: keras.Model, normal: FloatArray, pictures: FloatArray, target: npt.NDArray[np.int64], values: Array
) -> Array:
    """Area of random orders less that of the values' own, shape (n,)."""
    rng = np.random.default_rng(_SEED)
    own = np.argsort(-values, axis=1, kind="stable")
    random = [_areas(model, normal, pictures, target, rng.permuted(own, axis=1)) for _ in range(_RANDOM_ORDERS)]
    gains: Array = np.mean(random, axis=0) - _areas(model, normal, pictures, target, own)
    return gains


def _areas(
    model: keras.Model,
    normal: FloatArray,
    pictures: FloatArray,
    target: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> Array:
    """Area under the probability while stretches are exchanged in this order, a tenth at a time."""
    rank = np.argsort(order, axis=1)
    curve = []
    for step in range(_STEPS + 1):
        out = rank < step * SIZE // _STEPS
        changed = np.where((out[:, :, None] | out[:, None, :])[..., None], normal, pictures)
        answer = np.asarray(model.predict(changed.astype(np.float32), batch_size=64, verbose=0), np.float64)
        curve.append(answer[np.arange(len(target)), target])
    points = np.stack(curve, axis=1)
    area: Array = (points[:, 1:] + points[:, :-1]).mean(axis=1) / 2
    return area


def _walls(base: Path) -> dict[str, tuple[str, ...]]:
    """Which groups of leads look at a record's infarction, by its number."""
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    return {
        str(record.ecg_id): tuple(sorted({wall for code in record.statements for wall in WALLS.get(code, ())}))
        for record in ptbxl.records(folder)
    }


def _share(
    shap: FloatArray, record: npt.NDArray[np.str_], target: npt.NDArray[np.int64], walls: dict[str, tuple[str, ...]]
) -> dict[str, Any]:
    by_lead = np.abs(shap).sum(axis=1)
    found, by_chance = [], []
    for row in np.flatnonzero(target == SUPERCLASSES.index("MI")).tolist():
        leads = {lead for wall in walls[str(record[row])] for lead in TERRITORIES[wall]}
        if leads:
            columns = [STANDARD_LEADS.index(lead) for lead in sorted(leads)]
            found.append(float(by_lead[row, columns].sum() / by_lead[row].sum()))
            by_chance.append(len(leads) / len(STANDARD_LEADS))
    return {"n": len(found), "mean": round(float(np.mean(found)), 3), "by_chance": round(float(np.mean(by_chance)), 3)}


if __name__ == "__main__":
    main()
