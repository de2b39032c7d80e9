"""Train one family on the training patients, and leave its component in a folder.

The training patients are few and no two are alike, so holding some of them out for good would both take away what
only they show (one patient has nearly all fusion beats, another all fibrillation) and judge by accident. Instead each
patient is held out once: as many models as `FOLDS` are trained without a part of the patients and say what they make
of it. That decides how many passes are best and, in `assemble`, the calibration; then one model is trained on all.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import structlog

import ecg_core
from ecg_core.datasets.patients import check_no_leak
from ecg_core.datasets.splits import NEVER_LEARNED
from ecg_core.errors import DatasetError
from ecg_core.labels import CLASSES
from ecg_core.models import layers
from ecg_core.models.calibration import fit_biases
from ecg_core.models.deviation import fit_yardstick, recordings_of
from ecg_core.models.onnx_files import export_onnx
from ecg_core.recording import FloatArray
from ecg_core.training import architectures
from ecg_core.training.balance import Imbalance, class_weights, resample
from ecg_core.training.beats import TrainingBeats, deal_patients, join_beats
from ecg_core.training.figures import JUDGED, area_under_roc, class_figures, confusion_matrix
from ecg_core.training.passes import BATCH, autoencoder_passes, classifier_passes, normal_per_pass
from ecg_core.training.simulation import simulate

if TYPE_CHECKING:
    import keras

Family = Literal["cnn", "autoencoder"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
FOLDS: Final = 3
HELD_OUT: Final = "held_out.npz"
"""In a component: what models that had not seen a patient said of that patient's beats."""
SIMULATED_STRETCHES: Final = 3
"""Stretches of simulated rhythm for each recording and lead."""
SIMULATED_DRAWS: Final = 3
"""Draws of such stretches that the second question learns from, each weighing as a third of one. Of one draw alone S F1
on the deciding patients goes from .57 to .79 with the draw; on the folds it is .78 after three passes, of three .81."""
EARLY_BATCH: Final = 4 * BATCH
EARLY_PASSES: Final = 2
"""The second question takes so many passes for each of the first, in larger batches at twice the rate: as good as
batches of `BATCH` (S F1 on the folds .81 for .82; of one pass for each .79), in two fifths of the time."""
_S_WEIGHT: Final = 3.0
"""Of a real S beat in the second question; not searched."""
_FOCAL_GAMMA: Final = 2.0
_AS_GOOD: Final = 0.005
"""Passes whose held-out scores are no further apart are as good, and the last of them is taken: by then the learning
rate has fallen, and what is rare (false beats in noise) was seen more often. Which is best is chance."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train: `imbalance` as in the settings, `epochs` at most, `seed`, and the classifier's learning rate."""

    imbalance: Imbalance = "simulation"
    epochs: int = 12
    seed: int = 7
    learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one family does its own way; `answer` gives one row per beat, `score` is the higher the better.

    `sizes` are those that validation chooses from; ``start`` gets the one to try, and gives the model, the graph that
    is fitted (the model itself, or one that shares its weights) and what it is fitted to.
    """

    start: Callable[[TrainingBeats, TrainingOptions, int], tuple[keras.Model, keras.Model, keras.utils.PyDataset]]
    answer: Callable[[keras.Model, TrainingBeats], FloatArray]
    score: Callable[[FloatArray, TrainingBeats], float]
    sizes: tuple[int, ...] = (0,)


def train_family(family: Family, training: TrainingBeats, options: TrainingOptions, out_dir: Path) -> Path:
    """Train one family, deterministically for a seed as far as TensorFlow allows.

    Parameters
    ----------
    family : {"cnn", "autoencoder"}
    training : TrainingBeats
        Of two training patients or more.
    options : TrainingOptions
    out_dir : Path
        Gets the folder ``<family>``.

    Returns
    -------
    Path
        The component: ``<family>.keras``, ``<family>.onnx``, ``held_out.npz`` and ``component.json``.

    Raises
    ------
    PatientLeak
        A patient of the deciding or the test set is among the training beats.
    DatasetError
        Fewer than two patients: none could be held out.
    """
    check_no_leak(training.records(), NEVER_LEARNED)
    if len(training.patients()) < 2:
        raise DatasetError("Training needs beats of two patients or more.", "Add records of other patients.")
    recipe = RECIPES[family]
    folds = deal_patients(training, FOLDS)
    best: tuple[float, int, int, FloatArray] | None = None
    scores: dict[str, list[float]] = {}
    for size in recipe.sizes:
        answers = held_out_answers(recipe, training, folds, options, size)
        of_size = [recipe.score(of_epoch, training) for of_epoch in answers]
        scores[str(size)] = [round(score, 5) for score in of_size]
        if best is None or max(of_size) > best[0]:
            last = max(i for i, score in enumerate(of_size) if score >= max(of_size) - _AS_GOOD)
            best = max(of_size), size, last + 1, answers[last]
    assert best is not None
    score, size, epochs, answer = best
    model = fit(recipe, training, options, epochs, size=size)
    if family == "cnn":
        biases = _fitted_biases(answer, training)
        answer = answer + biases
        set_biases(model, biases)

    answer = answer[~training.in_noise]
    folder = out_dir / family
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / f"{family}.keras")
    difference = export_onnx(model, folder / f"{family}.onnx")
    np.savez(folder / HELD_OUT, answer=answer, class_index=training.class_index[~training.in_noise])
    facts = {
        "family": family,
        **asdict(options),
        "epochs_used": epochs,
        "size": size,
        "code_version": ecg_core.__version__,
        "parameters": int(model.count_params()),
        "records": training.records(),
        "patients": training.patients(),
        "held_out_in_turn": folds,
        "held_out_scores": scores,
        "beats": {c: int(n) for c, n in zip(CLASSES, np.bincount(training.class_index, minlength=5), strict=True)},
        "onnx_difference": difference,
    }
    (folder / "component.json").write_text(json.dumps(facts, indent=1))
    _log.info("family trained", family=family, epochs=epochs, size=size, held_out_score=score, beats=len(training))
    return folder


def held_out_scores(family: Family, training: TrainingBeats, options: TrainingOptions) -> list[float]:
    """Score each number of passes on patients held out in turn, without making a component.

    Parameters
    ----------
    family : {"cnn", "autoencoder"}
    training : TrainingBeats
        Of two training patients or more.
    options : TrainingOptions

    Returns
    -------
    list of float, of length `options.epochs`
        The higher the better: macro F1 for a classifier.
    """
    check_no_leak(training.records(), NEVER_LEARNED)
    recipe = RECIPES[family]
    answers = held_out_answers(recipe, training, deal_patients(training, FOLDS), options)
    return [recipe.score(of_epoch, training) for of_epoch in answers]


def held_out_answers(
    recipe: Recipe,
    training: TrainingBeats,
    folds: list[list[str]],
    options: TrainingOptions,
    size: int | None = None,
) -> list[FloatArray]:
    """For each number of passes, what is said of every beat by the model that had not seen its patient."""
    answers: list[FloatArray] = []
    for fold in folds:
        is_held = np.isin(training.patient, fold)

        def listen(
            epoch: int,
            model: keras.Model,
            rows: npt.NDArray[np.bool_] = is_held,
            held: TrainingBeats = training.select(is_held),  # noqa: B008 — of this fold
        ) -> None:
            said = recipe.answer(model, held)
            if epoch == len(answers):
                answers.append(np.empty((len(training), *said.shape[1:]), dtype=said.dtype))
            answers[epoch][rows] = said

        fit(recipe, training.select(~is_held), options, options.epochs, listen, size=size)
    return answers


def fit(
    recipe: Recipe,
    beats: TrainingBeats,
    options: TrainingOptions,
    epochs: int,
    listen: Callable[[int, keras.Model], None] | None = None,
    size: int | None = None,
) -> keras.Model:
    """Train one model on all beats given.

    Parameters
    ----------
    recipe : Recipe
    beats : TrainingBeats
    options : TrainingOptions
        `options.epochs` sets how fast the learning rate falls.
    epochs : int
        Passes, at most `options.epochs`.
    listen : callable, optional
        Called with the number of each pass and the model after it.
    size : int, optional
        One of `recipe.sizes`; the first where it is left out.
    """
    import keras
    import tensorflow as tf

    # A model refers to itself: only the collector finds the one before.
    gc.collect()
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    model, learner, passes = recipe.start(beats, options, recipe.sizes[0] if size is None else size)
    # The passes hold their own.
    del beats
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: listen(epoch, model) if listen else None)
    learner.fit(passes, epochs=epochs, callbacks=[after, keras.callbacks.TerminateOnNaN()], verbose=0)
    passes.let_go()
    return model


def set_biases(model: keras.Model, biases: FloatArray) -> None:
    """Let a classifier add these to its logits, shape (5,)."""
    layer = model.get_layer(layers.LOGITS_LAYER)
    layer.set_weights([layer.get_weights()[0], biases])


def _start_cnn(
    beats: TrainingBeats, options: TrainingOptions, size: int
) -> tuple[keras.Model, keras.Model, keras.utils.PyDataset]:
    import keras

    as_recorded = beats.without_noise()
    weights = np.ones(len(CLASSES), np.float32)
    if options.imbalance in ("class_weights", "simulation"):
        # As recorded: of false beats noise makes as many as one likes, and weighed up they draw true ones after them.
        weights = class_weights(as_recorded.class_index, normal_per_pass(as_recorded))
    elif options.imbalance in ("smote", "adasyn"):
        beats = resample(beats, options.imbalance, options.seed)
        as_recorded = beats.without_noise()
    model = architectures.build_cnn(beats.context.shape[1])
    features = [(as_recorded.class_index, as_recorded.context)]
    simulated: TrainingBeats | None = None
    for k in range(SIMULATED_DRAWS if options.imbalance == "simulation" else 0):
        drawn = simulate(as_recorded, SIMULATED_STRETCHES, options.seed + 1000 * k)
        features.append((drawn.class_index, drawn.context))
        # Of the others the waveforms, half a gigabyte each, are not wanted.
        simulated = simulated or drawn
    del as_recorded
    _learn_early(model, features, options)
    by_beat = weights[beats.class_index]
    if simulated:
        # Of these there are as many as one likes.
        by_beat = np.concatenate([by_beat, np.ones(len(simulated), np.float32)])
        beats = join_beats([beats, simulated])
    passes = classifier_passes(beats, by_beat, options.seed)
    loss = (
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=_FOCAL_GAMMA, from_logits=True)
        if options.imbalance == "focal_loss"
        else keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    learner = architectures.cnn_learner(model)
    learner.compile(_optimiser(len(passes) * options.epochs, options.learning_rate), loss)
    return model, learner, passes


def _learn_early(
    model: keras.Model, features: list[tuple[npt.NDArray[np.int8], FloatArray]], options: TrainingOptions
) -> None:
    """Learn to tell S from N by the features of all N and S beats, and leave it at that.

    What the setting for imbalance did to the beats holds here too: `features` are classes and context of the beats,
    then of each draw of simulated rhythms.
    """
    import keras

    n_beats, n_draws = len(features[0][0]), len(features) - 1
    class_index, context = (np.concatenate(arrays) for arrays in zip(*features, strict=True))
    of_either = class_index <= CLASSES.index("S")
    is_s = (class_index[of_either] == CLASSES.index("S")).astype(np.float32)
    weight = np.ones(class_index.size, np.float32)
    if options.imbalance in ("class_weights", "simulation"):
        weight[class_index == CLASSES.index("S")] = _S_WEIGHT
    weight[n_beats:] = 1 / max(n_draws, 1)
    learner = architectures.early_learner(model)
    epochs = EARLY_PASSES * options.epochs
    steps = -(-is_s.size // EARLY_BATCH) * epochs
    loss = (
        keras.losses.BinaryFocalCrossentropy(gamma=_FOCAL_GAMMA, from_logits=True)
        if options.imbalance == "focal_loss"
        else keras.losses.BinaryCrossentropy(from_logits=True)
    )
    learner.compile(_optimiser(steps, 2 * options.learning_rate), loss)
    targets = np.repeat(is_s[:, None], layers.MEMBERS, axis=1)
    learner.fit(
        context[of_either], targets, sample_weight=weight[of_either], batch_size=EARLY_BATCH, epochs=epochs, verbose=0
    )
    learner.trainable = False


def _start_autoencoder(
    beats: TrainingBeats, options: TrainingOptions, size: int
) -> tuple[keras.Model, keras.Model, keras.utils.PyDataset]:
    passes = autoencoder_passes(beats.select((beats.class_index == 0) & ~beats.in_noise), options.seed)
    model = architectures.build_autoencoder(size)
    model.compile(_optimiser(len(passes) * options.epochs, 2e-3), "mae")
    return model, model, passes


def _optimiser(steps: int, rate: float) -> keras.optimizers.Optimizer:
    import keras

    return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(rate, steps), weight_decay=1e-3)


def _logits(model: keras.Model, beats: TrainingBeats) -> FloatArray:
    return np.asarray(model.predict([beats.waveform, beats.context], batch_size=1024, verbose=0), dtype=np.float32)


def _leftovers(model: keras.Model, beats: TrainingBeats) -> FloatArray:
    reconstruction = model.predict(beats.waveform, batch_size=1024, verbose=0)
    # Half precision: a hundred megabytes less for each pass, and finer than any recorder.
    return np.asarray(beats.waveform[:, :, 0] - reconstruction[:, :, 0], dtype=np.float16)


def _fitted_biases(logits: FloatArray, beats: TrainingBeats) -> FloatArray:
    annotated = beats.annotated()
    return fit_biases(logits[annotated], beats.class_index[annotated])


def _macro_f1(logits: FloatArray, beats: TrainingBeats) -> float:
    annotated, unbiased = beats.annotated(), logits + _fitted_biases(logits, beats)
    figures = class_figures(confusion_matrix(beats.class_index[annotated], unbiased[annotated].argmax(axis=1)))
    return float(np.mean([figures[c]["f1"] for c in JUDGED if figures[c]["n"]]))


def _abnormal_stand_out(leftovers: FloatArray, beats: TrainingBeats) -> float:
    """Area under the ROC curve of the deviation; the abnormal beats choose the size, but are not trained on."""
    as_recorded = ~beats.in_noise
    leftovers, context = leftovers[as_recorded], beats.context[as_recorded]
    is_normal = beats.class_index[as_recorded] == 0
    if is_normal.all() or not is_normal.any():
        return 0.0
    yardstick = fit_yardstick(leftovers, context, recordings_of(beats.waveform)[as_recorded], is_normal)
    return area_under_roc(yardstick.deviation(leftovers, context), ~is_normal)


RECIPES: Final[dict[str, Recipe]] = {
    "cnn": Recipe(_start_cnn, _logits, _macro_f1),
    "autoencoder": Recipe(_start_autoencoder, _leftovers, _abnormal_stand_out, layers.BOTTLENECKS),
}
