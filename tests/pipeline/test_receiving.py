"""`ecg receive-dicom`: what is sent by C-STORE lies in the inbox once, whole, without a name, and is scored there."""

import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pynetdicom import AE

from ecg_core.arrivals.receiving import start_receiving
from ecg_core.errors import SettingsError
from ecg_core.settings import PROJECT_DIR, Settings

sys.path.insert(0, str(PROJECT_DIR / "tests" / "formats"))
import format_writers as w

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"


@pytest.fixture
def quiet(tmp_path):
    return Settings(_env_file=None, home=tmp_path / "home", inbox=str(tmp_path / "inbox"), dicom_address="127.0.0.1:0")


@pytest.fixture
def instance(tmp_path):
    w.dicom(tmp_path / "r.dcm", w.Truth())
    data = pydicom.dcmread(tmp_path / "r.dcm")
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return data


def send(server, data, called="ECGPLATFORM", calling="CART7", tls=None, sop_class=TWELVE_LEAD):
    """C-STORE; the status, or None where there is no association."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(sop_class, "1.2.840.10008.1.2.1")
    association = entity.associate(*server.socket.getsockname(), ae_title=called, tls_args=(tls, None) if tls else None)
    if not association.is_established:
        return None
    try:
        return association.send_c_store(data).Status
    finally:
        association.release()


def in_inbox(settings):
    return sorted(path for path in Path(settings.inbox_address).rglob("*") if path.is_file())


def test_what_is_sent_lies_in_the_inbox_once(quiet, instance, capfd):
    server = start_receiving(quiet)
    try:
        assert [send(server, instance), send(server, instance)] == [0, 0]
        assert server.socket.getsockname()[0] == "127.0.0.1"
    finally:
        server.shutdown()
    (path,) = in_inbox(quiet)
    assert path.parent.name == "dicom"
    assert pydicom.dcmread(path).WaveformSequence[1].WaveformData == instance.WaveformSequence[1].WaveformData
    said = capfd.readouterr()
    assert [mark for mark in w.MARKS if mark in path.name + said.out + said.err] == []


@pytest.mark.parametrize(("called", "calling"), [("ANOTHER", "CART7"), ("ECGPLATFORM", "STRANGER")])
def test_who_is_not_known_is_not_let_in(quiet, instance, called, calling):
    server = start_receiving(quiet.model_copy(update={"dicom_callers": ("CART7",)}))
    try:
        assert send(server, instance, called, calling) is None
        assert send(server, instance) == 0
    finally:
        server.shutdown()


def test_images_and_what_is_too_large_or_finds_no_room_is_refused(quiet, instance):
    server = start_receiving(quiet.model_copy(update={"read_size_mb": 0.01}))
    try:
        assert send(server, instance) == 0xC000
        assert send(server, instance, sop_class="1.2.840.10008.5.1.4.1.1.7") is None
    finally:
        server.shutdown()
    Path(quiet.inbox_address).write_text("no folder")
    server = start_receiving(quiet)
    try:
        assert send(server, instance) == 0xA700
    finally:
        server.shutdown()


def test_over_tls(quiet, instance, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "tls.pem").write_bytes(pem + key.private_bytes(*form))
    server = start_receiving(quiet.model_copy(update={"dicom_certificate": tmp_path / "tls.pem"}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        assert send(server, instance, tls=context) == 0
        assert send(server, instance) is None
    finally:
        server.shutdown()
    (tmp_path / "tls.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="certificate"):
        start_receiving(quiet.model_copy(update={"dicom_certificate": tmp_path / "tls.pem"}))


def test_an_address_that_is_taken(quiet):
    server = start_receiving(quiet)
    try:
        taken = "{}:{}".format(*server.socket.getsockname())
        with pytest.raises(SettingsError, match="ECG_DICOM_ADDRESS"):
            start_receiving(quiet.model_copy(update={"dicom_address": taken}))
    finally:
        server.shutdown()


def test_it_is_scored_from_there(settings, instance):
    from ecg_core.pipeline import inbox
    from ecg_core.readers.reports import list_arrivals

    server = start_receiving(settings.model_copy(update={"dicom_address": "127.0.0.1:0"}))
    try:
        assert send(server, instance) == 0
    finally:
        server.shutdown()
    inbox.register_arrivals(settings)
    for chunk in inbox.plan_chunks(settings):
        inbox.score_chunk(settings, chunk, "test")
    assert [one.outcome for one in list_arrivals(settings, settings.inbox_address)] == ["scored"]
