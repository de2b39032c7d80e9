"""The shipped model and real beats of a deciding patient, beside that patient's own normal beat."""

import numpy as np
import pytest

from ecg_core.explain import beats_of_recording
from ecg_core.training import prepare_records


@pytest.fixture(scope="session")
def shipped(champion):
    return champion


@pytest.fixture(scope="session")
def prepared_207(mitdb, tmp_path_factory, trees):
    return prepare_records(mitdb, ["207"], "detected", tmp_path_factory.mktemp("beats"), trees)


@pytest.fixture(scope="session")
def called_207(shipped, prepared_207):
    return shipped.classify(prepared_207.waveform, prepared_207.context).argmax(axis=1)


@pytest.fixture(scope="session")
def abnormal(shipped, prepared_207, called_207):
    """(ExplainedBeats, called class) of twenty beats each called S and V, waves at fixed stretches."""
    rows = np.sort(np.concatenate([np.flatnonzero(called_207 == c)[:20] for c in (1, 2)]))
    beats = beats_of_recording(
        shipped, prepared_207.waveform, prepared_207.context, called_207 == 0, waves_ms=None, rows=rows
    )
    return beats, called_207[rows]
