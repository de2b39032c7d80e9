"""A classifier cut in two where the context enters: what depends on the waveform alone is computed once.

Explanations ask about one waveform together with many contexts (a wave player may be in or out while an interval
player is in or out too). The convolutions are nearly all of the work, and they do not see the context.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ecg_core.models.onnx_files import session_options
from ecg_core.models.training_beats import FloatArray

if TYPE_CHECKING:
    import onnx
    import onnxruntime

_BODY_BATCH: Final = 64
"""Its layers' outputs stay in the processor's cache: 30,000 waveforms a second and core, of 512 at a time 18,000."""
_HEAD_BATCH: Final = 32_768
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
        import onnxruntime

        whole = onnx.shape_inference.infer_shapes(onnx.load(path))
        self._cut = _cut(whole.graph)
        output = whole.graph.output[0].name
        extract = onnx.utils.Extractor(whole).extract_model

        def session(inputs: list[str], outputs: list[str]) -> onnxruntime.InferenceSession:
            part = extract(inputs, outputs).SerializeToString()
            return onnxruntime.InferenceSession(part, session_options(threads), providers=["CPUExecutionProvider"])

        computed = [name for name in self._cut if name != "waveform"]
        self._body = session(["waveform"], computed) if computed else None
        self._head = session([*self._cut, "context"], [output])
        self._computed = computed

    def features(self, waveform: FloatArray) -> Features:
        """Run the body.

        Parameters
        ----------
        waveform : ndarray of float32, shape (n, 256, 2)
        """
        parts: list[list[FloatArray]] = []
        for start in range(0, len(waveform), _BODY_BATCH) if self._body is not None else ():
            batch = np.ascontiguousarray(waveform[start : start + _BODY_BATCH])
            parts.append(self._body.run(self._computed, {"waveform": batch}))  # type: ignore[union-attr]
        of = {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(self._computed)}
        return {name: waveform if name == "waveform" else of[name] for name in self._cut}

    def logits(self, features: Features, context: FloatArray) -> FloatArray:
        """Run the head: logits, float32, shape (n, 5).

        Parameters
        ----------
        features : dict of str to ndarray of float32, shape (n, …)
        context : ndarray of float32, shape (n, K)
        """
        fed = {**features, "context": context}
        parts = [
            self._head.run(None, {k: np.ascontiguousarray(v[at : at + _HEAD_BATCH]) for k, v in fed.items()})[0]
            for at in range(0, len(context), _HEAD_BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, 5), dtype=np.float32)


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
