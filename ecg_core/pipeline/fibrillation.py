"""How well atrial fibrillation is told: folds of the Challenge of 2017, and MIT-BIH's rhythm annotations."""

from __future__ import annotations

from typing import Any

from ecg_core.datasets import physionet
from ecg_core.datasets.challenge2017 import DATABASE
from ecg_core.datasets.mitdb import DECIDING, TEST, TRAINING
from ecg_core.models.fibrillation import measure_on_folds, measure_on_mitdb, shipped_manifest
from ecg_core.pipeline.looks import log_look
from ecg_core.settings import Settings


def measure_fibrillation(settings: Settings, ds2: bool = False) -> dict[str, Any]:
    """Measure again what the shipped trees are worth.

    Parameters
    ----------
    settings : Settings
    ds2 : bool
        Look at DS2 too, and log the look: nothing may be chosen by it.

    Returns
    -------
    dict
        ``challenge_2017`` (`ecg_core.models.fibrillation.measure_on_folds`), ``mitdb`` and with `ds2` ``ds2``
        (`measure_on_mitdb` of the records that are no test records, and of those that are), ``weights`` (what the
        shipped trees were learned from).

    Raises
    ------
    DatasetUnavailable
        A database cannot be had.
    """
    challenge, mitdb = (
        physionet.fetch(name, settings.physionet_base, settings.datasets_dir).path for name in (DATABASE, "mitdb")
    )
    manifest = shipped_manifest()
    figures: dict[str, Any] = {
        "challenge_2017": measure_on_folds(challenge),
        "mitdb": measure_on_mitdb(mitdb, (*TRAINING, *DECIDING)),
        "weights": {name: manifest[name] for name in ("training_data", "sha256", "seed")},
    }
    if ds2:
        figures["ds2"] = measure_on_mitdb(mitdb, TEST)
        short = {name: value for name, value in figures["ds2"].items() if name != "records"}
        version = f"fibrillation-{manifest['sha256'][:8]}"
        log_look(version, "ecg benchmark fibrillation --ds2", "ds2 rhythm", short)
    return figures
