"""Import the slow libraries ahead of their use, without their greetings."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

SCORING_MODULES: Final = ("onnx", "onnxruntime", "ecg_core.pipeline.inbox")
"""What a scoring task needs and takes a second to import."""


def preload(modules: Sequence[str]) -> list[str]:
    """Import modules; what the native libraries print on stderr meanwhile goes nowhere, what Python raises does not.

    Import only: a TensorFlow or ONNX Runtime session that is opened before a fork hangs or breaks in the child.

    Parameters
    ----------
    modules : sequence of str

    Returns
    -------
    list of str
        Those that could not be imported, each with its error: a scheduler without fast tasks is better than none.
    """
    # Inherited by the tasks too: warnings and errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    missing = []
    for name in modules:
        try:
            with quiet():
                importlib.import_module(name)
        except Exception as error:
            missing.append(f"{name} ({error!r})")
    return missing


@contextmanager
def quiet() -> Iterator[None]:
    """Send what native code prints on stderr to nowhere; the libraries' own settings do not silence all of it."""
    sys.stderr.flush()
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
