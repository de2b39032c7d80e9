"""The one entry from scoring: beats of recordings get the explanations that `ecg_core.result.methods` declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, Beats, model_inputs
from ecg_core.beats.windows import Batch, batch_inputs, gathered, in_batches, scattered
from ecg_core.errors import ExplanationError
from ecg_core.explain import cam
from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.blend import smallest_blends
from ecg_core.explain.choice import choose_beats
from ecg_core.explain.reference import MEDIAN_OF, ExplainedBeats, beats_of_recording
from ecg_core.explain.registry import METHODS
from ecg_core.explain.segments import segment_shares
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS, SEGMENTS_MS, BeatAttributions, BeatTable, Blend, ChosenBeat, ShapleyValues
from ecg_core.result.methods import FEATURE_METHOD, given_to

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel

_WAVES: Final = ("p_wave", "qrs", "t_wave")
"""Players whose deviation the autoencoder tells apart, in the order of `Yardstick.by_wave`."""
_log = structlog.get_logger(__name__)
Rows = npt.NDArray[np.int64]
Explained = tuple[tuple[BeatAttributions, ...], tuple[ChosenBeat, ...], ShapleyValues]


class Classified(NamedTuple):
    """A recording's beats, and what the model said of them."""

    beats: Beats
    table: BeatTable


def explain_recordings(
    model: LoadedModel, recordings: Sequence[Classified], *, n_chosen: int, n_abnormal: int
) -> list[Explained]:
    """Explain every beat as deeply as is its due, those of all recordings together.

    A method that gives up on a beat costs the beat's recording that method's values, and no other recording anything.

    Parameters
    ----------
    model : LoadedModel
    recordings : sequence of Classified
        Classified by the model.
    n_chosen : int
        Beats of a recording that are explained in full, at most.
    n_abnormal : int
        Abnormal beats of a recording that get exact Shapley values, at most.
    """
    picks = [
        choose_beats(t.class_index, t.probabilities, t.deviation, t.analysable, beats.windows_mv, n_chosen)
        for beats, t in recordings
    ]
    of_every = _of_every_beat(model, recordings)
    in_full = _in_full(model, recordings, picks)
    of_abnormal = _of_abnormal(model, recordings, n_abnormal)
    return list(zip(of_every, in_full, of_abnormal, strict=True))


def _of_every_beat(model: LoadedModel, recordings: Sequence[Classified]) -> list[tuple[BeatAttributions, ...]]:
    """Shares by segment of the methods that every beat gets; the maps are there for a few beats at a time."""
    beats, targets = [r.beats for r in recordings], [r.table.class_index for r in recordings]

    def in_one_pass(batch: Batch) -> tuple[FloatArray, ...]:
        return cam.gradient_maps(model, *batch_inputs(beats, batch), gathered(targets, batch))

    def by(name: str, some: Sequence[Classified]) -> Callable[[Batch], tuple[FloatArray, ...]]:
        def maps(batch: Batch) -> tuple[FloatArray, ...]:
            parts = [_beside_normal(model, some[i], np.arange(rows.start, rows.stop)) for i, rows in batch]
            called = gathered([one.table.class_index for one in some], batch)
            values = METHODS[name](model, ExplainedBeats.join(parts), called).samples
            return () if values is None else (values,)

        return maps

    given: list[tuple[BeatAttributions, ...]] = [() for _ in recordings]
    if cam.has_convolution(model):
        given = _shares(cam.IN_ONE_PASS, recordings, in_one_pass)
    for name in given_to("every"):
        without = [i for i, found in enumerate(given) if name not in [one.method for one in found]]
        some = [recordings[i] for i in without]
        for i, found in zip(without, _shares((name,), some, by(name, some)), strict=True):
            given[i] += found
    return given


def _shares(
    names: tuple[str, ...], recordings: Sequence[Classified], maps_of: Callable[[Batch], tuple[FloatArray, ...]]
) -> list[tuple[BeatAttributions, ...]]:
    counts = [len(recording.beats) for recording in recordings]
    shares = [[np.empty((n, len(SEGMENTS_MS)), np.float32) for n in counts] for _ in names]
    given_up: set[int] = set()
    waiting = list(in_batches(counts))
    while waiting:
        batch = waiting.pop()
        try:
            for of_method, values in zip(shares, maps_of(batch), strict=True):
                scattered(segment_shares(values), of_method, batch)
        except ExplanationError as error:
            if len(batch) > 1:  # one recording's beat: the others have their maps
                waiting += [[part] for part in batch]
                continue
            _not_explained(*names, error=error)
            given_up.add(batch[0][0])
    return [
        () if i in given_up else tuple(BeatAttributions(name, shares[k][i]) for k, name in enumerate(names))
        for i in range(len(recordings))
    ]


def _not_explained(*methods: str, error: ExplanationError) -> None:
    _log.warning("not explained", methods=methods, reason=str(error))


def _of_abnormal(model: LoadedModel, recordings: Sequence[Classified], cap: int) -> list[ShapleyValues]:
    """Values by player of the one method that abnormal beats get."""
    (name,) = given_to("abnormal")
    rows = [_within_cap(np.flatnonzero(t.analysable & (t.class_index > 0)), cap) for _, t in recordings]
    some = [i for i, of_recording in enumerate(rows) if of_recording.size]
    parts = [_beside_normal(model, recordings[i], rows[i]) for i in some]
    found = dict(
        zip(some, _by(name, model, parts, [recordings[i].table.class_index[rows[i]] for i in some]), strict=True)
    )
    given = []
    for i, of_recording in enumerate(rows):
        values = found.get(i)
        given.append(
            ShapleyValues.none() if values is None else ShapleyValues(of_recording, values.players.astype(np.float32))
        )
    return given


def _within_cap(rows: Rows, cap: int) -> Rows:
    """Take all rows, or where they are more than the cap, so many evenly over time."""
    if rows.size <= cap:
        return rows
    _log.info("more abnormal beats than get Shapley values", abnormal=rows.size, cap=cap)
    return rows[np.linspace(0, rows.size - 1, cap).astype(np.int64)] if cap else rows[:0]


def _by(
    name: str, model: LoadedModel, parts: Sequence[ExplainedBeats], targets: Sequence[Target]
) -> list[Attribution | None]:
    """Explain the beats of several recordings by one method; None for a recording on which it gives up."""
    if not parts:
        return []
    try:
        found = METHODS[name](model, ExplainedBeats.join(parts), np.concatenate(targets))
    except ExplanationError as error:
        if len(parts) > 1:
            return [
                one for part, target in zip(parts, targets, strict=True) for one in _by(name, model, [part], [target])
            ]
        _not_explained(name, error=error)
        return [None]
    return [found.select(rows) for rows in _rows_of(parts)]


def _rows_of(parts: Sequence[ExplainedBeats]) -> list[slice]:
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return [slice(end - len(part), end) for part, end in zip(parts, ends, strict=True)]


def _beside_normal(model: LoadedModel, recording: Classified, rows: Rows) -> ExplainedBeats:
    """Set some beats beside the recording's normal beat, which some of its normal beats make."""
    beats, table = recording
    normal = np.flatnonzero(table.analysable & (table.class_index == 0))
    normal = normal[np.linspace(0, normal.size - 1, min(normal.size, MEDIAN_OF)).astype(np.int64)]
    both = np.concatenate([normal, rows])
    waveform, context = model_inputs(beats, both)
    place = np.arange(both.size)
    return beats_of_recording(
        model, waveform, context, place < normal.size, table.waves_ms[both], rows=place[normal.size :]
    )


def _in_full(
    model: LoadedModel, recordings: Sequence[Classified], picks: Sequence[list[tuple[int, str]]]
) -> list[tuple[ChosenBeat, ...]]:
    some = [i for i, of_recording in enumerate(picks) if of_recording]
    given: list[tuple[ChosenBeat, ...]] = [() for _ in recordings]
    if not some:
        return given
    rows = [np.array([beat for beat, _ in picks[i]]) for i in some]
    parts = [_beside_normal(model, recordings[i], of_one) for i, of_one in zip(some, rows, strict=True)]
    targets = [recordings[i].table.class_index[of_one] for i, of_one in zip(some, rows, strict=True)]
    found = {method: _by(method, model, parts, targets) for method in METHODS}
    joined = ExplainedBeats.join(parts)
    blends = smallest_blends(model, joined)
    drawn, _ = model.reconstruct(joined.waveform, joined.context)
    for k, (i, here) in enumerate(zip(some, _rows_of(parts), strict=True)):
        by_method = {method: of_method[k] for method, of_method in found.items()}
        given[i] = _chosen(model, recordings[i], picks[i], parts[k], by_method, blends[here], drawn[here])
    return given


def _chosen(
    model: LoadedModel,
    recording: Classified,
    picks: list[tuple[int, str]],
    explained: ExplainedBeats,
    by_method: Mapping[str, Attribution | None],
    blends: list[Blend],
    reconstruction: FloatArray,
) -> tuple[ChosenBeat, ...]:
    """Put what the methods gave to a recording's chosen beats together."""
    beats, table = recording
    by_wave = model.yardstick.by_wave(explained.waveform[:, :, 0] - reconstruction, explained.waves_ms)
    given = {method: one for method, one in by_method.items() if one is not None}
    by_sample = {method: one.samples for method, one in given.items() if one.samples is not None}
    by_feature = given[FEATURE_METHOD].context if FEATURE_METHOD in given else None
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


def _named(names: tuple[str, ...], values: npt.NDArray[np.floating[Any]] | None) -> dict[str, float]:
    return {} if values is None else dict(zip(names, map(float, values), strict=True))
