"""Ways of a reading's result into other systems: FHIR, HL7 v2 over MLLP, DICOM C-STORE, each under a number of its own.

What is sent twice is the same to whom it is sent: a bundle is put under its id, a message has its control id, an
instance its UID. A receiver that took it and could not say so has it once.
"""

from __future__ import annotations

import socket
import ssl
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import httpx

from ecg_core.errors import DeliveryFailed
from ecg_core.store.outbox import Delivery

if TYPE_CHECKING:
    from ecg_core.messages.documents import Documents

SCHEMES: Final = ("fhir+http", "fhir+https", "mllp", "mllps", "dicom", "dicoms")
"""Addresses that take results of readings and nothing else."""
_START, _END = b"\x0b", b"\x1c\r"
_LARGEST_ANSWER_BYTES: Final = 1_000_000
_NAMESPACE: Final = uuid.UUID("4e1f3f57-7a1c-4d0c-8f0e-0d9f2a7c1b66")


def send_result(delivery: Delivery, address: str, documents: Documents | None, timeout_s: float) -> None:
    """Send a reading's result to an address of one of `SCHEMES`; with no documents, ask whether somebody is there.

    Parameters
    ----------
    delivery : Delivery
    address : str
        ``fhir+https://host/base#token=…`` (PUT of the bundle below it); ``mllp://host:port``;
        ``dicom://CALLED@host:port?calling=OURS``. ``mllps`` and ``dicoms``: over TLS.
    documents : Documents or None
    timeout_s : float

    Raises
    ------
    DeliveryFailed
        The system did not take it.
    OSError, httpx.HTTPError
        It does not answer.
    """
    url = urlsplit(address)
    if url.scheme.startswith("fhir+"):
        _by_fhir(delivery, address.removeprefix("fhir+"), documents, timeout_s)
    elif url.hostname is None or url.port is None:
        raise DeliveryFailed("The channel's address names no host and port.", f"Write {url.scheme}://host:port.")
    elif url.scheme.startswith("mllp"):
        _by_mllp(delivery, url, documents, timeout_s)
    else:
        _by_dicom(url, documents, timeout_s)


def secrets_of(address: str) -> tuple[str, dict[str, str]]:
    """Divide an address from what stands behind its ``#``, which is for us and never sent."""
    bare, _, fragment = address.partition("#")
    return bare, {name: values[-1] for name, values in parse_qs(fragment).items()}


def _by_fhir(delivery: Delivery, address: str, documents: Documents | None, timeout_s: float) -> None:
    base, secrets = secrets_of(address)
    headers = {"Content-Type": "application/fhir+json"}
    headers |= {"Authorization": f"Bearer {secrets['token']}"} if "token" in secrets else {}
    if documents is None:
        answer = httpx.get(f"{base.rstrip('/')}/metadata", headers=headers, timeout=timeout_s)
    else:
        # The reading's own id: what it says later takes the place of what it said.
        number = str(uuid.uuid5(_NAMESPACE, f"reading {documents.reading_id}"))
        bundle: dict[str, Any] = {**documents.fhir(), "id": number}
        answer = httpx.put(f"{base.rstrip('/')}/Bundle/{number}", json=bundle, headers=headers, timeout=timeout_s)
    if not answer.is_success:
        raise DeliveryFailed(f"The FHIR server answered {answer.status_code}.", "Its log says why.")


# --- HL7 v2


def _by_mllp(delivery: Delivery, url: SplitResult, documents: Documents | None, timeout_s: float) -> None:
    control_id = f"ECG{delivery.delivery_id}"
    message = documents.oru(control_id) if documents is not None else ""
    with closing(_connected(url, timeout_s)) as connection:
        if documents is None:
            return
        connection.sendall(_START + message.encode() + _END)
        answer = b""
        while not answer.endswith(_END):
            part = connection.recv(65_536)
            answer += part
            if not part or len(answer) > _LARGEST_ANSWER_BYTES:
                raise DeliveryFailed("The HL7 receiver ended without an acknowledgement.", "Its log says why.")
    _check_acknowledgement(answer.strip(_START + _END).decode("utf-8", "replace"), control_id)


def _check_acknowledgement(answer: str, control_id: str) -> None:
    import hl7

    try:
        code, of = (str(field) for field in hl7.parse(answer).segment("MSA")[1:3])
    except (hl7.HL7Exception, KeyError, ValueError, IndexError):
        raise DeliveryFailed("The HL7 receiver's answer is no acknowledgement.", "Its log says why.") from None
    if code not in {"AA", "CA"}:
        raise DeliveryFailed(f"The HL7 receiver answered {code[:2]}.", "Its log says why.")
    if of and of != control_id:
        raise DeliveryFailed("The HL7 receiver acknowledged another message.", "Its log says why.")


def _connected(url: SplitResult, timeout_s: float) -> socket.socket:
    plain = socket.create_connection((url.hostname or "", url.port or 0), timeout=timeout_s)
    if not url.scheme.endswith("s"):
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=url.hostname)


# --- DICOM


def _by_dicom(url: SplitResult, documents: Documents | None, timeout_s: float) -> None:
    from pynetdicom import AE

    ours = parse_qs(url.query).get("calling", ["ECGPLATFORM"])[-1]
    instances = documents.dicom() if documents is not None else []
    entity = AE(ae_title=ours)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = timeout_s
    entity.add_requested_context("1.2.840.10008.1.1")
    for instance in instances:
        entity.add_requested_context(instance.SOPClassUID, instance.file_meta.TransferSyntaxUID)
    host, called = url.hostname or "", unquote(url.username or "ANY-SCP")
    tls = (ssl.create_default_context(), host) if url.scheme.endswith("s") else None
    association = entity.associate(host, url.port or 0, ae_title=called, tls_args=tls)
    if not association.is_established:
        raise DeliveryFailed("The DICOM node does not answer, or refuses the association.", "Check its AE titles.")
    try:
        statuses = [association.send_c_store(instance) for instance in instances] or [association.send_c_echo()]
    except ValueError:
        raise DeliveryFailed("The DICOM node does not take ECG waveforms or PDFs.", "Let it accept them.") from None
    finally:
        association.release()
    for status in statuses:
        # Warnings (B…) say that it was taken.
        if "Status" not in status or not (status.Status == 0 or status.Status >> 12 == 0xB):
            said = f"{status.Status:04X}H" if "Status" in status else "nothing"
            raise DeliveryFailed(f"The DICOM node answered {said}.", "Its log says why.")
