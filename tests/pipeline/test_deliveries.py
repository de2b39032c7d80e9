"""Results into other systems: each arrives once, where the answer is good, slow, an error, late, or none at all."""

import hashlib
import hmac
import json
import socket
import socketserver
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hl7
import numpy as np
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from pydantic import SecretStr
from pynetdicom import AE, evt
from sqlalchemy import select, text

from ecg_core.formats import read_recording
from ecg_core.messages import notices, outbox, senders
from ecg_core.messages.outbox import Message
from ecg_core.pipeline import inbox
from ecg_core.readers import reviewing
from ecg_core.report import printing
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.reviews import Review
from ecg_core.store.tables import reading, report

sys.path.insert(0, str(PROJECT_DIR / "tests" / "formats"))
import format_writers as w

WAYS = ("well", "slowly", "error", "silent", "late")
"""Late: it takes what it is sent, and answers when the sender has given up waiting."""
WEBHOOK_KEY = "a-shared-secret"
TWELVE_LEAD, PDF = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.104.1"
GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.2"


@dataclass
class Receiver:
    """What arrived, by the number that the sender gave it, and how to answer the next one."""

    way: str = "well"
    got: dict[str, object] = field(default_factory=dict)
    attempts: int = 0
    address: str = ""

    def take(self, number: str, content: object) -> str:
        """Note what came in; how to answer: taken, refused or not at all. What ails it ails it once."""
        self.attempts += 1
        way, self.way = self.way, "well"
        if way == "error":
            return "refused"
        if way == "silent":
            time.sleep(2.0)
            return "silent"
        self.got[number] = content
        if way == "slowly":
            time.sleep(0.5)
        if way == "late":
            time.sleep(2.0)
        return "taken"


@contextmanager
def http(receiver):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            number = self.headers.get("Idempotency-Key") or self.path
            taken = receiver.take(number, (self.path, dict(self.headers), raw))
            if taken != "silent":
                self.send_response(200 if taken == "taken" else 503)
                self.end_headers()

        do_PUT = do_POST

        def do_GET(self):
            self.send_response(200 if self.path.endswith("/metadata") else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def mllp(receiver):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            raw = b""
            while not raw.endswith(b"\x1c\r"):
                part = self.request.recv(65536)
                if not part:
                    return
                raw += part
            message = hl7.parse(raw[1:-2].decode())
            number = str(message.segment("MSH")[10])
            taken = receiver.take(number, message)
            if taken != "silent":
                answer = str(message.create_ack("AA" if taken == "taken" else "AE"))
                self.request.sendall(b"\x0b" + answer.encode() + b"\x1c\r")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, *_):  # the sender had given up waiting
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def dicom(receiver):
    def store(event):
        data = event.dataset
        data.file_meta = event.file_meta
        taken = receiver.take(str(data.SOPInstanceUID), data)
        return 0x0000 if taken == "taken" else 0xA700

    entity = AE(ae_title="ARCHIVE")
    for sop_class in (TWELVE_LEAD, GENERAL, PDF, "1.2.840.10008.1.1"):
        entity.add_supported_context(sop_class)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    yield server.socket.getsockname()[1]
    server.shutdown()


SERVERS = {
    "webhook": (http, "http://127.0.0.1:{port}/hook#key=" + WEBHOOK_KEY),
    "fhir": (http, "fhir+http://127.0.0.1:{port}/fhir#token=abc"),
    "mllp": (mllp, "mllp://127.0.0.1:{port}"),
    "dicom": (dicom, "dicom://ARCHIVE@127.0.0.1:{port}"),
}


@pytest.fixture
def scored(settings: Settings):
    """A recording of eight leads, scored; its reading's number."""
    w.write(Path(settings.inbox), "dicom")
    inbox.register_arrivals(settings)
    for chunk in inbox.plan_chunks(settings):
        inbox.score_chunk(settings, chunk, "test")
    with store_engine(settings).connect() as connection:
        return connection.execute(select(reading.c.reading_id)).scalar_one()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(senders, "TIMEOUT_S", 1.0)


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.setattr(printing, "BROWSERS", ())


def with_channel(settings, address):
    rules = {"result": ("one",)}
    return settings.model_copy(
        update={"channels": SecretStr(json.dumps({"one": address})), "message_rules": rules, "public_url": "http://ui"}
    )


def raise_result(settings, reading_id, key):
    with store_engine(settings).begin() as connection:
        message = Message("result", "ECG: result", "…", "info", key=key, once=True, reading_id=reading_id)
        assert outbox.tell(connection, settings, message) is not None


def deliver_until_sent(settings, most=3):
    """Deliver, with the pauses between attempts passed; how often it failed."""
    for failed in range(most):
        if outbox.deliver_due(settings)["sent"]:
            return failed
        with owner_engine(settings).begin() as connection:
            connection.execute(text("UPDATE ecg.outbox_delivery SET due_at = now() WHERE state = 'waiting'"))
    raise AssertionError("it was never taken")


@pytest.mark.parametrize("kind", SERVERS)
def test_each_result_arrives_once(settings, scored, impatient, no_browser, kind):
    server, address = SERVERS[kind]
    receiver = Receiver()
    with server(receiver) as port:
        told = with_channel(settings, address.format(port=port))
        for n, way in enumerate(WAYS, start=1):
            receiver.way = way
            raise_result(told, scored, way)
            assert deliver_until_sent(told) == (0 if way in {"well", "slowly"} else 1), way
            assert outbox.deliver_due(told) == {"sent": 0, "failed": 0}
            # Of one reading the same bundle and the same instances, messages and posts each under a number of its own.
            assert len(receiver.got) == (n if kind in {"webhook", "mllp"} else 1), way
    # Nobody there at all, for as long as it is so.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = with_channel(settings, address.format(port=free.getsockname()[1]))
    raise_result(nobody, scored, "nobody")
    assert outbox.deliver_due(nobody) == {"sent": 0, "failed": 1}
    (message,) = [one for one in outbox.list_messages(nobody) if one.waiting]
    assert "answer" in message.error
    assert WEBHOOK_KEY not in message.error


@pytest.mark.parametrize("kind", SERVERS)
def test_a_channel_is_tried_without_a_result(settings, impatient, kind):
    server, address = SERVERS[kind]
    receiver = Receiver()
    with server(receiver) as port:
        assert outbox.try_channels(with_channel(settings, address.format(port=port))) == {"one": None}
    assert len(receiver.got) == (kind == "webhook")
    ((_, said),) = outbox.try_channels(with_channel(settings, address.format(port=1))).items()
    assert "does not answer" in said


def test_what_a_webhook_gets_is_signed(settings, scored):
    receiver = Receiver()
    with http(receiver) as port:
        told = with_channel(settings, f"http://127.0.0.1:{port}/hook#key={WEBHOOK_KEY}")
        raise_result(told, scored, "x")
        assert outbox.deliver_due(told)["sent"] == 1
    ((path, headers, raw),) = receiver.got.values()
    assert path == "/hook"
    at, digest = (part.partition("=")[2] for part in headers["X-ECG-Signature"].split(","))
    assert digest == hmac.new(WEBHOOK_KEY.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    payload = json.loads(raw)["payload"]
    assert payload["status"] == "preliminary"
    Bundle.model_validate(payload["fhir"])


def test_what_a_fhir_server_gets(settings, scored):
    receiver = Receiver()
    with http(receiver) as port:
        told = with_channel(settings, f"fhir+http://127.0.0.1:{port}/fhir#token=abc")
        raise_result(told, scored, "x")
        assert outbox.deliver_due(told)["sent"] == 1
    ((path, headers, raw),) = receiver.got.values()
    bundle = Bundle.model_validate(json.loads(raw))
    assert path == f"/fhir/Bundle/{bundle.id}"
    assert headers["Authorization"] == "Bearer abc"
    codes = {
        c.code for e in bundle.entry if e.resource.get_resource_type() == "Observation" for c in e.resource.code.coding
    }
    assert {"8867-4", "8625-6", "8633-0", "8634-8"} <= codes


def test_what_a_hospital_gets_over_mllp(settings, scored):
    receiver = Receiver()
    with mllp(receiver) as port:
        told = with_channel(settings, f"mllp://127.0.0.1:{port}")
        raise_result(told, scored, "x")
        assert outbox.deliver_due(told)["sent"] == 1
    (message,) = receiver.got.values()
    assert str(message.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    assert str(message.segment("OBR")[25]) == "P"
    assert str(message.segment("OBR")[7]) == f"{w.START:%Y%m%d%H%M%S}"
    observed = {str(obx[3]).split("^")[0]: str(obx[5]) for obx in message.segments("OBX") if str(obx[2]) == "NM"}
    assert float(observed["8867-4"]) == pytest.approx(72, abs=1)
    assert 60 < float(observed["8633-0"]) < 200
    texts = [str(obx[5]) for obx in message.segments("OBX") if str(obx[2]) == "TX"]
    assert any("not for diagnosis" in one for one in texts)
    assert any("http://ui/ecg/reports/1" in one for one in texts)
    (document,) = [obx for obx in message.segments("OBX") if str(obx[2]) == "ED"]
    assert str(document[5]).split("^")[4].startswith("JVBERi0")  # %PDF-
    assert not any(mark in str(message) for mark in w.MARKS if len(mark) > 4)


def test_what_an_archive_gets(settings, scored, tmp_path):
    receiver = Receiver()
    with dicom(receiver) as port:
        told = with_channel(settings, f"dicom://ARCHIVE@127.0.0.1:{port}?calling=OURS")
        raise_result(told, scored, "x")
        assert outbox.deliver_due(told)["sent"] == 1
    waveform, paper = sorted(receiver.got.values(), key=lambda data: int(data.SeriesNumber))
    assert waveform.StudyInstanceUID == paper.StudyInstanceUID
    assert bytes(paper.EncapsulatedDocument).startswith(b"%PDF-")
    notes = waveform.WaveformAnnotationSequence
    assert sum(str(note.get("UnformattedTextValue", "")).startswith("beat ") for note in notes) == 12
    measured = {note.ConceptNameCodeSequence[0].CodeValue for note in notes if "NumericValue" in note}
    assert measured >= {"8867-4", "8634-8"}
    # Our own reader reads it as what it was made of.
    pydicom.dcmwrite(tmp_path / "back.dcm", waveform, enforce_file_format=True)
    back = read_recording(tmp_path / "back.dcm", b"")
    assert (back.lead_names, back.sampling_rate_hz, back.start_time) == (w.LEADS, 500, w.START)
    np.testing.assert_allclose(back.signal, w.Truth().millivolts, atol=6e-4)
    assert not any(mark in str(data) for data in (waveform, paper) for mark in w.MARKS if len(mark) > 4)


def test_without_a_browser_results_go_without_paper_and_say_so(settings, scored, no_browser):
    receiver = Receiver()
    with mllp(receiver) as port:
        told = with_channel(settings, f"mllp://127.0.0.1:{port}")
        raise_result(told, scored, "x")
        assert outbox.deliver_due(told)["sent"] == 1
    (message,) = receiver.got.values()
    assert any("no PDF is attached" in str(obx[5]) for obx in message.segments("OBX"))
    assert all(str(obx[2]) != "ED" for obx in message.segments("OBX"))


def test_scoring_and_signing_send_a_result_each_and_only_where_a_rule_names_it(settings, no_browser):
    receiver = Receiver()
    with mllp(receiver) as port:
        told = with_channel(settings, f"mllp://127.0.0.1:{port}")
        quiet = told.model_copy(update={"message_rules": {"*": ("one",)}})
        w.write(Path(settings.inbox), "dicom")
        inbox.register_arrivals(quiet)
        (Path(settings.inbox) / "again").mkdir()
        other = w.Truth()
        other.steps[100, 0] += 3
        for chunk in inbox.plan_chunks(quiet):
            inbox.score_chunk(quiet, chunk, "test")
        assert notices.tell_signed(told) == 0
        assert outbox.list_messages(quiet) == []
        w.write(Path(settings.inbox) / "again", "dicom", other)
        inbox.register_arrivals(told)
        for chunk in inbox.plan_chunks(told):
            inbox.score_chunk(told, chunk, "test")
        assert outbox.deliver_due(told) == {"sent": 1, "failed": 0}
        with store_engine(settings).connect() as connection:
            newest = select(report.c.report_id).order_by(report.c.report_id.desc()).limit(1)
            report_id = connection.execute(newest).scalar_one()
        reviewing.add_review(told, report_id, Review("ada", None, "Seen.", True, {}, ()))
        assert notices.tell_signed(told) == 1
        assert notices.tell_signed(told) == 0
        assert outbox.deliver_due(told) == {"sent": 1, "failed": 0}
    first, second = receiver.got.values()
    assert [str(one.segment("OBR")[25]) for one in (first, second)] == ["P", "F"]
