"""The one process that reads files for this one."""

from __future__ import annotations

import atexit
from functools import lru_cache

from ecg_core.formats import ReadingLimits, ReadingProcess
from ecg_core.settings import Settings


def reader(settings: Settings) -> ReadingProcess:
    """Return the process that reads files within the limits of the settings; it starts at its first use."""
    return _reader(ReadingLimits(settings.read_memory_mb, settings.read_time_s, settings.read_size_mb))


@lru_cache(maxsize=4)
def _reader(limits: ReadingLimits) -> ReadingProcess:
    process = ReadingProcess(limits)
    atexit.register(process.close)
    return process
