"""A stream that is encrypted with a passphrase: AES-256-GCM in chunks, the key by scrypt.

Each chunk is authenticated with its number and with whether it is the last (Hoang et al. 2015, STREAM), so that chunks
can be neither changed, nor exchanged, nor cut off unnoticed.
"""

from __future__ import annotations

import os
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ecg_core.errors import BackupError

MAGIC: Final = b"ECGSEAL1"
_SALT_BYTES: Final = 16
_CHUNK_BYTES: Final = 1 << 20
_TAG_BYTES: Final = 16


class Sealing:
    """A file to write to; what is written comes out encrypted. Close it, or the last chunk is missing."""

    def __init__(self, target: IO[bytes], passphrase: str) -> None:
        salt = os.urandom(_SALT_BYTES)
        target.write(MAGIC + salt)
        self._target, self._cipher = target, _cipher(passphrase, salt)
        self._waiting, self._number = b"", 0

    def write(self, data: bytes) -> int:
        """Take in bytes."""
        self._waiting += data
        while len(self._waiting) > _CHUNK_BYTES:
            self._put(self._waiting[:_CHUNK_BYTES], last=False)
            self._waiting = self._waiting[_CHUNK_BYTES:]
        return len(data)

    def close(self) -> None:
        """Write the last chunk."""
        self._put(self._waiting, last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, MAGIC))
        self._number += 1


class Unsealing:
    """A file to read from: the bytes that were sealed.

    Raises
    ------
    BackupError
        The passphrase is wrong, or the stream was changed or cut off.
    """

    def __init__(self, source: IO[bytes], passphrase: str) -> None:
        self._source, self._cipher = source, _cipher(passphrase, source.read(_SALT_BYTES))
        self._ready, self._number = b"", 0
        self._next = source.read(_CHUNK_BYTES + _TAG_BYTES)
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            sealed, self._next = self._next, self._source.read(_CHUNK_BYTES + _TAG_BYTES)
            self._ended = not self._next
            try:
                self._ready += self._cipher.decrypt(_nonce(self._number, last=self._ended), sealed, MAGIC)
            except InvalidTag:
                raise BackupError(
                    "The backup cannot be opened: the passphrase is wrong, or the file was changed or cut off.",
                    "Give the passphrase that it was made with, or take another copy.",
                ) from None
            self._number += 1
        size = len(self._ready) if size < 0 else size
        given, self._ready = self._ready[:size], self._ready[size:]
        return given


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
