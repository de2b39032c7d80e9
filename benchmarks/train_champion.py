"""Train the champion that ships inside the package: ``python -m benchmarks.train_champion``.

Reads MIT-BIH, the QT Database and the Challenge of 2017 from ``ECG_PHYSIONET_BASE``, trains on the training patients,
measures on the deciding patients, and writes the version into ``ecg_core/models/shipped``. With ``--ds2`` it also looks
at DS2, and logs that look in ``benchmarks/ds2-looks.csv``: looks are counted, because a model chosen by looking at DS2
is no longer honest.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.mitdb import DECIDING, TEST
from ecg_core.models import (
    FAMILIES,
    TrainingOptions,
    assemble,
    evaluate,
    load_model,
    prepare_records,
    train_family,
    training_set,
    training_source,
)
from ecg_core.models.loading import SHIPPED_DIR
from ecg_core.settings import load_settings

EPOCHS = 3
"""The held-out score is flat from the second pass on, and more only learn these few patients by heart."""
LOOKS = Path(__file__).parent / "ds2-looks.csv"


def main() -> None:
    """Train, measure, ship."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ds2", action="store_true", help="look at DS2 and log the look")
    look = arguments.parse_args().ds2
    settings = load_settings()
    names = ("mitdb", *settings.further_training_data)
    folders = {name: Path(settings.physionet_base) / name / DATABASES[name].version for name in names}
    folder = folders["mitdb"]
    cache = settings.home / "cache" / "beats"
    training = training_set(folders, cache)
    measured_on = {"deciding": prepare_records(folder, DECIDING, "detected", cache)}
    if look:
        measured_on["ds2"] = prepare_records(folder, TEST, "detected", cache)
    options = TrainingOptions(settings.imbalance, EPOCHS, settings.seed)
    with tempfile.TemporaryDirectory() as scratch:
        components = [train_family(family, training, options, Path(scratch)) for family in FAMILIES]
        version = assemble(components, training, measured_on, training_source(folders), SHIPPED_DIR)
    for other in SHIPPED_DIR.glob("cnn-*"):
        if other.name != version:
            shutil.rmtree(other)
    (SHIPPED_DIR / "CURRENT").write_text(version + "\n")
    model = load_model(version, SHIPPED_DIR)
    figures = model.manifest["figures"]
    if look:
        reference = prepare_records(folder, TEST, "reference", cache)
        figures = {**figures, "ds2 reference": evaluate(model, reference)}
        log_look(version, {name: f for name, f in figures.items() if name.startswith("ds2")})
    sys.stdout.write(json.dumps({"version": version, "figures": figures}, indent=1) + "\n")


def log_look(version: str, figures: dict[str, dict]) -> None:
    """Append one line per set to the log of looks at DS2."""
    is_new = not LOOKS.is_file()
    with LOOKS.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(["date", "version", "command", "set", "figures"])
        for name, of_set in figures.items():
            short = {k: of_set[k] for k in ("n_beats", "accuracy", "macro_f1", "j_kappa", "ece", "deviation_auc")}
            short |= {c: {k: of_set["classes"][c][k] for k in ("sensitivity", "precision", "f1")} for c in "NSVF"}
            command = "python -m " + " ".join(["benchmarks.train_champion", *sys.argv[1:]])
            writer.writerow([datetime.now(UTC).date(), version, command, name, json.dumps(short)])


if __name__ == "__main__":
    main()
