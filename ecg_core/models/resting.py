"""Versions of the task ``resting``: the superclasses of a twelve-lead ECG, from numbers of its median beat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from ecg_core.beats import Beats
from ecg_core.errors import ModelIntegrityError, ModelOutdated
from ecg_core.models.resting_trees import ALL, RestingTrees, load_trees
from ecg_core.models.version import Version
from ecg_core.recording import FloatArray, Recording
from ecg_core.resting import NotMeasured, read_resting
from ecg_core.resting.beat_features import beat_features, feature_names, rhythm_features, subject_features
from ecg_core.resting.stated import high_pass_of, subject_of
from ecg_core.result import Labels, RecordingLabel
from ecg_core.result.resting import STANDARD_LEADS, SUPERCLASSES, Resting
from ecg_core.signal import Analysis

TASK: Final = "resting"
TREES: Final = "trees.npz"
NORMAL_BEAT: Final = "normal_beat.npy"
"""Mean of the median beats of the normal ECGs that were learned from: what explanations compare with."""


class RestingModel(Version):
    """One version of the task ``resting``, ready to score.

    Raises
    ------
    ModelIntegrityError
        Its trees cannot be read.
    ModelOutdated
        They rest on numbers that this release does not compute.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int = 2) -> None:
        super().__init__(folder, manifest, threads)
        unknown = set(self.trees.feature_names.tolist()) - set(feature_names())
        if unknown:
            raise ModelOutdated(
                f"Version {self.version} rests on numbers that this release does not compute: {sorted(unknown)[0]}.",
                "Choose a version of this release (ecg models list), or retrain: DAG ecg_retrain_nightly.",
            )

    @cached_property
    def trees(self) -> RestingTrees:
        """What it learned."""
        return load_trees(self.folder / TREES)

    @cached_property
    def normal_beat_mv(self) -> FloatArray:
        """Mean normal median beat, float32, shape (12, n_columns).

        Raises
        ------
        ModelIntegrityError
            It is no beat of twelve leads.
        """
        beat: FloatArray = np.load(self.folder / NORMAL_BEAT, allow_pickle=False)
        if beat.ndim != 2 or len(beat) != len(STANDARD_LEADS) or not np.isfinite(beat).all():
            raise ModelIntegrityError(f"{NORMAL_BEAT} is no beat of twelve leads.", "Choose another version.")
        return beat

    def label(self, recording: Recording, analysis: Analysis, beats: Beats) -> Labels:
        """Measure a resting ECG and weigh its superclasses; see `ecg_core.models.tasks.RecordingModel`.

        Other recordings get the reason why they are none, and children no superclass.
        """
        resting = measure(recording, analysis)
        if resting.not_measured or resting.is_child:
            return Labels(resting=resting)
        probabilities = self.probabilities(resting, resting.beat_mv[None])
        present, absent = self.trees.answers(probabilities)
        rows = zip(SUPERCLASSES, probabilities[0].tolist(), present[0].tolist(), absent[0].tolist(), strict=True)
        labels = tuple(RecordingLabel(TASK, self.version, name, p, yes, no) for name, p, yes, no in rows)
        return Labels(labels, resting=resting)

    def probabilities(self, resting: Resting, beats_mv: FloatArray, classes: Sequence[int] = ALL) -> FloatArray:
        """Weigh the superclasses of one recording with other beats in the place of its own.

        Parameters
        ----------
        resting : Resting
            Its rhythm, its subject, and where its waves begin and end.
        beats_mv : ndarray of float32, shape (n, 12, n_columns)
        classes : sequence of int
            Which of `ecg_core.result.resting.SUPERCLASSES`; all where left out.

        Returns
        -------
        ndarray of float32, shape (n, n_classes)
            Calibrated.
        """
        n = len(beats_mv)
        on, off = (np.full(n, resting.points[name]) for name in ("qrs_on", "qrs_off"))
        table = beat_features(beats_mv, on, off, np.full(n, resting.rr_ms))
        age, female = subject_features([resting.subject])
        constant = resting.rhythm | {"age_years": float(age[0]), "female": float(female[0])}
        table |= {name: np.full(n, value, np.float32) for name, value in constant.items()}
        return self.trees.probabilities(np.stack([table[name] for name in self.trees.feature_names], axis=1), classes)


def measure(recording: Recording, analysis: Analysis) -> Resting:
    """Measure a recording as a resting ECG, as far as it is one."""
    subject = subject_of(recording.stated)
    ecg = read_resting(recording, analysis, analysis.waves_ms(), subject, high_pass_of(recording.stated))
    if isinstance(ecg, NotMeasured):
        return Resting(ecg.reason, subject)
    beat = ecg.beat
    return Resting(
        subject=subject,
        derived=ecg.leads.derived,
        turned=ecg.leads.turned,
        beat_mv=beat.signal_mv,
        points=beat.points,
        n_beats=beat.n_beats,
        n_left_out=beat.n_left_out,
        rr_ms=beat.rr_ms,
        rhythm=rhythm_features(analysis.r_index, beat.n_left_out / max(beat.n_beats + beat.n_left_out, 1)),
        measurements=ecg.measurements,
        criteria=ecg.findings,
    )
