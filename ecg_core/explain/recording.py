"""The one entry from scoring: beats of a recording get the explanations that `ecg_core.result.methods` declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, Beats, model_inputs
from ecg_core.beats.windows import in_chunks
from ecg_core.errors import ExplanationError
from ecg_core.explain import cam
from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.blend import smallest_blends
from ecg_core.explain.choice import choose_beats
from ecg_core.explain.reference import MEDIAN_OF, ExplainedBeats, beats_of_recording
from ecg_core.explain.registry import METHODS
from ecg_core.explain.segments import segment_shares
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS, SEGMENTS_MS, BeatAttributions, BeatTable, ChosenBeat, ShapleyValues
from ecg_core.result.methods import FEATURE_METHOD, given_to

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel

_WAVES: Final = ("p_wave", "qrs", "t_wave")
"""Players whose deviation the autoencoder tells apart, in the order of `Yardstick.by_wave`."""
_log = structlog.get_logger(__name__)
Rows = npt.NDArray[np.int64]
MapsOf = Callable[[slice], tuple[FloatArray, ...]]
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
        The same beats, classified by the model.
    n_chosen : int
        Beats that are explained in full, at most.
    n_abnormal : int
        Abnormal beats that get exact Shapley values, at most.
    """
    picks = choose_beats(
        table.class_index, table.probabilities, table.deviation, table.analysable, beats.windows_mv, n_chosen
    )
    return (
        _of_every_beat(model, beats, table),
        _in_full(model, beats, table, picks) if picks else (),
        _of_abnormal(model, beats, table, n_abnormal),
    )


def _of_every_beat(model: LoadedModel, beats: Beats, table: BeatTable) -> tuple[BeatAttributions, ...]:
    """Shares by segment of the methods that every beat gets; the maps are there for a few beats at a time."""
    target = table.class_index

    def in_one_pass(rows: slice) -> tuple[FloatArray, ...]:
        return cam.gradient_maps(model, *model_inputs(beats, rows), target[rows])

    def by(name: str) -> MapsOf:
        def maps(rows: slice) -> tuple[FloatArray, ...]:
            some = _beside_normal(model, beats, table, np.arange(len(beats))[rows])
            values = METHODS[name](model, some, target[rows]).samples
            return () if values is None else (values,)

        return maps

    given = _shares(cam.IN_ONE_PASS, len(beats), in_one_pass) if cam.has_convolution(model) else ()
    for name in given_to("every"):
        if name not in [attribution.method for attribution in given]:
            given += _shares((name,), len(beats), by(name))
    return given


def _shares(names: tuple[str, ...], n: int, maps_of: MapsOf) -> tuple[BeatAttributions, ...]:
    shares = [np.empty((n, len(SEGMENTS_MS)), np.float32) for _ in names]
    try:
        for rows in in_chunks(n):
            for of_method, values in zip(shares, maps_of(rows), strict=True):
                of_method[rows] = segment_shares(values)
    except ExplanationError as error:
        _not_explained(*names, error=error)
        return ()
    return tuple(map(BeatAttributions, names, shares))


def _not_explained(*methods: str, error: ExplanationError) -> None:
    _log.warning("not explained", methods=methods, reason=str(error))


def _of_abnormal(model: LoadedModel, beats: Beats, table: BeatTable, cap: int) -> ShapleyValues:
    """Values by player of the one method that abnormal beats get."""
    (name,) = given_to("abnormal")
    rows = _within_cap(np.flatnonzero(table.analysable & (table.class_index > 0)), cap)
    try:
        values = METHODS[name](model, _beside_normal(model, beats, table, rows), table.class_index[rows]).players
    except ExplanationError as error:
        _not_explained(name, error=error)
        return ShapleyValues.none()
    return ShapleyValues(rows, values.astype(np.float32))


def _within_cap(rows: Rows, cap: int) -> Rows:
    """Take all rows, or where they are more than the cap, so many evenly over time."""
    if rows.size <= cap:
        return rows
    _log.info("more abnormal beats than get Shapley values", abnormal=rows.size, cap=cap)
    return rows[np.linspace(0, rows.size - 1, cap).astype(np.int64)] if cap else rows[:0]


def _beside_normal(model: LoadedModel, beats: Beats, table: BeatTable, rows: Rows) -> ExplainedBeats:
    """Set some beats beside the recording's normal beat, which some of its normal beats make."""
    normal = np.flatnonzero(table.analysable & (table.class_index == 0))
    normal = normal[np.linspace(0, normal.size - 1, min(normal.size, MEDIAN_OF)).astype(np.int64)]
    both = np.concatenate([normal, rows])
    waveform, context = model_inputs(beats, both)
    place = np.arange(both.size)
    return beats_of_recording(
        model, waveform, context, place < normal.size, table.waves_ms[both], rows=place[normal.size :]
    )


def _in_full(
    model: LoadedModel, beats: Beats, table: BeatTable, picks: list[tuple[int, str]]
) -> tuple[ChosenBeat, ...]:
    rows = np.array([beat for beat, _ in picks])
    explained = _beside_normal(model, beats, table, rows)
    reconstruction, _ = model.reconstruct(explained.waveform, explained.context)
    by_wave = model.yardstick.by_wave(explained.waveform[:, :, 0] - reconstruction, table.waves_ms[rows])
    given = _by_every_method(model, explained, table.class_index[rows])
    by_sample = {method: one.samples for method, one in given.items() if one.samples is not None}
    by_feature = given[FEATURE_METHOD].context if FEATURE_METHOD in given else None
    blends = smallest_blends(model, explained)
    return tuple(
        ChosenBeat(
            beat_index=int(beat),
            reason=reason,
            waveform_mv=beats.windows_mv[beat],
            counterpart_mv=reconstruction[i] * beats.scale_mv[beat],
            template_mv=beats.template_mv[beat],
            attributions={method: samples[i] for method, samples in by_sample.items()},
            context_shap=_named(CONTEXT_NAMES, None if by_feature is None else by_feature[i]),
            waves_ms=table.waves_ms[beat],
            shapley=_named(PLAYERS, given["shapley"].players[i] if "shapley" in given else None),
            lime=_named(PLAYERS, given["lime"].players[i] if "lime" in given else None),
            blend=blends[i],
            deviation_by_wave={name: float(z) for name, z in zip(_WAVES, by_wave[i], strict=True) if np.isfinite(z)},
            own_reference=bool(explained.own_normal[i]),
        )
        for i, (beat, reason) in enumerate(picks)
    )


def _by_every_method(model: LoadedModel, beats: ExplainedBeats, target: Target) -> dict[str, Attribution]:
    given = {}
    for method, explain in METHODS.items():
        try:
            given[method] = explain(model, beats, target)
        except ExplanationError as error:
            _not_explained(method, error=error)
    return given


def _named(names: tuple[str, ...], values: npt.NDArray[np.floating[Any]] | None) -> dict[str, float]:
    return {} if values is None else dict(zip(names, map(float, values), strict=True))
