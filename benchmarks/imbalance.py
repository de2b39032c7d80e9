"""Compare the settings for imbalance on patients held out in turn: ``python -m benchmarks.imbalance [--quick]``.

Each setting trains the classifier once per fold of training patients; what it says of those left out is measured after
the biases are set, as training sets them. DS2 and the deciding patients are not looked at. ``--quick`` learns from
MIT-BIH alone in two passes, and says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from ecg_core.datasets.databases import DATABASES
from ecg_core.models import SHIPPED
from ecg_core.models.calibration import fit_biases
from ecg_core.pipeline.retrain import trees_of
from ecg_core.settings import load_settings
from ecg_core.training import IMBALANCES, TrainingOptions, training_set
from ecg_core.training.balance import Imbalance
from ecg_core.training.beats import TrainingBeats, deal_patients
from ecg_core.training.figures import class_figures, confusion_matrix
from ecg_core.training.train import FOLDS, RECIPES, held_out_answers

COLUMNS = ("setting", "accuracy", "S F1", "S sensitivity", "S precision", "V F1", "V sensitivity", "V precision", "s")


def main() -> None:
    """Print the table, or with ``--json`` its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="MIT-BIH alone, two passes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = load_settings()
    names = ("mitdb",) if arguments.quick else ("mitdb", *settings.further_training_data)
    places = {name: Path(settings.physionet_base) / name / DATABASES[name].version for name in names}
    folders = {name: folder for name, folder in places.items() if name == "mitdb" or folder.is_dir()}
    beats = training_set(folders, settings.home / "cache" / "beats", trees_of(settings, SHIPPED["rhythm"]))
    epochs = 2 if arguments.quick else settings.retrain_epochs
    rows = [compare(setting, beats, epochs, settings.seed) for setting in IMBALANCES]
    if arguments.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    sys.stdout.write(f"{', '.join(folders)}; {epochs} passes{' (quick)' if arguments.quick else ''}\n")
    sys.stdout.write(" | ".join(COLUMNS) + "\n")
    for row in rows:
        sys.stdout.write(" | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()) + "\n")


def compare(setting: Imbalance, beats: TrainingBeats, epochs: int, seed: int) -> dict[str, object]:
    """Train under one setting, each fold left out in turn, and measure what is said of those left out."""
    started = time.perf_counter()
    options = TrainingOptions(setting, epochs, seed)
    answer = held_out_answers(RECIPES["cnn"], beats, deal_patients(beats, FOLDS), options)[-1]
    annotated = beats.annotated()
    answer, true = answer[annotated], beats.class_index[annotated]
    said = (answer + fit_biases(answer, true)).argmax(axis=1)
    figures = class_figures(confusion_matrix(true, said))
    of_class = {f"{c} {name}": figures[c][name.lower()] for c in "SV" for name in ("F1", "sensitivity", "precision")}
    accuracy = float((said == true).mean())
    return {"setting": setting, "accuracy": accuracy, **of_class, "s": round(time.perf_counter() - started)}


if __name__ == "__main__":
    main()
