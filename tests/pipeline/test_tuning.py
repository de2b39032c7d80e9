"""`ecg tune`: a search on folds by patients that can be stopped and goes on."""

import numpy as np
import pytest

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.datasets.splits import DECIDING
from ecg_core.errors import PatientLeak
from ecg_core.pipeline.tuning import search
from ecg_core.training import TrainingBeats, TrainingOptions, join_beats

pytestmark = pytest.mark.usefixtures("quick_training", "eagerly")


@pytest.fixture(scope="module")
def beats() -> TrainingBeats:
    """Made-up beats of three training patients."""
    random = np.random.default_rng(0)
    parts = []
    for record in ("101", "106", "108"):
        class_index = np.repeat([0, 1, 2], [60, 20, 20]).astype(np.int8)
        waveform = random.normal(size=(100, 256, 2)).astype(np.float32) + class_index[:, None, None]
        waveform[:, :, 1] = waveform[0, :, 1]  # of one lead, whose dominant beat it is
        context = random.normal(size=(100, len(CONTEXT_NAMES))).astype(np.float32)
        parts.append(
            TrainingBeats(waveform, context, class_index, np.full(100, record), np.full(100, f"mitdb-{record}"))
        )
    return join_beats(parts)


def test_a_search_goes_on_where_it_was(beats, tmp_path, eagerly):
    journal = tmp_path / "tuning.journal"
    lines: list[str] = []
    first = search(beats, journal, 1, 1, 7, lines.append)
    assert (first.trials, len(lines)) == (1, 1)
    settings = {"imbalance": TrainingOptions().imbalance, "learning_rate": TrainingOptions().learning_rate}
    assert first.settings == {**settings, "retrain_epochs": 1}, "first of all the settings as they are"
    second = search(beats, journal, 2, 1, 7, lines.append)
    assert (second.trials, len(lines)) == (2, 2), "the trial of the first search is not run again"
    assert second.macro_f1 >= first.macro_f1
    assert search(beats, journal, 2, 1, 7, lines.append) == second
    assert len(lines) == 2


def test_no_deciding_patient_is_tuned_on(beats, tmp_path):
    leaked = TrainingBeats(beats.waveform, beats.context, beats.class_index, np.full(300, DECIDING[0]), beats.patient)
    with pytest.raises(PatientLeak):
        search(leaked, tmp_path / "tuning.journal", 1, 1, 7)
