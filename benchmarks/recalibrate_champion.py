"""Set the shipped champion's probabilities and prediction sets anew: ``python -m benchmarks.recalibrate_champion``.

Its weights stay. Temperature and thresholds rest on its training patients held out in turn, and on svdb's patients that
it did not learn from and that decide no promotion. With ``--ds2`` it also looks at DS2, and logs that look.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import DECIDING, LEARNED_FROM, SVDB_DECIDING, TEST
from ecg_core.models import BEATS, SHIPPED, load_model
from ecg_core.models.version import SHIPPED_DIR
from ecg_core.pipeline.evaluating import in_short, log_look
from ecg_core.settings import load_settings
from ecg_core.training import prepare_records, records_there
from ecg_core.training.recalibrating import recalibrate


def main() -> None:
    """Calibrate, measure, ship."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ds2", action="store_true", help="look at DS2 and log the look")
    look = arguments.parse_args().ds2
    settings = load_settings()
    mitdb, svdb = (Path(settings.physionet_base) / name / DATABASES[name].version for name in ("mitdb", "svdb"))
    cache = settings.home / "cache" / "beats"
    model = load_model(SHIPPED[BEATS], SHIPPED_DIR)
    asked = {"deciding": (mitdb, DECIDING), "svdb_deciding": (svdb, SVDB_DECIDING)} | (
        {"ds2": (mitdb, TEST)} if look else {}
    )
    measured_on = {
        name: prepare_records(folder, records_there(folder, records), "detected", cache, model.trees)
        for name, (folder, records) in asked.items()
    }
    unseen = prepare_records(svdb, records_there(svdb, LEARNED_FROM["svdb"]), "detected", cache, model.trees)
    # Some of them have a stretch in the QT Database, which it learned from.
    unseen = unseen.select(~np.isin(unseen.patient, model.manifest["training_data"]["patients"]))
    sentence = (
        f"{len(unseen.patients())} patients of the MIT-BIH Supraventricular Arrhythmia Database, not learned from"
    )
    version = recalibrate(model, unseen, measured_on, sentence, SHIPPED_DIR)
    shutil.rmtree(SHIPPED_DIR / model.version)
    (SHIPPED_DIR / "CURRENT").write_text(json.dumps({**SHIPPED, BEATS: version}, indent=1) + "\n")
    figures = load_model(version, SHIPPED_DIR).manifest["figures"]
    if look:
        command = "python -m " + " ".join(["benchmarks.recalibrate_champion", *sys.argv[1:]])
        log_look(version, command, "ds2", in_short(figures["ds2"]))
    sys.stdout.write(json.dumps({"version": version, "figures": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
