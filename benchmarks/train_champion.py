"""Train the champion that ships inside the package: ``python -m benchmarks.train_champion``.

Reads MIT-BIH from ``ECG_PHYSIONET_BASE``, trains on the training patients, measures on the deciding patients, and
writes the version into ``ecg_core/models/shipped``. With ``--ds2`` it also looks at DS2, and logs that look in
``benchmarks/ds2-looks.csv``: looks are counted, because a model chosen by looking at DS2 is no longer honest.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ecg_core.datasets.mitdb import DECIDING, TEST, TRAINING
from ecg_core.models import (
    FAMILIES,
    TrainingOptions,
    TrainingSource,
    assemble,
    evaluate,
    load_model,
    prepare_records,
    train_family,
)
from ecg_core.models.loading import SHIPPED_DIR, file_sha256
from ecg_core.pipeline.explanation_benchmark import measure as measure_explanations
from ecg_core.settings import load_settings

EPOCHS = 4
"""More passes only learn these few patients by heart: the held-out score is flat from the fourth on,
and fewer ventricular beats of the deciding patients are found."""
LOOKS = Path(__file__).parent / "ds2-looks.csv"


def main() -> None:
    """Train, measure, ship."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ds2", action="store_true", help="look at DS2 and log the look")
    look = arguments.parse_args().ds2
    settings = load_settings()
    folder = Path(settings.physionet_base) / "mitdb" / "1.0.0"
    cache = settings.home / "cache" / "beats"
    training = prepare_records(folder, TRAINING, "training", cache)
    measured_on = {"deciding": prepare_records(folder, DECIDING, "detected", cache)}
    if look:
        measured_on["ds2"] = prepare_records(folder, TEST, "detected", cache)
    source = TrainingSource("MIT-BIH Arrhythmia Database 1.0.0", file_sha256(folder / "SHA256SUMS.txt"))
    options = TrainingOptions(settings.imbalance, EPOCHS, settings.seed)
    with tempfile.TemporaryDirectory() as scratch:
        components = [train_family(family, training, options, Path(scratch)) for family in FAMILIES]
        examine = partial(measure_explanations, settings, folder=folder, split="deciding", quick=False)
        version = assemble(components, training, measured_on, source, SHIPPED_DIR, examine=examine)
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
            areas = {k: v for k, v in of_set["deviation"].items() if not k.endswith(("_low", "_high"))}
            short |= {"deviation": areas} | {
                c: {k: of_set["classes"][c][k] for k in ("sensitivity", "precision", "f1")} for c in "NSVF"
            }
            command = "python -m " + " ".join(["benchmarks.train_champion", *sys.argv[1:]])
            writer.writerow([datetime.now(UTC).date(), version, command, name, json.dumps(short)])


if __name__ == "__main__":
    main()
