"""Who of a recording's beats gets which explanation.

All beats get Grad-CAM and saliency; the abnormal ones, up to a cap, the exact Shapley values; the chosen few all the
rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, Beats, choose_beats
from ecg_core.errors import ExplanationError
from ecg_core.result import BeatAttributions, BeatTable, ChosenBeat, FloatArray, ShapleyValues

if TYPE_CHECKING:
    from ecg_core.explain import Attribution
    from ecg_core.models import LoadedModel

_log = structlog.get_logger(__name__)
Explained = tuple[tuple[BeatAttributions, ...], tuple[ChosenBeat, ...], ShapleyValues]


def explain_recording(
    model: LoadedModel,
    beats: Beats,
    table: BeatTable,
    waveform: FloatArray,
    context: FloatArray,
    reconstruction: FloatArray,
    *,
    n_chosen: int,
    n_abnormal: int,
) -> Explained:
    """Explain every beat as deeply as is its due.

    Parameters
    ----------
    model : LoadedModel
    beats : Beats
    table : BeatTable
        What the model said of them.
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    reconstruction : ndarray of float32, shape (n, 256)
        In units of scale.
    n_chosen : int
        Beats that are explained in full, at most.
    n_abnormal : int
        Abnormal beats that get exact Shapley values, at most.
    """
    from ecg_core.explain import beats_of_recording, segment_shares, shapley_values

    maps = _maps(model, waveform, context, table.class_index)
    attributions = tuple(BeatAttributions(method, segment_shares(values)) for method, values in maps.items())
    is_normal = table.analysable & (table.class_index == 0)
    abnormal = _within_cap(np.flatnonzero(table.analysable & (table.class_index > 0)), n_abnormal)
    explained = beats_of_recording(model, waveform, context, is_normal, table.waves_ms, rows=abnormal)
    values = shapley_values(model, explained, table.class_index[abnormal]).astype(np.float32)
    picks = choose_beats(
        table.class_index, table.probabilities, table.deviation, table.analysable, beats.windows_mv, n_chosen
    )
    if not picks:
        return attributions, (), ShapleyValues(abnormal, values)
    chosen = _in_full(model, beats, table, waveform, context, reconstruction, maps, is_normal, picks)
    return attributions, chosen, ShapleyValues(abnormal, values)


def _maps(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.int8]
) -> dict[str, FloatArray]:
    """Grad-CAM and saliency of every beat; a model without a convolution has no Grad-CAM."""
    from ecg_core.explain import gradient_maps, has_convolution, saliency

    if not has_convolution(model):
        return {"saliency": saliency(model, waveform, context, target)}
    return dict(zip(("gradcam", "saliency"), gradient_maps(model, waveform, context, target), strict=True))


def _within_cap(rows: npt.NDArray[np.int64], cap: int) -> npt.NDArray[np.int64]:
    """Take all rows, or where they are more than the cap, so many evenly over time."""
    if rows.size <= cap:
        return rows
    _log.info("more abnormal beats than get Shapley values", abnormal=rows.size, cap=cap)
    return rows[np.linspace(0, rows.size - 1, cap).astype(np.int64)] if cap else rows[:0]


def _in_full(
    model: LoadedModel,
    beats: Beats,
    table: BeatTable,
    waveform: FloatArray,
    context: FloatArray,
    reconstruction: FloatArray,
    maps: dict[str, FloatArray],
    is_normal: npt.NDArray[np.bool_],
    picks: list[tuple[int, str]],
) -> tuple[ChosenBeat, ...]:
    from ecg_core.explain import METHODS, beats_of_recording, players_in_words, smallest_blends

    rows = np.array([beat for beat, _ in picks])
    target = table.class_index[rows]
    explained = beats_of_recording(model, waveform, context, is_normal, table.waves_ms, rows)
    found: dict[str, Attribution] = {}
    for method, explain in METHODS.items():
        if method in maps:
            continue
        try:
            found[method] = explain(model, explained, target)
        except ExplanationError as error:
            _log.info("not explained", method=method, reason=str(error))
    by_sample = {method: one.samples for method, one in found.items() if one.samples is not None}
    rhythm = found["shap"].context if "shap" in found else None
    blends = smallest_blends(model, explained)
    return tuple(
        ChosenBeat(
            beat_index=int(beat),
            reason=reason,
            waveform_mv=beats.windows_mv[beat],
            counterpart_mv=reconstruction[beat] * np.float32(beats.scale_mv),
            template_mv=beats.template_mv,
            attributions={
                **{method: samples[i] for method, samples in by_sample.items()},
                **{method: values[beat] for method, values in maps.items()},
            },
            context_shap={} if rhythm is None else dict(zip(CONTEXT_NAMES, map(float, rhythm[i]), strict=True)),
            waves_ms=table.waves_ms[beat],
            shapley=players_in_words(found["shapley"].players[i]),
            lime=players_in_words(found["lime"].players[i]),
            blend=blends[i],
            own_reference=bool(explained.own_normal[i]),
        )
        for i, (beat, reason) in enumerate(picks)
    )
