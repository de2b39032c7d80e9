"""How well a bad lead is told: the Challenge of 2011, on folds by recording, beside the index that scoring uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecg_core.settings import Settings
from ecg_core.training.lead_quality import DATABASE, area, read_leads, said_on_folds


def measure_quality(settings: Settings) -> dict[str, Any]:
    """Return areas under the ROC curve by lead, over all recordings and over those that are not bad in all leads.

    Returns
    -------
    dict
        ``records``, ``leads``, ``bad``; ``all`` and ``not_bad_in_all`` with ``records``, and ``fitted`` (a logistic
        regression on folds) and ``index`` (`ecg_core.signal.assess_quality`), each with ``auc`` and ``auc_ci``.
    """
    leads = read_leads(Path(settings.physionet_base) / DATABASE)
    fitted, index = said_on_folds(leads), -leads.index
    figures: dict[str, Any] = {
        "records": int(np.unique(leads.record).size),
        "leads": int(leads.bad.size),
        "bad": int(leads.bad.sum()),
    }
    for name, rows in (("all", np.ones(leads.bad.size, dtype=bool)), ("not_bad_in_all", ~leads.bad_in_all())):
        figures[name] = {"records": int(np.unique(leads.record[rows]).size)}
        for what, said in (("fitted", fitted), ("index", index)):
            auc, interval = area(leads, said, rows)
            figures[name][what] = {"auc": auc, "auc_ci": interval}
    return figures
