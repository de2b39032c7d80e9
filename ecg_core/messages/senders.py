"""Ways out of the outbox: each takes one message through one kind of address.

What an error says never holds the address: it may carry a password, and the error is stored and logged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from ecg_core.errors import DeliveryFailed, EcgError
from ecg_core.messages import result_senders
from ecg_core.messages.result_senders import secrets_of
from ecg_core.store.outbox import Delivery

if TYPE_CHECKING:
    from ecg_core.messages.documents import Documents

TIMEOUT_S: Final = 20.0


def send(delivery: Delivery, address: str, documents: Documents | None = None) -> None:
    """Send a message to an address, by its scheme.

    Parameters
    ----------
    delivery : Delivery
    address : str
        ``smtp://user:password@host:port/?from=…&to=…,…`` (``smtps``: TLS from the start, ``&starttls=1``: TLS after
        the greeting); ``http`` and ``https`` get JSON posted, signed where ``#key=…`` stands behind them;
        ``fhir+https``, ``mllp``, ``dicom`` and their kin are those of `result_senders`; all else is apprise's.
    documents : Documents, optional
        Of the reading, where the message is its result.

    Raises
    ------
    DeliveryFailed
        The channel did not take it.
    """
    scheme = urlsplit(address).scheme
    try:
        if scheme in result_senders.SCHEMES:
            result_senders.send_result(delivery, address, documents, TIMEOUT_S)
        elif scheme in {"http", "https"}:
            _by_webhook(delivery, address, documents)
        elif scheme in {"smtp", "smtps"}:
            _by_mail(delivery, address)
        else:
            _by_apprise(delivery, address)
    except DeliveryFailed:
        raise
    except EcgError as error:
        raise DeliveryFailed(f"What is to be sent cannot be made: {error.what}", error.mend) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise DeliveryFailed(f"The mail server refused all recipients ({codes}).", "Correct them.") from None
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(f"The mail server answered {error.smtp_code}.", "Its log says why.") from None
    except (OSError, smtplib.SMTPException, httpx.HTTPError) as error:
        raise DeliveryFailed(
            f"The channel does not answer ({type(error).__name__}).", "Check its address and the network."
        ) from None


def as_json(delivery: Delivery, documents: Documents | None = None) -> dict[str, Any]:
    """Return what a webhook is sent."""
    payload = delivery.payload if documents is None else documents.as_json()
    return {
        "delivery": delivery.delivery_id,
        "message": delivery.message_id,
        "kind": delivery.kind,
        "severity": delivery.severity,
        "subject": delivery.subject,
        "body": delivery.body,
        "raised": delivery.n_raised,
        "created_at": delivery.created_at.isoformat(),
        **({"payload": payload} if payload is not None else {}),
    }


def _by_mail(delivery: Delivery, address: str) -> None:
    url = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if not options.get("to") or not options.get("from") or url.hostname is None:
        raise DeliveryFailed("The channel's address names no host, from or to.", "Write smtp://host/?from=…&to=….")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = options["from"], options["to"], delivery.subject
    # The same delivery sent twice has the same number: a mailbox can tell.
    mail["Message-ID"] = f"<ecg-delivery-{delivery.delivery_id}@{options['from'].rpartition('@')[2]}>"
    mail["X-ECG-Kind"] = delivery.kind
    mail.set_content(delivery.body)
    kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with kind(url.hostname, url.port or (465 if url.scheme == "smtps" else 25), timeout=TIMEOUT_S) as server:
        if options.get("starttls"):
            server.starttls()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(mail)


def _by_webhook(delivery: Delivery, address: str, documents: Documents | None) -> None:
    bare, secrets = secrets_of(address)
    headers = {"Idempotency-Key": f"ecg-delivery-{delivery.delivery_id}", "Content-Type": "application/json"}
    content = json.dumps(as_json(delivery, documents), ensure_ascii=False).encode()
    if "key" in secrets:
        headers["X-ECG-Signature"] = signature(content, secrets["key"], int(time.time()))
    answer = httpx.post(bare, content=content, headers=headers, timeout=TIMEOUT_S)
    if not answer.is_success:
        raise DeliveryFailed(f"The webhook answered {answer.status_code}.", "Its log says why.")


def signature(content: bytes, key: str, at: int) -> str:
    """Sign what is posted: ``t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.content">``, as payment services do."""
    digest = hmac.new(key.encode(), f"{at}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _by_apprise(delivery: Delivery, address: str) -> None:
    import apprise

    way = apprise.Apprise()
    if not way.add(address):
        raise DeliveryFailed("Apprise does not understand the channel's address.", "Correct it in ECG_CHANNELS.")
    if not way.notify(title=delivery.subject, body=delivery.body):
        raise DeliveryFailed("Apprise could not send it.", "Check the channel's address and its service.")
