"""Who of a recording's beats gets which explanation.

All beats get Grad-CAM and saliency; the abnormal ones, up to a cap, the exact Shapley values; the chosen few all the
rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, Beats, choose_beats, model_inputs
from ecg_core.beats.windows import in_chunks
from ecg_core.errors import ExplanationError
from ecg_core.recording import FloatArray
from ecg_core.result import SEGMENTS_MS, BeatAttributions, BeatTable, ChosenBeat, ShapleyValues

if TYPE_CHECKING:
    from ecg_core.explain import Attribution, ExplainedBeats
    from ecg_core.models import LoadedModel

_WAVES: Final = ("p_wave", "qrs", "t_wave")
"""Players whose deviation the autoencoder tells apart, in the order of `Yardstick.by_wave`."""
_log = structlog.get_logger(__name__)
Explained = tuple[tuple[BeatAttributions, ...], tuple[ChosenBeat, ...], ShapleyValues]


def explain_recording(
    model: LoadedModel, beats: Beats, table: BeatTable, *, n_chosen: int, n_abnormal: int
) -> Explained:
    """Explain every beat as deeply as is its due. A method that gives up costs its own values, not the recording.

    Parameters
    ----------
    model : LoadedModel
    beats : Beats
    table : BeatTable
        What the model said of them.
    n_chosen : int
        Beats that are explained in full, at most.
    n_abnormal : int
        Abnormal beats that get exact Shapley values, at most.
    """
    from ecg_core.explain import shapley_values

    attributions = _of_every_beat(model, beats, table.class_index)
    abnormal = _within_cap(np.flatnonzero(table.analysable & (table.class_index > 0)), n_abnormal)
    try:
        values = shapley_values(model, _beside_normal(model, beats, table, abnormal), table.class_index[abnormal])
        shapley = ShapleyValues(abnormal, values.astype(np.float32))
    except ExplanationError as error:
        _not_explained("shapley", error)
        shapley = ShapleyValues.none()
    picks = choose_beats(
        table.class_index, table.probabilities, table.deviation, table.analysable, beats.windows_mv, n_chosen
    )
    return attributions, _in_full(model, beats, table, picks) if picks else (), shapley


def _of_every_beat(model: LoadedModel, beats: Beats, target: npt.NDArray[np.int8]) -> tuple[BeatAttributions, ...]:
    """Grad-CAM and saliency of every beat, as shares by segment; the maps are there for a few beats at a time."""
    from ecg_core.explain import gradient_maps, has_convolution, saliency, segment_shares

    def shares_by(
        names: tuple[str, ...], maps_of: Callable[..., tuple[FloatArray, ...]]
    ) -> tuple[BeatAttributions, ...]:
        shares = [np.empty((len(beats), len(SEGMENTS_MS)), np.float32) for _ in names]
        for rows in in_chunks(len(beats)):
            maps = maps_of(model, *model_inputs(beats, rows), target[rows])
            for of_method, values in zip(shares, maps, strict=True):
                of_method[rows] = segment_shares(values)
        return tuple(map(BeatAttributions, names, shares))

    # One pass through the model gives both. A model without a convolution has no Grad-CAM.
    if has_convolution(model):
        try:
            return shares_by(("gradcam", "saliency"), gradient_maps)
        except ExplanationError as error:
            _not_explained("gradcam", error)
    try:
        return shares_by(("saliency",), lambda *inputs: (saliency(*inputs),))
    except ExplanationError as error:
        _not_explained("saliency", error)
    return ()


def _not_explained(method: str, error: ExplanationError) -> None:
    _log.warning("not explained", method=method, reason=str(error))


def _beside_normal(model: LoadedModel, beats: Beats, table: BeatTable, rows: npt.NDArray[np.int64]) -> ExplainedBeats:
    """Set some beats beside the recording's normal beat, which some of its normal beats make."""
    from ecg_core.explain import beats_of_recording
    from ecg_core.explain.reference import MEDIAN_OF

    normal = np.flatnonzero(table.analysable & (table.class_index == 0))
    normal = normal[np.linspace(0, normal.size - 1, min(normal.size, MEDIAN_OF)).astype(np.int64)]
    both = np.concatenate([normal, rows])
    waveform, context = model_inputs(beats, both)
    place = np.arange(both.size)
    return beats_of_recording(
        model, waveform, context, place < normal.size, table.waves_ms[both], rows=place[normal.size :]
    )


def _within_cap(rows: npt.NDArray[np.int64], cap: int) -> npt.NDArray[np.int64]:
    """Take all rows, or where they are more than the cap, so many evenly over time."""
    if rows.size <= cap:
        return rows
    _log.info("more abnormal beats than get Shapley values", abnormal=rows.size, cap=cap)
    return rows[np.linspace(0, rows.size - 1, cap).astype(np.int64)] if cap else rows[:0]


def _in_full(
    model: LoadedModel, beats: Beats, table: BeatTable, picks: list[tuple[int, str]]
) -> tuple[ChosenBeat, ...]:
    from ecg_core.explain import METHODS, players_in_words, smallest_blends

    rows = np.array([beat for beat, _ in picks])
    target = table.class_index[rows]
    explained = _beside_normal(model, beats, table, rows)
    reconstruction, _ = model.reconstruct(explained.waveform, explained.context)
    by_wave = model.yardstick.by_wave(explained.waveform[:, :, 0] - reconstruction, table.waves_ms[rows])
    found: dict[str, Attribution] = {}
    for method, explain in METHODS.items():
        try:
            found[method] = explain(model, explained, target)
        except ExplanationError as error:
            _not_explained(method, error)
    by_sample = {method: one.samples for method, one in found.items() if one.samples is not None}
    by_player = {method: one.players for method, one in found.items()}
    rhythm = found["shap"].context if "shap" in found else None
    blends = smallest_blends(model, explained)
    return tuple(
        ChosenBeat(
            beat_index=int(beat),
            reason=reason,
            waveform_mv=beats.windows_mv[beat],
            counterpart_mv=reconstruction[i] * np.float32(beats.scale_mv),
            template_mv=beats.template_mv,
            attributions={method: samples[i] for method, samples in by_sample.items()},
            context_shap={} if rhythm is None else dict(zip(CONTEXT_NAMES, map(float, rhythm[i]), strict=True)),
            waves_ms=table.waves_ms[beat],
            shapley=players_in_words(by_player["shapley"][i]) if "shapley" in found else {},
            lime=players_in_words(by_player["lime"][i]) if "lime" in found else {},
            blend=blends[i],
            deviation_by_wave={name: float(z) for name, z in zip(_WAVES, by_wave[i], strict=True) if np.isfinite(z)},
            own_reference=bool(explained.own_normal[i]),
        )
        for i, (beat, reason) in enumerate(picks)
    )
