"""A tiny but real model version, trained once for all tests of this folder on two real records."""

from pathlib import Path

import pytest

from ecg_core.models import (
    FAMILIES,
    TrainingOptions,
    TrainingSource,
    assemble,
    join_beats,
    load_model,
    prepare_records,
    train_family,
)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("beats")


@pytest.fixture(scope="session")
def two_patients(mitdb, cache_dir):
    """Every fifth beat of 119 (V) and 209 (S), on both leads."""
    return thinned(prepare_records(mitdb, ["119", "209"], "training", cache_dir), 5)


@pytest.fixture(scope="session")
def deciding(mitdb, cache_dir):
    """Every third beat of two deciding patients, on the primary lead."""
    return thinned(prepare_records(mitdb, ["223", "207"], "detected", cache_dir), 3)


@pytest.fixture(scope="session")
def learned_from(two_patients, mitdb, cache_dir):
    """The same, and beats of both records in noise."""
    return join_beats([two_patients, thinned(prepare_records(mitdb, ["119", "209"], "noise", cache_dir), 5)])


@pytest.fixture(scope="session")
def components(learned_from, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp("components")
    options = TrainingOptions("class_weights", epochs=1, seed=3)
    return [train_family(family, learned_from, options, out_dir) for family in FAMILIES]


@pytest.fixture(scope="session")
def tiny_version(components, learned_from, deciding, tmp_path_factory) -> Path:
    """The folder of a version made of one pass over two records."""
    models_dir = tmp_path_factory.mktemp("models")
    source = TrainingSource("two MIT-BIH records", {"mitdb": "0" * 64})
    return models_dir / assemble(components, learned_from, {"deciding": deciding}, source, models_dir)


@pytest.fixture(scope="session")
def tiny_model(tiny_version):
    return load_model(tiny_version.name, tiny_version.parent)


def thinned(beats, step):
    import numpy as np

    return beats.select(np.arange(0, len(beats), step))
