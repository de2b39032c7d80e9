"""Small tools of the stack: locks, secrets, free ports, the end of a log."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; the system frees it when the process ends, however it ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write ``text`` under a temporary name, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def read_secret(path: Path, n_bytes: int = 32) -> str:
    """Return the secret kept in ``path`` (mode 600), made of ``n_bytes`` random bytes when first asked for.

    It holds letters, digits, ``-`` and ``_`` alone, so that it can stand in an address.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, secrets.token_urlsafe(n_bytes), mode=0o600)
    return path.read_text().strip()


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on that port of loopback."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def unused_port() -> int:
    """Return a port of loopback that the system says is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tail(path: Path, n_lines: int, prefixes: tuple[str, ...] = ()) -> str:
    """Return the last lines of a log, of those that open with one of ``prefixes`` where it has any of them."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    chosen = [line for line in lines if line.startswith(prefixes)] if prefixes else []
    return "\n".join(line[:300] for line in (chosen or lines)[-n_lines:])
