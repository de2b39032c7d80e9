"""Keras graphs as ONNX files, and ONNX Runtime sessions: scoring needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ecg_core.errors import ModelIntegrityError
from ecg_core.models.training_beats import FloatArray

if TYPE_CHECKING:
    import keras
    import onnxruntime

MAX_DIFFERENCE: Final = 1e-4
"""An ONNX file whose outputs differ more from Keras' is refused (logits, or units of scale)."""
_BATCH: Final = 512


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


def open_session(path: Path, threads: int = 2) -> onnxruntime.InferenceSession:
    """Open an ONNX file for scoring on the CPU.

    Parameters
    ----------
    path : Path
    threads : int
        Threads within an operator.
    """
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), session_options(threads), providers=["CPUExecutionProvider"])


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return how all sessions run: `threads` within an operator, one operator after the other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def run_onnx(session: onnxruntime.InferenceSession, inputs: Mapping[str, FloatArray]) -> FloatArray:
    """Run a session over any number of beats, 512 at a time (larger batches are no faster and take gigabytes).

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    inputs : mapping of str to ndarray of float32, shape (n, …)

    Returns
    -------
    ndarray of float32, shape (n, …)
        The first output.
    """
    n = len(next(iter(inputs.values())))
    tail = tuple(size for size in session.get_outputs()[0].shape[1:])
    parts = [
        session.run(None, {name: values[start : start + _BATCH] for name, values in inputs.items()})[0]
        for start in range(0, n, _BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty((0, *tail), dtype=np.float32)
