"""What people write today to classify and explain ECG beats, timed step by step on a slice of a recording.

Not a straw man: the libraries are the usual ones, called as their documentation calls them, on the platform's own
classifier and the platform's own beats, whose preparation is not timed. wfdb reads, NeuroKit2 cleans and finds peaks,
``model.predict`` classifies, ``shap.GradientExplainer`` with 100 background beats explains, a `GradientTape` gives
Grad-CAM and saliency as in Keras' own example, Matplotlib draws into HTML.

``python -m benchmarks.usual_way HEADER whole|quick``, settings from the environment; prints one line of JSON.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from ecg_core.models.layers import CAM_LAYER
from ecg_core.pipeline.preload import preload
from ecg_core.recording import FloatArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice:
    """How much of each step is timed: seconds of signal, and beats."""

    signal_s: float
    one_by_one: int
    in_batches: int
    by_shap: int
    drawn: int


SLICES: Final = {
    "whole": Slice(1800.0, 100, 1600, 16, 12),
    "resting": Slice(10.0, 100, 1600, 16, 12),
    "quick": Slice(60.0, 4, 32, 1, 1),
}


def measure_usual_way(header: Path, size: Slice) -> dict[str, Any]:
    """Time each step, after one call of each that is not timed where libraries compile or load on first use.

    Parameters
    ----------
    header : Path
        A WFDB record.
    size : Slice

    Returns
    -------
    dict
        ``seconds_per_beat``: ``read``, ``clean``, ``peaks`` (of one lead), ``predict_1`` (beat by beat),
        ``predict_32``, ``maps_1`` and ``maps_32`` (Grad-CAM and saliency), ``shap``, ``figure``; ``beats``: how many
        were found in the slice.
    """
    import neurokit2
    import wfdb

    told = wfdb.rdheader(str(header.with_suffix("")))
    rate, length = told.fs, told.sig_len
    seconds: dict[str, float] = {}
    record, seconds["read"] = _timed(
        lambda: wfdb.rdrecord(str(header.with_suffix("")), sampto=min(round(size.signal_s * rate), length))
    )
    lead = record.p_signal[:, 0]
    neurokit2.ecg_peaks(neurokit2.ecg_clean(lead[: 20 * rate], sampling_rate=rate), sampling_rate=rate)
    cleaned, seconds["clean"] = _timed(lambda: neurokit2.ecg_clean(lead, sampling_rate=rate))
    (_, found), seconds["peaks"] = _timed(lambda: neurokit2.ecg_peaks(cleaned, sampling_rate=rate))
    n = len(found["ECG_R_Peaks"])
    per_beat = {name: value / n for name, value in seconds.items()}
    return {"seconds_per_beat": per_beat | _per_beat_explained(header, size), "beats": n}


def _per_beat_explained(header: Path, size: Slice) -> dict[str, float]:
    import shap

    model, background, waveform, context = _model_and_beats(header, size.signal_s)

    def some(count: int) -> list[FloatArray]:
        rows = np.linspace(0, len(waveform) - 1, count).astype(int)
        return [waveform[rows], context[rows]]

    alone, batches, explained = some(size.one_by_one), some(size.in_batches), some(size.by_shap)
    model.predict([x[:1] for x in alone], verbose=0)
    _, one_by_one = _timed(
        lambda: [model.predict([x[i : i + 1] for x in alone], verbose=0) for i in range(size.one_by_one)]
    )
    _, in_batches = _timed(lambda: model.predict(batches, batch_size=32, verbose=0))
    draw_maps = _maps(model)
    draw_maps([x[:1] for x in alone])
    _, maps_one_by_one = _timed(lambda: [draw_maps([x[i : i + 1] for x in alone]) for i in range(size.one_by_one)])
    _, maps_in_batches = _timed(
        lambda: [draw_maps([x[i : i + 32] for x in batches]) for i in range(0, size.in_batches, 32)]
    )
    explainer = shap.GradientExplainer(model, background)
    explainer.shap_values([x[:1] for x in explained])
    values, by_shap = _timed(lambda: explainer.shap_values(explained))
    _, drawn = _timed(lambda: _page(np.resize(explained[0][:, :, 0], (size.drawn, 256)), np.asarray(values[0])))
    return {
        "predict_1": one_by_one / size.one_by_one,
        "predict_32": in_batches / size.in_batches,
        "maps_1": maps_one_by_one / size.one_by_one,
        "maps_32": maps_in_batches / size.in_batches,
        "shap": by_shap / size.by_shap,
        "figure": drawn / size.drawn,
    }


def _maps(model: Any) -> Callable[[list[FloatArray]], tuple[FloatArray, FloatArray]]:  # noqa: ANN401 — Keras
    """Grad-CAM and saliency of the most probable class, as in Keras' Grad-CAM example."""
    import keras
    import tensorflow as tf

    layer = model.get_layer(CAM_LAYER)
    both = keras.Model(model.inputs, [layer.output, model.output])

    def draw(inputs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        waveform, context = (tf.convert_to_tensor(x) for x in inputs)
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            features, said = both([waveform, context])
            best = tf.reduce_max(said, axis=1)
        by_feature, by_sample = tape.gradient(best, [features, waveform])
        weights = tf.reduce_mean(by_feature, axis=1, keepdims=True)
        heat = tf.maximum(tf.reduce_sum(features * weights, axis=2), 0)
        return heat.numpy(), np.abs(by_sample.numpy()[:, :, 0])

    return draw


def _model_and_beats(header: Path, signal_s: float) -> tuple[Any, list[FloatArray], FloatArray, FloatArray]:
    """Give the champion as a Keras model, 100 background beats, and the slice's beats as the platform prepares them."""
    from ecg_core.beats import extract_from_primary_lead, model_inputs
    from ecg_core.formats import read_recording
    from ecg_core.models import load_model
    from ecg_core.pipeline.versions import scoring_version
    from ecg_core.recording import Recording
    from ecg_core.settings import load_settings
    from ecg_core.signal import analyse

    settings = load_settings()
    loaded = load_model(scoring_version(settings), settings.models_dir)
    whole = read_recording(header, b"")
    end = round(signal_s * whole.sampling_rate_hz)
    part = Recording("", whole.signal[:end], whole.sampling_rate_hz, whole.lead_names, whole.source_format)
    beats = extract_from_primary_lead(analyse(part), loaded.trees)
    background = loaded.background()
    rows = np.resize(np.arange(len(background[0])), 100)
    return loaded.keras_classifier(), [x[rows] for x in background], *model_inputs(beats)


def _page(beats: FloatArray, values: FloatArray) -> str:
    """Draw each beat, coloured by its values, into one HTML page, as a notebook's export does."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    parts = []
    for i, beat in enumerate(beats):
        figure, axes = pyplot.subplots(figsize=(8, 3))
        axes.plot(beat, color="black")
        axes.scatter(np.arange(beat.size), beat, c=values[i % len(values), :, 0].reshape(beat.size, -1)[:, 0], s=9)
        axes.set_title(f"Beat {i}")
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=100)
        pyplot.close(figure)
        parts.append(f'<img src="data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}">')
    return f"<html><body>{''.join(parts)}</body></html>"


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


if __name__ == "__main__":
    preload(("tensorflow", "keras", "shap"))
    sys.stdout.write(json.dumps(measure_usual_way(Path(sys.argv[1]), SLICES[sys.argv[2]])) + "\n")
