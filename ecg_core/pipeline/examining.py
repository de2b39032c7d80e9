"""`ecg benchmark explanations`: how far a model version's explanations can be trusted, on patients it never saw."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import extract_from_leads, model_inputs
from ecg_core.datasets.annotated import load_record
from ecg_core.datasets.patients import check_no_leak
from ecg_core.datasets.splits import DECIDING, TEST
from ecg_core.explain import ExplainedBeats, beats_of_recording, compose
from ecg_core.explain.measures import share_of
from ecg_core.explain.methods.shapley import shapley_values
from ecg_core.explain.target import log_odds
from ecg_core.explain.trust import MeasuredBeats, join, measure_methods
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.pipeline.evaluating import log_look
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, PLAYERS
from ecg_core.settings import Settings
from ecg_core.signal import analyse
from ecg_core.training.equal_models import equal_models
from ecg_core.training.prepare import match_beats

Split = Literal["deciding", "ds2"]
RECORDS: Final[dict[str, tuple[str, ...]]] = {"deciding": DECIDING, "ds2": TEST}
PER_PATIENT: Final = 20
"""Abnormal calls of each patient and class that the slow methods explain."""
PER_PATIENT_QUICK: Final = 6
EFFICIENCY_BEATS: Final = 10_000
EXACT_EXPLAINER_BEATS: Final = 200
WAVES_OF_V: Final = ("qrs", "t_wave", "previous_rr", "following_rr")
WAVES_OF_S: Final = ("previous_rr", "p_wave")
_log = structlog.get_logger(__name__)


def measure(settings: Settings, model: LoadedModel, folder: Path, split: Split, quick: bool) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    settings : Settings
    model : LoadedModel
    folder : Path
        Holds MIT-BIH.
    split : {"deciding", "ds2"}
        A look at DS2 is entered in ``benchmarks/ds2-looks.csv``.
    quick : bool
        Few beats, all layers randomised at once, no models of other seeds: what every nightly version gets.

    Returns
    -------
    dict
        JSON-able: ``methods`` by name, ``agreement`` by pair, ``offered_first``, ``shapley``, ``deviation``.
    """
    there = [record for record in RECORDS[split] if (folder / f"{record}.hea").is_file()]
    found = measured_beats(model, folder, there)
    with tempfile.TemporaryDirectory() as scratch:
        document = measure_methods(
            model,
            found.abnormal(PER_PATIENT_QUICK if quick else PER_PATIENT),
            Path(scratch),
            balanced_recall=found.balanced_recall(),
            equal_models=() if quick else equal_models(settings, model, folder),
            every_layer=not quick,
        )
    document |= {
        "model_version": model.version,
        "split": split,
        "quick": quick,
        "n_beats": len(found),
        "balanced_recall": found.balanced_recall(),
        "n_patients": int(np.unique(found.patient).size),
        "shapley": shapley_figures(model, found, quick),
        "deviation": deviation_figures(model, split),
    }
    if split == "ds2":
        short = {name: document[name] for name in ("offered_first", "shapley", "deviation")}
        short["passed"] = [name for name, figures in document["methods"].items() if figures.get("passed")]
        log_look(model.version, "ecg benchmark explanations --split ds2", "ds2", short)
    return document


def measured_beats(model: LoadedModel, folder: Path, records: Sequence[str]) -> MeasuredBeats:
    """Walk the records as scoring does, and set the annotated class beside each detected beat.

    Returns
    -------
    MeasuredBeats
        The analysable beats that match an annotation within 150 ms.

    Raises
    ------
    PatientLeak
        The model was trained on one of these patients.
    """
    check_no_leak(model.manifest["training_data"]["records"], list(records))
    return join([_of_record(model, folder, record) for record in records])


def _of_record(model: LoadedModel, folder: Path, record: str) -> MeasuredBeats:
    labelled = load_record(folder, record)
    analysis = analyse(labelled.recording)
    r_index = analysis.r_index
    own = extract_from_leads(analysis.cleaned.signal_mv, r_index, analysis.quality, model.trees)
    waveform, context = model_inputs(own)
    called = model.classify(waveform, context).argmax(axis=1)
    reference = np.rint(labelled.r_sample * (ANALYSIS_RATE_HZ / labelled.recording.sampling_rate_hz)).astype(np.int64)
    match = match_beats(reference, r_index)
    true = np.full(r_index.size, -1, np.int8)
    true[match[match >= 0]] = labelled.class_index[match >= 0]
    rows = np.flatnonzero((true >= 0) & own.analysable)
    is_normal = own.analysable & (called == 0)
    beats = beats_of_recording(model, waveform, context, is_normal, analysis.waves_ms(), rows)
    return MeasuredBeats(beats, called[rows], true[rows], np.full(rows.size, labelled.patient))


def shapley_figures(model: LoadedModel, found: MeasuredBeats, quick: bool = False) -> dict[str, Any]:
    """Check the exact values' sums and the shap package's, and say which waves they fall on, beside the recall."""
    n = min(len(found), EFFICIENCY_BEATS // (10 if quick else 1))
    some = found.select(np.linspace(0, len(found) - 1, n).astype(np.int64))
    values = shapley_values(model, some.beats, some.called)
    everybody = np.ones((n, len(PLAYERS)), np.float32)
    difference = _told(model, some.beats, 0 * everybody, some.called) - _told(model, some.beats, everybody, some.called)
    figures: dict[str, Any] = {
        "efficiency_max_error": float(np.abs(values.sum(axis=1) - difference).max()),
        "efficiency_beats": n,
        **_exact_explainer(model, found, EXACT_EXPLAINER_BEATS // (10 if quick else 1)),
    }
    for letter, players, name in (("V", WAVES_OF_V, "v_share_qrs_t_rr"), ("S", WAVES_OF_S, "s_share_rr_p")):
        c = CLASSES.index(letter)
        hit = found.select(np.flatnonzero((found.true == c) & (found.called == c)))
        share = share_of(np.abs(shapley_values(model, hit.beats, hit.called)), players)
        n_true = int((found.true == c).sum())
        figures[name] = share if np.isfinite(share) else None
        figures[f"{letter.lower()}_recall"] = len(hit) / n_true if n_true else None
        figures[f"{letter.lower()}_beats"] = len(hit)
    return figures


def _told(
    model: LoadedModel, beats: ExplainedBeats, out: FloatArray, target: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Log-odds by the whole graph, of beats that are composed one by one: not the way of `shapley_values`."""
    return log_odds(model.logits(*compose(beats, out)), model.temperature, target)


def _exact_explainer(model: LoadedModel, found: MeasuredBeats, n: int) -> dict[str, Any]:
    """Compare with `shap.ExactExplainer`, whose masker composes the same beats, on abnormal calls."""
    import shap

    abnormal = np.flatnonzero(found.called > 0)
    if not abnormal.size:
        return {"exact_explainer_max_error": None, "exact_explainer_beats": 0}
    some = found.select(abnormal[np.linspace(0, abnormal.size - 1, min(n, abnormal.size)).astype(np.int64)])
    values = shapley_values(model, some.beats, some.called)
    worst = 0.0
    for row in range(len(some)):
        one = some.select(np.array([row]))

        def told(inside: npt.NDArray[Any], one: MeasuredBeats = one) -> npt.NDArray[np.float64]:
            many = one.select(np.zeros(len(inside), np.int64))
            return _told(model, many.beats, 1 - inside.astype(np.float32), many.called)

        explainer = shap.explainers.Exact(told, np.zeros((1, len(PLAYERS))))
        theirs = explainer(np.ones((1, len(PLAYERS)))).values[0]
        worst = max(worst, float(np.abs(theirs - values[row]).max()))
    return {"exact_explainer_max_error": worst, "exact_explainer_beats": len(some)}


def deviation_figures(model: LoadedModel, split: Split) -> dict[str, float | None]:
    """Give the deviation's areas under the ROC curve, V and F and all abnormal beats against N, from the manifest."""
    found = model.manifest["figures"].get(split, {}).get("deviation", {})
    return {name: found.get(name) for name in ("auc_vf", "auc_abnormal")}
