"""A process that reads files for another one, within limits: whatever a file does to it costs that file alone.

It stays for the next file, since to import what reads takes a second, and is replaced when it dies. It is given paths
and sends back recordings over a pair of sockets; nothing of a file reaches a command line or the environment.

The limit of memory is one of the address space beyond what the empty process takes, that of time one of computing time:
a machine that is busy or asleep costs no file anything. A file system that does not answer is told as what it is.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import structlog

from ecg_core.errors import EcgError, MachineError, ReadingDied, ReadingFailed, ReadingLimit
from ecg_core.formats.inbox import Candidate
from ecg_core.formats.reading import read_recording
from ecg_core.formats.staging import Prepared, prepare
from ecg_core.recording import Recording

_log = structlog.get_logger(__name__)

_WAIT_FACTOR: Final = 10
"""So many times its computing time a file may take by the clock, before its disk is taken to be out of reach."""
_LEAST_WAIT_S: Final = 30.0
_LENGTH_BYTES: Final = 8
_MEND_LIMIT: Final = "If it is a real recording, raise {setting}, and then: `ecg retry`."


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What reading one file may take: memory (MB), computing time (seconds), and size of its files (MB)."""

    memory_mb: int = 4000
    time_s: float = 120.0
    size_mb: int = 4000


class ReadingProcess:
    """Reads and copies files in a process of its own, which is started at the first use.

    Parameters
    ----------
    limits : ReadingLimits
    """

    def __init__(self, limits: ReadingLimits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._owner = os.getpid()

    def read(self, path: Path, pseudonym_key: bytes, recording_id: str | None = None) -> Recording:
        """Read a recording, as `ecg_core.formats.read_recording` does.

        Raises
        ------
        RecordingError
            As there; also that it took more than the limits, or ended the process that read it.
        MachineError
            The disk does not answer, or no process can be started.
        OSError
            As there.
        """
        total = sum(file.stat().st_size for file in _files_of(path))
        if total > self.limits.size_mb * 1_000_000:
            raise too_large(total, self.limits)
        return cast(Recording, self._ask("read", path, pseudonym_key, recording_id))

    def prepare(self, candidate: Candidate, recordings_dir: Path) -> Prepared:
        """Copy a candidate that lies on a disk, as `ecg_core.formats.staging.prepare` does; raises what `read` does."""
        if candidate.size_bytes > self.limits.size_mb * 1_000_000:
            raise too_large(candidate.size_bytes, self.limits)
        return cast(Prepared, self._ask("prepare", candidate, recordings_dir))

    @property
    def pid(self) -> int | None:
        """Number of the process; None where none runs."""
        return self._process.pid if self._process is not None else None

    def close(self) -> None:
        """End the process. The next use starts another."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        if self._socket is not None:
            self._socket.close()
        self._process = self._socket = None

    def start(self) -> None:
        """Start the process where none runs, without waiting until it is ready."""
        if self._owner != os.getpid():
            # This process was forked: the parent's reader is not ours.
            self._process, self._owner = None, os.getpid()
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        code = f"from ecg_core.formats.reading_process import serve; serve({theirs.fileno()}, {self.limits.memory_mb})"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd=Path(__file__).resolve().parents[2],
            )
        except OSError as error:
            ours.close()
            raise MachineError(
                f"No process can be started that reads files: {error.strerror}.", "Free memory or processes."
            ) from None
        finally:
            theirs.close()
        self._socket = ours

    def _ask(self, what: str, *arguments: object) -> object:
        with self._lock:
            status = 0
            # What kills a process can come from outside: a file is to blame where it ends two of them.
            for _ in range(2):
                self.start()
                try:
                    return self._exchange(what, arguments)
                except (EOFError, ConnectionError):
                    status = self._ended()
                    if status == -signal.SIGPROF:
                        break
        if status == -signal.SIGPROF:
            raise ReadingLimit(
                f"Reading it takes more than {self.limits.time_s:g} s of computing time.",
                _MEND_LIMIT.format(setting="ECG_READ_TIME_S"),
            )
        raise ReadingDied(
            f"Reading it ended the process that read it, twice ({_in_words(status)}).",
            "Report it with the file, if it may be shown; raise ECG_READ_MEMORY_MB where the machine has the memory.",
        )

    def _exchange(self, what: str, arguments: tuple[object, ...]) -> object:
        assert self._socket is not None
        wait_s = max(_LEAST_WAIT_S, _WAIT_FACTOR * self.limits.time_s)
        deadline = time.monotonic() + wait_s
        try:
            self._socket.settimeout(wait_s)
            _send(self._socket, (what, self.limits.time_s, arguments))
            kind, value = _receive(self._socket, deadline)
            if kind == "recording":
                recording, shape = value
                signal_mv = np.empty(shape, np.float32)
                _fill(self._socket, signal_mv.reshape(-1).view(np.uint8).data, deadline)
                return replace(recording, signal=signal_mv)
        except TimeoutError:
            self.close()
            raise MachineError(
                f"The disk with a file of the inbox or its copy has not answered for {wait_s:g} s.",
                "Check its mount; nothing is wrong with the recording.",
            ) from None
        if kind == "error":
            raise value
        if kind == "memory":
            self.close()
            raise ReadingLimit(
                f"Reading it takes more than {self.limits.memory_mb:,} MB of memory.",
                _MEND_LIMIT.format(setting="ECG_READ_MEMORY_MB"),
            )
        if kind == "unforeseen":
            _log.error("reading failed", traceback=value[1])
            raise ReadingFailed(
                f"Our own reader failed on it ({value[0]}).",
                "Report it with the traceback in the task's log; after a release that mends it: `ecg retry`.",
            )
        return value

    def _ended(self) -> int:
        """Return the exit status of the process that has ended or closed its end."""
        process = self._process
        if process is None:
            return 0
        try:
            status = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        self.close()
        return status


def too_large(total_bytes: int, limits: ReadingLimits) -> ReadingLimit:
    """Say that a recording's files are larger than is opened."""
    return ReadingLimit(
        f"Its files hold {total_bytes / 1e6:,.0f} MB, and nothing above {limits.size_mb:,} MB is opened.",
        _MEND_LIMIT.format(setting="ECG_READ_SIZE_MB"),
    )


def _files_of(path: Path) -> list[Path]:
    """List a file, and what lies in the folder of a staged copy beside it."""
    return list(path.parent.glob("*")) if path.name.startswith("recording.") else [path] if path.exists() else []


def _in_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    more = ", often too little memory" if status == -signal.SIGKILL else ""
    return f"signal {signal.Signals(-status).name}{more}"


# --- the process that reads


def serve(fd: int, memory_mb: int) -> None:
    """Answer what comes over a socket, until it is closed."""
    import wfdb  # noqa: F401  # before the limit is set: it is not the file's

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _limit_memory(memory_mb)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is told, and closes the socket
    work: dict[str, Callable[..., object]] = {"read": read_recording, "prepare": prepare}
    with socket.socket(fileno=fd) as pipe:
        while True:
            try:
                what, time_s, arguments = _receive(pipe, None)
                signal.setitimer(signal.ITIMER_PROF, time_s)
                answer = _answer(work[what], arguments)
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal_mv = None
                if isinstance(answer[1], Recording):
                    signal_mv = np.ascontiguousarray(answer[1].signal, np.float32)
                    recording = replace(answer[1], signal=np.empty((0, 0), np.float32))
                    answer = "recording", (recording, signal_mv.shape)
                _send(pipe, answer)
                if signal_mv is not None:
                    pipe.sendall(signal_mv.reshape(-1).view(np.uint8).data)
            except (EOFError, ConnectionError):
                return


def _answer(work: Callable[..., object], arguments: tuple[object, ...]) -> tuple[str, Any]:
    try:
        return "value", work(*arguments)
    except (EcgError, OSError) as error:
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return "error", error
    except MemoryError:
        return "memory", None
    except Exception as error:
        # The message stays behind: it can quote the file.
        frames = "".join(traceback.format_tb(error.__traceback__))
        return "unforeseen", (type(error).__name__, frames)


def _limit_memory(memory_mb: int) -> None:
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not Linux: no limit of the address space that holds
        return
    limit = pages * resource.getpagesize() + memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# --- messages: a length, and a pickle of our own


def _send(pipe: socket.socket, message: object) -> None:
    raw = pickle.dumps(message, protocol=5)
    pipe.sendall(len(raw).to_bytes(_LENGTH_BYTES, "big") + raw)


def _receive(pipe: socket.socket, deadline: float | None) -> tuple[Any, ...]:
    head = bytearray(_LENGTH_BYTES)
    _fill(pipe, memoryview(head), deadline)
    raw = bytearray(int.from_bytes(head, "big"))
    _fill(pipe, memoryview(raw), deadline)
    return cast(tuple[Any, ...], pickle.loads(raw))  # from our own process


def _fill(pipe: socket.socket, view: memoryview, deadline: float | None) -> None:
    while len(view):
        if deadline is not None:
            pipe.settimeout(max(0.001, deadline - time.monotonic()))
        n = pipe.recv_into(view)
        if n == 0:
            raise EOFError
        view = view[n:]
