"""OpenLineage events as a receiver gets them, and what happens where there is none."""

import time

import pytest

from ecg_core.messages import lineage
from ecg_core.settings import Settings


@pytest.fixture
def told(settings, webhook):
    lineage._not_before.clear()
    return settings.model_copy(update={"openlineage_url": webhook.address})


def test_an_event_has_what_the_specification_asks_for(told, webhook):
    assert lineage.tell(told, "score_chunk", lineage.versions(told, ["v1"]), lineage.stored(told, "reports"), {"n": 2})
    [event] = webhook.got
    assert {"eventType", "eventTime", "run", "job", "inputs", "outputs", "producer", "schemaURL"} <= set(event)
    assert event["eventType"] == "COMPLETE"
    assert event["job"] == {"namespace": "ecg-platform", "name": "score_chunk"}
    assert event["inputs"] == [{"namespace": "file", "name": f"{told.home}/models/v1"}]
    assert event["outputs"] == [{"namespace": "file", "name": f"{told.home}/reports"}]
    facet = event["run"]["facets"]["ecg"]
    assert (facet["n"], facet["_schemaURL"].startswith("https://openlineage.io/spec/")) == (2, True)


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        ("/inbox/north", "file", "/inbox/north"),
        ("s3://bucket/ecg/in", "s3://bucket", "ecg/in"),
        ("s3://connection@bucket", "s3://bucket", "/"),
    ],
)
def test_addresses_are_named_as_openlineage_does_and_without_a_connection(address, namespace, name):
    assert lineage.folder(address) == {"namespace": namespace, "name": name}


def test_tables_are_named_without_the_password(told):
    [table] = lineage.tables(told, "report")
    assert table["namespace"].startswith("postgres://")
    assert "@" not in table["namespace"]
    assert table["name"].endswith(".ecg.report")


def test_a_receiver_that_is_away_is_left_alone_for_a_while(told, webhook, monkeypatch):
    webhook.status = 503
    assert not lineage.tell(told, "a", [], [], {})
    webhook.status = 200
    began = time.monotonic()
    assert not lineage.tell(told, "b", [], [], {})
    assert time.monotonic() - began < 0.5
    assert webhook.got == []
    later = time.monotonic() + lineage.SILENT_S + 1
    monkeypatch.setattr(lineage.time, "monotonic", lambda: later)
    assert lineage.tell(told, "c", [], [], {})


def test_without_the_setting_nothing_is_told(settings: Settings):
    assert not lineage.tell(settings, "a", [], [], {})
