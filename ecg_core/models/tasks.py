"""The tasks: what a model may be asked, and what loads a version that answers it.

Scoring asks this registry alone. How the versions of a task are made and judged stands in `ecg_core.training.tasks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol, TypeGuard

from ecg_core.beats import Beats
from ecg_core.errors import UnknownModelVersion
from ecg_core.models.resting import RestingModel
from ecg_core.models.rhythm import RhythmModel
from ecg_core.models.version import BEATS, LoadedModel, Version, check_features, find_version
from ecg_core.recording import Recording
from ecg_core.result import Labels, ModelFacts
from ecg_core.signal import Analysis


class RecordingModel(Protocol):
    """A version of a task that is asked of whole recordings or stretches of them, not of beats."""

    @property
    def version(self) -> str: ...  # noqa: D102 (as `Version`)

    @property
    def task(self) -> str: ...  # noqa: D102

    @property
    def facts(self) -> ModelFacts: ...  # noqa: D102

    def label(self, recording: Recording, analysis: Analysis, beats: Beats) -> Labels:
        """Say of a recording what the task asks.

        Parameters
        ----------
        recording : Recording
        analysis : Analysis
            Of the same recording.
        beats : Beats
            Its beats on the primary lead, as the task ``beats`` found them.

        Returns
        -------
        Labels
            Empty where the recording is none that the task can be asked of (too few leads, too short).
        """
        ...


TASKS: Final[dict[str, type[Version]]] = {BEATS: LoadedModel, "rhythm": RhythmModel, "resting": RestingModel}
"""By name of the task, the class of its versions; all but those of ``beats`` are a `RecordingModel`."""


def load_version(version: str, models_dir: Path, threads: int = 2) -> Version:
    """Load a version of any task after checking every file of it against its manifest.

    Raises
    ------
    UnknownModelVersion
        No such version, or this release does not know its task.
    ModelIntegrityError, ModelOutdated
        As `ecg_core.models.load_model` says.
    """
    folder, manifest = find_version(version, models_dir)
    found = Version(folder, manifest, threads)
    if found.task not in TASKS:
        raise UnknownModelVersion(
            f"This release does not know the task {found.task} of the model version {version}.",
            f"Choose a version of one of these tasks: {', '.join(TASKS)}.",
        )
    if found.task == BEATS:
        check_features(folder, manifest)
    return TASKS[found.task](folder, manifest, threads)


def labels_recordings(version: Version) -> TypeGuard[RecordingModel]:
    """Tell the versions that are asked of whole recordings."""
    return version.task != BEATS
