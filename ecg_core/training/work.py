"""What training has at hand, and what a task must say of how its versions are made and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecg_core.beats import Trees
from ecg_core.models import LoadedModel
from ecg_core.settings import Settings
from ecg_core.training.beats import TrainingBeats
from ecg_core.training.gate import Limits, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What one run has at hand for one task.

    Attributes
    ----------
    settings : Settings
    folders : mapping of str to Path
        The databases that are at hand, by name.
    run_dir : Path
        Of this run and this task: a step that is tried again finds there what was done.
    trees : Trees
        Of the rhythm version that was champion when the run began: features of beats rest on them.
    with_reviewed : callable
        Adds to training beats what readers signed, where the settings say so.
    examine : callable
        Tests the explanations of a version (`ecg_core.pipeline.examining`): this room knows nothing of explaining.
    """

    settings: Settings
    folders: Mapping[str, Path]
    run_dir: Path
    trees: Trees
    with_reviewed: Callable[[TrainingBeats], TrainingBeats]
    examine: Callable[[LoadedModel], dict[str, Any]]

    @property
    def cache_dir(self) -> Path:
        """Where prepared recordings are kept."""
        return self.settings.models_dir / ".prepared"

    @property
    def limits(self) -> Limits:
        """What a challenger may lose."""
        s = self.settings
        return Limits(
            s.gate_macro_f1_margin, s.gate_recall_margin, s.gate_recall_floors, s.gate_ece_margin, s.gate_ms_per_beat
        )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedTask:
    """How the versions of one task are made and judged.

    Attributes
    ----------
    families : tuple of str
        What is trained for one version, each in a step of its own.
    databases : tuple of str
        Without these at hand the task is not trained.
    writes : tuple of str
        The tables that its versions' scores go to.
    prepare : callable
        Checks and prepares what is learned from, so that the steps after it find it in the cache.
    train : callable
        Trains a family; the path of its component.
    assemble : callable
        Makes a version in ``settings.models_dir`` out of the components; its name.
    judge : callable
        Compares the challenger (last) with the champion, which is None where the task has none yet.
    """

    families: tuple[str, ...]
    databases: tuple[str, ...]
    writes: tuple[str, ...]
    prepare: Callable[[Work], None]
    train: Callable[[Work, str], Path]
    assemble: Callable[[Work, Sequence[Path]], str]
    judge: Callable[[Work, str | None, str], Verdict]


FIRST: Verdict = Verdict(True, "Promoted: the first version of its task; there is none to compare with.")
