"""`ecg tune`: the flagship's settings, chosen on folds by patients of all that a retraining learns from.

Each trial trains as many models as there are folds, each without a part of the patients, and judges what they say of
those (macro F1). Neither the deciding nor the test patients are looked at. Trials are kept in a journal, so that a
search that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ecg_core.models import SHIPPED
from ecg_core.pipeline.retrain import fetch, training_beats, trees_of
from ecg_core.settings import Settings
from ecg_core.training import IMBALANCES, TrainingBeats, TrainingOptions
from ecg_core.training.train import Family, held_out_scores

if TYPE_CHECKING:
    import optuna

FAMILY: Final[Family] = "cnn"
"""What the flagship's component is called."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best trial so far: its macro F1 on held-out patients, its settings, and how many trials there were."""

    macro_f1: float
    settings: dict[str, Any]
    trials: int


def tune(settings: Settings, trials: int, tell: Callable[[str], None] = lambda line: None) -> Tuned:
    """Search until there are so many finished trials, those of earlier searches included.

    Raises
    ------
    DatasetUnavailable
        MIT-BIH cannot be had.
    """
    training = training_beats(settings, fetch(settings), trees_of(settings, SHIPPED["rhythm"]))
    return search(training, settings.home / "tuning.journal", trials, settings.retrain_epochs, settings.seed, tell)


def search(
    training: TrainingBeats,
    journal: Path,
    trials: int,
    epochs: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Search as `tune` does, on given beats.

    Parameters
    ----------
    training : TrainingBeats
        Other beats are another search.
    journal : Path
        Where trials are kept.
    trials : int
    epochs : int
        Passes at most; each trial's best number of them is found on the way.
    seed : int
    tell : callable
        Is given a line after each trial.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(training.context.tobytes() + training.class_index.tobytes()).hexdigest()[:12]

    def objective(trial: optuna.Trial) -> float:
        options = TrainingOptions(
            imbalance=trial.suggest_categorical("imbalance", IMBALANCES),
            epochs=epochs,
            seed=seed,
            learning_rate=trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        )
        scores = held_out_scores(FAMILY, training, options)
        trial.set_user_attr("retrain_epochs", scores.index(max(scores)) + 1)
        tell(f"{trial.number}: macro F1 {max(scores):.4f} with {trial.params}")
        return max(scores)

    study = optuna.create_study(
        study_name=f"flagship-{content}-{epochs}",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        sampler=optuna.samplers.TPESampler(seed=seed),
        direction="maximize",
        load_if_exists=True,
    )
    if not study.trials:
        # The settings as they are: what a search must beat.
        usual = TrainingOptions()
        study.enqueue_trial({"imbalance": usual.imbalance, "learning_rate": usual.learning_rate})
    finished = (optuna.trial.TrialState.COMPLETE,)
    study.optimize(objective, n_trials=max(0, trials - len(study.get_trials(states=finished))))
    best = study.best_trial
    return Tuned(float(best.value), {**best.params, **best.user_attrs}, len(study.get_trials(states=finished)))
