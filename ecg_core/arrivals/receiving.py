"""Recordings that devices and archives send by DICOM (C-STORE): they go into the inbox, and all else follows there.

Nothing of what is sent is looked at here but its size and its class: reading is the reading processes'. A file is
called by the hash of its content, so that what is sent twice lies there once and no name of a person is on the disk.
"""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import structlog
from upath import UPath

from ecg_core.errors import SettingsError
from ecg_core.settings import Settings

if TYPE_CHECKING:
    from pynetdicom.events import Event as Received
    from pynetdicom.transport import ThreadedAssociationServer

log = structlog.get_logger(__name__)

FOLDER: Final = "dicom"
"""Below the inbox."""
_VERIFICATION: Final = "1.2.840.10008.1.1"
_WAVEFORMS: Final = tuple(f"1.2.840.10008.5.1.4.1.1.9.1.{n}" for n in (1, 2, 3, 4))
"""Twelve-lead, general, ambulatory and 32-bit ECG."""
_SYNTAXES: Final = tuple(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
_TAKEN, _OUT_OF_RESOURCES, _NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
_IDLE_S: Final = 60.0
_MOST_AT_ONCE: Final = 10


def receive_dicom(settings: Settings, stop: Event) -> None:
    """Take what is sent until `stop` is set.

    Raises
    ------
    SettingsError
        The address cannot be listened at, or the certificate cannot be read.
    """
    server = start_receiving(settings)
    try:
        stop.wait()
    finally:
        server.shutdown()


def start_receiving(settings: Settings) -> ThreadedAssociationServer:
    """Begin to take what is sent, in threads of its own; ``shutdown()`` of what is returned ends it.

    Raises
    ------
    SettingsError
        As `receive_dicom`.
    """
    from pynetdicom import AE, evt

    # At lower levels it names instances and senders.
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    entity = AE(ae_title=settings.dicom_ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(settings.dicom_callers)
    entity.maximum_associations, entity.network_timeout = _MOST_AT_ONCE, _IDLE_S
    for sop_class in _WAVEFORMS:
        entity.add_supported_context(sop_class, list(_SYNTAXES))
    entity.add_supported_context(_VERIFICATION)
    host, _, port = settings.dicom_address.rpartition(":")
    try:
        server = entity.start_server(
            (host, int(port)),
            block=False,
            ssl_context=_tls(settings.dicom_certificate),
            evt_handlers=[(evt.EVT_C_STORE, lambda event: _take(settings, event))],
        )
    except OSError as error:
        raise SettingsError(
            f"Nothing can be received at {settings.dicom_address} ({error.strerror or error}).",
            "Set ECG_DICOM_ADDRESS to an address of this host and a free port.",
        ) from None
    if server is None:
        raise SettingsError("The receiver did not start.", "Its log says why.")
    return server


def _tls(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except (OSError, ssl.SSLError):
        raise SettingsError(
            "The certificate of ECG_DICOM_CERTIFICATE cannot be read.",
            "Name a PEM file that holds the certificate and its key.",
        ) from None
    return context


def _take(settings: Settings, event: Received) -> int:
    """Write what was sent into the inbox; the status that the sender is answered."""
    content = event.encoded_dataset()
    if len(content) > settings.read_size_mb * 1_000_000:
        log.warning("received and refused", reason="larger than ECG_READ_SIZE_MB", size_bytes=len(content))
        return _NOT_UNDERSTOOD
    digest = hashlib.sha256(content).hexdigest()
    try:
        _put(UPath(settings.inbox_address) / FOLDER, f"{digest[:32]}.dcm", content)
    except OSError as error:
        log.warning("received and not kept", reason=error.strerror or type(error).__name__)
        return _OUT_OF_RESOURCES
    log.info("received", file=digest[:16], size_bytes=len(content))
    return _TAKEN


def _put(folder: UPath, name: str, content: bytes) -> None:
    """Write a file whole or not at all; one that is there already stays as it is."""
    if (folder / name).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if folder.protocol not in ("", "file"):
        (folder / name).write_bytes(content)
        return
    # A hidden file is left alone by the inbox.
    temporary = Path(str(folder)) / f".{name}.{os.getpid()}-{id(content):x}"
    try:
        temporary.write_bytes(content)
        temporary.rename(Path(str(folder)) / name)
    finally:
        temporary.unlink(missing_ok=True)
