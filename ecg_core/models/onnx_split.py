"""A classifier cut in two where the context enters: what depends on the waveform alone is computed once.

Explanations ask about one waveform together with many contexts (a wave player may be in or out while an interval
player is in or out too). The convolutions are nearly all of the work, and they do not see the context.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ecg_core.models.onnx_files import in_batches, open_session
from ecg_core.models.training_beats import FloatArray

if TYPE_CHECKING:
    import onnx
    import onnxruntime

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
        found = in_batches(self._body, None, {"waveform": waveform}, self._threads) if self._body is not None else []
        of = dict(zip(self._computed, found, strict=True))
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
