"""Both cores for a long recording: NumPy and SciPy let go of the interpreter while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
U = TypeVar("U")

LONG: Final = 1_000_000
"""Samples from which it pays; short recordings are worked on by a process a core."""
LONGEST: Final = 40_000_000
"""Samples (31 hours at 360 Hz) beyond which what two leads need at once is more memory than both cores are worth."""


def side_by_side(work: Callable[[T], U], items: Iterable[T], n_samples: int) -> list[U]:
    """Do the same to each item, in threads where the recording is long; answers in the order of the items."""
    if not LONG <= n_samples <= LONGEST:
        return [work(item) for item in items]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))
