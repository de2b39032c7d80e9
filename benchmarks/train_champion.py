"""Train the champion that ships inside the package: ``python -m benchmarks.train_champion``.

Reads MIT-BIH, and of the further training data what ``ECG_PHYSIONET_BASE`` has, trains on the training patients,
measures on the deciding patients, and writes the version into ``ecg_core/models/shipped``. With ``--ds2`` it also
looks at DS2, and logs that look in ``benchmarks/ds2-looks.csv``: looks are counted, because a model chosen by looking
at DS2 is no longer honest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from ecg_core.beats import Trees
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import DECIDING, SVDB_DECIDING, TEST
from ecg_core.models import BEATS, SHIPPED, load_model
from ecg_core.models.version import SHIPPED_DIR
from ecg_core.pipeline.evaluating import in_short, log_look
from ecg_core.pipeline.examining import measure as measure_explanations
from ecg_core.pipeline.retrain import trees_of
from ecg_core.settings import load_settings
from ecg_core.training import (
    FAMILIES,
    TrainingOptions,
    assemble,
    evaluate,
    prepare_records,
    train_family,
    training_set,
    training_source,
)
from ecg_core.training.sets import records_there
from ecg_core.training.train import Family

EPOCHS = 3
"""The held-out score is flat from the second pass on, and more only learn these few patients by heart."""


def main() -> None:
    """Train, measure, ship."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ds2", action="store_true", help="look at DS2 and log the look")
    look = arguments.parse_args().ds2
    settings = load_settings()
    names = ("mitdb", *settings.further_training_data)
    places = {name: Path(settings.physionet_base) / name / DATABASES[name].version for name in names}
    folders = {name: folder for name, folder in places.items() if name == "mitdb" or folder.is_dir()}
    folder = folders["mitdb"]
    cache = settings.home / "cache" / "beats"
    trees = trees_of(settings, SHIPPED["rhythm"])
    training = training_set(folders, cache, trees)
    measured_on = {"deciding": prepare_records(folder, DECIDING, "detected", cache, trees)}
    if "svdb" in folders:
        there = records_there(folders["svdb"], SVDB_DECIDING)
        measured_on["svdb_deciding"] = prepare_records(folders["svdb"], there, "detected", cache, trees)
    if look:
        measured_on["ds2"] = prepare_records(folder, TEST, "detected", cache, trees)
    with tempfile.TemporaryDirectory() as scratch:
        # Side by side: each keeps about one core busy.
        with ProcessPoolExecutor(len(FAMILIES), get_context("spawn")) as processes:
            components = list(processes.map(partial(component, folders, cache, Path(scratch), trees), FAMILIES))
        examine = partial(measure_explanations, settings, folder=folder, split="deciding", quick=False)
        source = training_source(folders)
        version = assemble(components, training, measured_on, source, SHIPPED_DIR, examine=examine)
    for other in SHIPPED_DIR.glob("cnn-*"):
        if other.name != version:
            shutil.rmtree(other)
    (SHIPPED_DIR / "CURRENT").write_text(json.dumps({**SHIPPED, BEATS: version}, indent=1) + "\n")
    model = load_model(version, SHIPPED_DIR)
    figures = model.manifest["figures"]
    if look:
        reference = prepare_records(folder, TEST, "reference", cache, trees)
        figures = {**figures, "ds2 reference": evaluate(model, reference)}
        command = "python -m " + " ".join(["benchmarks.train_champion", *sys.argv[1:]])
        for name in ("ds2", "ds2 reference"):
            log_look(version, command, name, in_short(figures[name]))
    sys.stdout.write(json.dumps({"version": version, "figures": figures}, indent=1) + "\n")


def component(folders: dict[str, Path], cache: Path, scratch: Path, trees: Trees, family: Family) -> Path:
    """Train one family on all training beats, in a process of its own."""
    settings = load_settings()
    options = TrainingOptions(settings.imbalance, EPOCHS, settings.seed, settings.learning_rate)
    return train_family(family, training_set(folders, cache, trees), options, scratch)


if __name__ == "__main__":
    main()
