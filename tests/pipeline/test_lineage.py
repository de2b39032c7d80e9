"""From an arrival to its report, and from databases to a model version: what a receiver of OpenLineage events sees."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ecg_core.messages import lineage
from ecg_core.models import SHIPPED_VERSION
from ecg_core.pipeline import inbox, retrain
from ecg_core.settings import Settings


@pytest.fixture
def received(settings: Settings) -> Iterator[tuple[Settings, list[dict]]]:
    """Settings that name a receiver, and what it got."""
    got: list[dict] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    lineage._not_before.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/v1/lineage"
        yield settings.model_copy(update={"openlineage_url": address}), got
        server.shutdown()


def named(datasets: list[dict]) -> set[str]:
    return {dataset["name"] for dataset in datasets}


def test_a_report_leads_back_to_its_inbox_and_its_model(received, arrive: Callable[..., Path]):
    settings, got = received
    arrive("a", "Mustermann")
    arrive("b")
    inbox.register_arrivals(settings)
    for chunk in inbox.plan_chunks(settings):
        inbox.score_chunk(settings, chunk, "test")
    inbox.register_arrivals(settings)  # nothing new: nothing is told
    looked, scored = got
    assert [event["job"]["name"] for event in got] == ["register_arrivals", "score_chunk"]
    assert named(looked["inputs"]) == {settings.inbox_address}
    assert looked["run"]["facets"]["ecg"]["recordings"] == 2
    recordings = f"{settings.home}/recordings"
    assert recordings in named(looked["outputs"]) & named(scored["inputs"])
    assert f"{settings.home}/models/{SHIPPED_VERSION}" in named(scored["inputs"])
    assert f"{settings.home}/reports" in named(scored["outputs"])
    assert any(name.endswith(".ecg.report") for name in named(scored["outputs"]))
    assert scored["run"]["facets"]["ecg"]["scored"] == 2
    assert "Mustermann" not in json.dumps(got)


def test_a_chunk_that_fails_is_told_as_failed(received, arrive: Callable[..., Path], monkeypatch):
    settings, got = received
    arrive("a")
    inbox.register_arrivals(settings)
    [chunk] = inbox.plan_chunks(settings)
    monkeypatch.setattr(inbox.ScoringGroup, "finish", lambda self: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(Exception, match="full"):
        inbox.score_chunk(settings, chunk, "test")
    assert got[-1]["eventType"] == "FAIL"


def test_a_version_leads_back_to_what_it_learned_from(received):
    settings, got = received
    learned = settings.datasets_dir / "mitdb" / "1.0.0"
    learned.mkdir(parents=True)
    verdict = {"champion": SHIPPED_VERSION, "promote": True, "reason": "Better.", "figures": {}}
    (retrain._run_dir(settings, "run", "beats") / "verdict.json").write_text(json.dumps(verdict))
    retrain.decide(settings.model_copy(update={"train_on_reviews": True}), SHIPPED_VERSION, "run")
    [event] = got
    assert event["job"]["name"] == "retrain"
    assert str(learned) in named(event["inputs"])
    assert any(name.endswith(".ecg.review") for name in named(event["inputs"]))
    assert f"{settings.home}/models/{SHIPPED_VERSION}" in named(event["outputs"])
