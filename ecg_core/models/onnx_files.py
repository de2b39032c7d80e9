"""Keras graphs as ONNX files, and ONNX Runtime sessions: scoring needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ecg_core.errors import ModelIntegrityError
from ecg_core.recording import FloatArray

if TYPE_CHECKING:
    import keras
    import onnx
    import onnxruntime

MAX_DIFFERENCE: Final = 1e-4
"""An ONNX file whose outputs differ more from Keras' is refused (logits, or units of scale)."""
BATCH: Final = 64
"""Beats that stay in a core's cache: 31,000 beats a second and core, 22,000 at 512 and 17,000 at 1,024."""
_WHOLE: Final = 16
"""Batches are filled up to a multiple of this."""


def export_onnx(model: keras.Model, path: Path) -> float:
    """Write a Keras model as ONNX and check that it says the same.

    Parameters
    ----------
    model : keras.Model
    path : Path
        The ONNX file, replaced where it is there.

    Returns
    -------
    float
        Greatest absolute difference from Keras over 64 random inputs.

    Raises
    ------
    ModelIntegrityError
        The difference is greater than `MAX_DIFFERENCE`.
    """
    random = np.random.default_rng(0)
    probe = {t.name: random.normal(size=(64, *t.shape[1:])).astype(np.float32) for t in model.inputs}
    inputs = list(probe.values())
    wanted = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    model.export(path, format="onnx", verbose=False)
    got = run_onnx(open_session(path), probe)
    difference = float(np.abs(got - wanted).max())
    if not difference <= MAX_DIFFERENCE:
        raise ModelIntegrityError(
            f"{path.name} differs from the Keras model by {difference:.2g}, more than {MAX_DIFFERENCE:.0e}.",
            "Use layers that ONNX renders faithfully, or update tf2onnx and onnxruntime.",
        )
    return difference


def open_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Open an ONNX file, or its bytes, for scoring on the CPU, an operator on one thread: `in_batches` uses the cores.

    Two threads within an operator wait for each other thousands of times a second, and where other processes want the
    cores as well, they wait long.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def in_batches(
    session: onnxruntime.InferenceSession,
    outputs: list[str] | None,
    inputs: Mapping[str, FloatArray],
    threads: int,
    batch: int = BATCH,
) -> list[FloatArray]:
    """Run a session over any number of beats, some at a time, on several threads.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    outputs : list of str, optional
        All where left out.
    inputs : mapping of str to ndarray of float32, shape (n, …)
    threads : int
    batch : int
        Beats at a time.

    Returns
    -------
    list of ndarray of float32, shape (n, …)
        One per output.
    """
    n = len(next(iter(inputs.values())))

    def run(start: int) -> list[FloatArray]:
        part = {name: np.ascontiguousarray(values[start : start + batch]) for name, values in inputs.items()}
        size = min(batch, n - start)
        if size % _WHOLE:
            # What is left over of a vector of numbers comes out otherwise in the last digit: a beat would not be
            # the same alone and among others.
            filled = np.minimum(np.arange(-(-size // _WHOLE) * _WHOLE), size - 1)
            part = {name: values[filled] for name, values in part.items()}
        return [values[:size] for values in session.run(outputs, part)]

    if n == 0:
        one = {name: np.zeros((1, *values.shape[1:]), np.float32) for name, values in inputs.items()}
        return [values[:0] for values in session.run(outputs, one)]
    if n <= batch:
        return run(0)
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(run, range(0, n, batch)))
    return [np.concatenate(of_output) for of_output in zip(*parts, strict=True)]


def run_onnx(session: onnxruntime.InferenceSession, inputs: Mapping[str, FloatArray], threads: int = 2) -> FloatArray:
    """Return the first output of `in_batches`."""
    return in_batches(session, None, inputs, threads)[0]


_HEAD_BATCH: Final = 2048
"""Contexts at a time: what is left of the graph is small."""


Features = dict[str, FloatArray]
"""Tensors at the cut by name, each of shape (n, …)."""


class SplitClassifier:
    """The classifier's graph as two: ``body(waveform)`` gives features, ``head(features, context)`` gives logits.

    It is the same arithmetic in the same order, so the logits are those of the whole graph up to rounding. Where the
    graph uses the waveform itself beside the context, the waveform is its own feature and nothing is saved.

    Parameters
    ----------
    path : Path
        The classifier's ONNX file, with inputs ``waveform`` and ``context``.
    threads : int
        Threads that ONNX Runtime uses.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import onnx

        whole = onnx.shape_inference.infer_shapes(onnx.load(path))
        self._cut = _cut(whole.graph)
        output = whole.graph.output[0].name
        extract = onnx.utils.Extractor(whole).extract_model

        def session(inputs: list[str], outputs: list[str]) -> onnxruntime.InferenceSession:
            return open_session(extract(inputs, outputs).SerializeToString())

        computed = [name for name in self._cut if name != "waveform"]
        self._body = session(["waveform"], computed) if computed else None
        self._head = session([*self._cut, "context"], [output])
        self._computed = computed
        self._threads = threads

    def features(self, waveform: FloatArray) -> Features:
        """Run the body.

        Parameters
        ----------
        waveform : ndarray of float32, shape (n, 256, 2)
        """
        outputs = in_batches(self._body, None, {"waveform": waveform}, self._threads) if self._body is not None else []
        of = dict(zip(self._computed, outputs, strict=True))
        return {name: waveform if name == "waveform" else of[name] for name in self._cut}

    def logits(self, features: Features, context: FloatArray) -> FloatArray:
        """Run the head: logits, float32, shape (n, 5).

        Parameters
        ----------
        features : dict of str to ndarray of float32, shape (n, …)
        context : ndarray of float32, shape (n, K)
        """
        fed = {**features, "context": context}
        return in_batches(self._head, None, fed, self._threads, _HEAD_BATCH)[0]


def _cut(graph: onnx.GraphProto) -> list[str]:
    """Name the tensors that depend on the waveform alone and that what depends on the context takes in."""
    of_waveform, of_context, cut = {"waveform"}, {"context"}, []
    for node in graph.node:  # in topological order, as ONNX demands
        if of_context.intersection(node.input):
            of_context.update(node.output)
            cut += [name for name in node.input if name in of_waveform and name not in cut]
        elif of_waveform.intersection(node.input):
            of_waveform.update(node.output)
    return cut
