"""Every family by its own protocol and by patients, side by side: the difference between the two is the point.

By its own protocol a family is trained on four fifths of all beats, drawn at random, and tested on the rest, so that
the same patients are on both sides. By patients it is trained on DS1 of MIT-BIH (without 201, who is 202 of DS2) and
tested on DS2, which is a look that is logged; or, for development, on DS1's deciding patients.

The full protocols take hours on two cores; what is done is kept in the home folder, and a run that was stopped goes on
where it was (after the last whole pass of a published shape; our own take minutes). A quick run takes a few beats and
passes, and each of its figures says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from benchmarks import published
from benchmarks.published import SHAPES, PublishedShape
from benchmarks.qrs import RECORDS
from ecg_core.datasets import physionet
from ecg_core.datasets.splits import DECIDING, TEST, TRAINING
from ecg_core.labels import CLASSES
from ecg_core.models import SHIPPED
from ecg_core.models.calibration import softmax
from ecg_core.models.deviation import fit_yardstick, recordings_of
from ecg_core.pipeline.evaluating import log_look
from ecg_core.pipeline.retrain import trees_of
from ecg_core.settings import Settings
from ecg_core.training import TrainingOptions, prepare_records, train
from ecg_core.training.source_hash import TRAINING_CODE, source_sha256

OURS: Final = {"flagship": "cnn", "autoencoder": "autoencoder"}
"""Our own families, and what their components are called in `ecg_core.training.train`."""
FAMILIES: Final = (*OURS, *SHAPES)
_SHAPES_CODE: Final = ("ecg_core.datasets.annotated", "ecg_core.formats", "benchmarks.published")
QUICK_BEATS: Final = 3000
QUICK_EPOCHS: Final = 3

Protocol = Literal["own_protocol", "by_patients"]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a protocol is run: beats trained and tested on at most, passes at most; None: all of them."""

    beats: int | None = None
    epochs: int | None = None
    tested_on: Literal["ds2", "deciding"] = "ds2"


def measure_families(
    settings: Settings,
    names: Sequence[str],
    extent: Extent,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train and test families by both protocols.

    Parameters
    ----------
    settings : Settings
    names : sequence of str
        Of `FAMILIES`.
    extent : Extent
    tell : callable
        Is given a line before each training, and after each pass of a published shape.

    Returns
    -------
    dict
        By family: ``published`` (what its authors give, or None), ``own_protocol`` and ``by_patients``: ``accuracy``,
        ``classes``, ``lowest_recall`` over the classes that occur, ``f1`` and ``auc`` of abnormal against normal;
        and ``extent``, ``trained_on``, ``tested_on``, ``epochs``.

    Raises
    ------
    DatasetUnavailable
        MIT-BIH cannot be had.
    """
    folder = Path(physionet.fetch("mitdb", settings.physionet_base, settings.datasets_dir).path)
    figures: dict[str, Any] = {}
    for name in names:
        figures[name] = {"published": dict(SHAPES[name].published) if name in SHAPES else None}
        for protocol in ("own_protocol", "by_patients"):
            tell(f"{name}, {protocol.replace('_', ' ')}")
            figures[name][protocol] = _kept_or_measured(settings, folder, name, protocol, extent, tell)
    return figures


def _kept_or_measured(
    settings: Settings, folder: Path, name: str, protocol: str, extent: Extent, tell: Callable[[str], None]
) -> dict[str, Any]:
    code = source_sha256(*(_SHAPES_CODE if name in SHAPES else TRAINING_CODE))[:8]
    key = f"{name}-{protocol}-{extent.tested_on}-{extent.beats or 'all'}-{extent.epochs or 'all'}-{code}"
    path = settings.home / "benchmarks" / f"{key}.json"
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    if name in SHAPES:
        figures = _measure_shape(settings, folder, name, protocol, extent, path.with_suffix(".training"), tell)
    else:
        figures = _measure_ours(settings, folder, name, protocol, extent)
    figures["extent"] = asdict(extent)
    if protocol == "by_patients" and extent.tested_on == "ds2":
        log_look(name, "ecg benchmark families", f"ds2 {'detected' if name in OURS else 'reference'}", figures)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".tmp").write_text(json.dumps(figures))
    path.with_suffix(".tmp").rename(path)
    return figures


def _split_records(extent: Extent) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (TRAINING, DECIDING) if extent.tested_on == "deciding" else ((*TRAINING, *DECIDING), TEST)


def _measure_shape(
    settings: Settings,
    folder: Path,
    name: str,
    protocol: str,
    extent: Extent,
    checkpoint: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    shape: PublishedShape = SHAPES[name]
    if protocol == "own_protocol":
        windows = published.cut_windows(folder, RECORDS, shape)
        ours, theirs = _halves(windows.class_index, settings.seed)
        training, test = windows.select(ours), windows.select(theirs)
    else:
        training, test = (published.cut_windows(folder, records, shape) for records in _split_records(extent))
    training, test = (w.select(_few(w.class_index, extent.beats, settings.seed)) for w in (training, test))
    model, epochs = published.train_shape(shape, training, settings.seed, checkpoint, extent.epochs, tell)
    figures = _figures(published.answer(shape, model, test), test.class_index, shape.classes)
    return {**figures, "trained_on": len(training), "tested_on": len(test), "epochs": epochs}


def _measure_ours(settings: Settings, folder: Path, name: str, protocol: str, extent: Extent) -> dict[str, Any]:
    cache, trees = settings.models_dir / ".prepared", trees_of(settings, SHIPPED["rhythm"])
    trained_on, tested_on = _split_records(extent)
    if protocol == "own_protocol":
        beats = prepare_records(folder, (*TRAINING, *DECIDING), "detected", cache, trees)
        ours, theirs = _halves(beats.class_index, settings.seed)
        training, test = beats.select(ours), beats.select(theirs)
    else:
        training = prepare_records(folder, trained_on, "training", cache, trees)
        test = prepare_records(folder, tested_on, "detected", cache, trees)
    training, test = (b.select(_few(b.class_index, extent.beats, settings.seed)) for b in (training, test))
    recipe = train.RECIPES[OURS[name]]
    epochs = min(extent.epochs or settings.retrain_epochs, settings.retrain_epochs)
    options = TrainingOptions(settings.imbalance, settings.retrain_epochs, settings.seed, settings.learning_rate)
    model = train.fit(recipe, training, options, epochs)
    said = recipe.answer(model, test)
    sizes = {"trained_on": len(training), "tested_on": len(test), "epochs": epochs}
    if name == "autoencoder":
        is_normal = training.class_index == 0
        left = recipe.answer(model, training)
        yardstick = fit_yardstick(left, training.context, recordings_of(training.waveform), is_normal)
        return {"auc": _auc(yardstick.deviation(said, test.context), test.class_index != 0), **sizes}
    return {**_figures(softmax(said, 1.0), test.class_index, CLASSES), **sizes}


def _halves(class_index: npt.NDArray[np.int8], seed: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Draw four fifths of each class to train on, and the rest to test on."""
    draw = np.random.default_rng(seed)
    training = np.zeros(class_index.size, dtype=np.bool_)
    for c in np.unique(class_index):
        rows = draw.permutation(np.flatnonzero(class_index == c))
        training[rows[: round(0.8 * rows.size)]] = True
    return training, ~training


def _few(class_index: npt.NDArray[np.int8], beats: int | None, seed: int) -> npt.NDArray[np.int64]:
    """Choose so many beats at random, at least 50 of each class where there are; all where none is said."""
    everything = np.arange(class_index.size)
    if beats is None or class_index.size <= beats:
        return everything
    draw = np.random.default_rng(seed)
    chosen = [draw.permutation(everything)[:beats]]
    chosen += [draw.permutation(np.flatnonzero(class_index == c))[:50] for c in np.unique(class_index)]
    return np.unique(np.concatenate(chosen))


def _figures(probabilities: FloatArray, class_index: npt.NDArray[np.int8], classes: Sequence[str]) -> dict[str, Any]:
    said = probabilities.argmax(axis=1)
    by_class: dict[str, dict[str, Any]] = {}
    for c, name in enumerate(classes):
        hits, true, called = ((said == c) & (class_index == c)).sum(), (class_index == c).sum(), (said == c).sum()
        by_class[name] = {
            "n": int(true),
            "sensitivity": float(hits / true) if true else None,
            "precision": float(hits / called) if called else None,
            "f1": float(2 * hits / (true + called)) if true + called else None,
        }
    recalls = [of_class["sensitivity"] for of_class in by_class.values() if of_class["n"]]
    abnormal, called = class_index != 0, said != 0
    return {
        "accuracy": float((said == class_index).mean()),
        "f1": float(2 * (abnormal & called).sum() / max(int(abnormal.sum() + called.sum()), 1)),
        "auc": _auc(1 - probabilities[:, 0], abnormal),
        "lowest_recall": min(recalls),
        "classes": by_class,
    }


def _auc(score: FloatArray, abnormal: npt.NDArray[np.bool_]) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(abnormal, score)) if 0 < abnormal.sum() < abnormal.size else None
