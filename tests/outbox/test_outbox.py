"""What must be told arrives at a real mail server and a real webhook: once, with patience, and without names."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from outbox_time import earlier, now_due, tell
from pydantic import SecretStr, ValidationError

from ecg_core.errors import StoreError
from ecg_core.messages import outbox
from ecg_core.messages.outbox import Message
from ecg_core.settings import Settings
from ecg_core.store import outbox as rows
from ecg_core.store.database import store_engine


def test_a_message_arrives_by_mail_and_webhook_once(settings, mailbox, webhook):
    assert tell(settings, payload={"value": 7}) is not None
    assert outbox.deliver_due(settings) == {"sent": 2, "failed": 0}
    assert outbox.deliver_due(settings) == {"sent": 0, "failed": 0}
    [mail], [posted] = mailbox.got, webhook.got
    assert "Subject: ECG: something failed" in mail
    assert "To: ops@example.org" in mail
    assert posted["subject"] == "ECG: something failed"
    assert posted["body"] == "It did.\nMend it — ✓."
    assert posted["payload"] == {"value": 7}
    assert posted["key"] == f"ecg-delivery-{posted['delivery']}"


def test_nothing_is_told_that_was_rolled_back(settings):
    with store_engine(settings).connect() as connection:
        outbox.tell(connection, settings, Message("run_failed", "ECG: no", "No."))
        connection.rollback()
    assert outbox.list_messages(settings) == []
    assert outbox.deliver_due(settings) == {"sent": 0, "failed": 0}


def test_while_it_is_open_it_is_counted_and_repeated_only_after_a_while(settings, webhook):
    tell(settings)
    outbox.deliver_due(settings)
    for _ in range(3):
        assert tell(settings) is None
    assert outbox.deliver_due(settings) == {"sent": 0, "failed": 0}
    earlier(settings, settings.repeat_after_s + 1)
    tell(settings)
    assert outbox.deliver_due(settings)["sent"] == 2
    [told] = outbox.list_messages(settings)
    assert (told.n_raised, told.sent) == (5, 4)
    assert [posted["raised"] for posted in webhook.got] == [1, 5]


def test_what_was_acknowledged_is_quiet_and_told_anew_when_it_happens_again_later(settings):
    number = tell(settings)
    outbox.deliver_due(settings)
    assert outbox.acknowledge(settings, number, "ada") is True
    assert outbox.acknowledge(settings, number, "grace") is False
    assert tell(settings) is None
    assert outbox.list_messages(settings) == []
    earlier(settings, settings.repeat_after_s + 1)
    assert tell(settings) not in (None, number)
    assert outbox.deliver_due(settings)["sent"] == 2


def test_an_unknown_message_cannot_be_acknowledged(settings):
    with pytest.raises(StoreError, match="no message 4711"):
        outbox.acknowledge(settings, 4711, "ada")


def test_a_refused_delivery_is_tried_again_and_given_up_in_the_end(settings, webhook, mailbox):
    settings = settings.model_copy(update={"delivery_attempts": 3})
    webhook.status = 503
    tell(settings)
    assert outbox.deliver_due(settings) == {"sent": 1, "failed": 1}
    assert outbox.deliver_due(settings) == {"sent": 0, "failed": 0}, "the pause is kept"
    for _ in range(2):
        now_due(settings)
        outbox.deliver_due(settings)
    [told] = outbox.list_messages(settings)
    assert (told.sent, told.waiting, told.dead) == (1, 0, 1)
    assert told.error == "The webhook answered 503. Its log says why."
    webhook.status = 200
    now_due(settings)
    assert outbox.deliver_due(settings) == {"sent": 0, "failed": 0}
    assert outbox.revive(settings) == 1
    assert outbox.deliver_due(settings) == {"sent": 1, "failed": 0}
    assert len(mailbox.got) == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:1/{secret}", "does not answer"),
        ("smtp://u:{secret}@127.0.0.1:1/?from=a@b.org&to=c@d.org", "does not answer"),
        ("smtp://u:{secret}@127.0.0.1:{port}/?from=a@b.org&to=c@d.org", "mail server answered 535"),
        ("smtp://127.0.0.1:{port}/?to=c@d.org", "no host, from or to"),
        ("nonsense://{secret}", "does not understand"),
        ("json://127.0.0.1:1/{secret}", "could not send"),
    ],
)
def test_a_channel_that_fails_says_why_and_not_its_password(settings, mailbox, address, says):
    secret = secrets.token_hex(8)
    filled = address.format(secret=secret, port=mailbox.controller.port)
    only = settings.model_copy(update={"channels": SecretStr(json.dumps({"one": filled}))})
    tell(only)
    assert outbox.deliver_due(only) == {"sent": 0, "failed": 1}
    [told] = outbox.list_messages(only)
    assert says in told.error
    assert secret not in told.error
    assert secret not in str(only)


def test_a_channel_that_only_apprise_knows(settings, webhook):
    only = settings.model_copy(
        update={"channels": SecretStr(json.dumps({"one": webhook.address.replace("http:", "json:")}))}
    )
    tell(only)
    assert outbox.deliver_due(only) == {"sent": 1, "failed": 0}
    assert webhook.got[0]["title"] == "ECG: something failed"


def test_two_processes_never_send_the_same_and_a_dead_ones_delivery_comes_free(settings, webhook, mailbox):
    for number in range(10):
        tell(settings, key=f"k{number}")
    with ThreadPoolExecutor(4) as pool:
        sent = [counts["sent"] for counts in pool.map(outbox.deliver_due, [settings] * 4)]
    assert sum(sent) == 20
    assert len({posted["delivery"] for posted in webhook.got}) == len(webhook.got) == len(mailbox.got) == 10
    # One that was taken and never ended is another's after its lease.
    tell(settings, key="last")
    with store_engine(settings).begin() as connection:
        taken = rows.take_due(connection)
    with store_engine(settings).begin() as connection:
        other = rows.take_due(connection)
        assert other is not None
        assert other.delivery_id != taken.delivery_id
        assert rows.take_due(connection) is None
    now_due(settings)
    assert outbox.deliver_due(settings)["sent"] == 2


@pytest.mark.parametrize(
    ("rules", "kind", "site", "escalated", "channels"),
    [
        ({"*": ("*",)}, "run_failed", None, False, ["mail", "hook"]),
        ({"*": ("mail",), "drift": ()}, "drift", None, False, []),
        ({"*": ("mail",), "urgent_finding": ("hook",)}, "urgent_finding", "ward3", False, ["hook"]),
        ({"urgent_finding": ("mail",)}, "urgent_finding", "told", False, ["hook"]),
        ({"urgent_finding!escalated": ("mail",)}, "urgent_finding", "told", True, ["mail"]),
        ({}, "urgent_finding", "told", True, ["hook"]),
        ({}, "urgent_finding", "ward3", False, []),
        ({"drift": ("mail",)}, "drift", "told", False, ["mail"]),
        ({"*": ("mail",)}, "result", "told", False, ["hook"]),
        ({"urgent_finding": ("hook",), "urgent_finding!escalated": ("mail",)}, "urgent_finding", "w", True, ["mail"]),
        ({"drift": ("hook",)}, "run_failed", None, False, []),
    ],
)
def test_the_rule_that_fits_best_decides(settings, tmp_path, rules, kind, site, escalated, channels):
    (tmp_path / "sites.toml").write_text('[told.messages]\nurgent_finding = ["hook"]\nresult = ["hook"]')
    ruled = settings.model_copy(update={"message_rules": rules, "sites": tmp_path / "sites.toml"})
    assert outbox.channels_for(ruled, kind, site, escalated=escalated) == channels


@pytest.mark.parametrize("channels", ["{", "[]", '{"mail": "no address"}', '{"mail": 7}'])
def test_channels_that_cannot_be_read_are_refused_without_showing_them(channels):
    with pytest.raises(ValidationError, match="JSON such as"):
        Settings(_env_file=None, channels=channels)


def test_a_channel_that_the_rules_name_and_nobody_set_is_told(settings):
    ruled = settings.model_copy(update={"message_rules": {"*": ("pager",)}})
    tell(ruled)
    assert outbox.deliver_due(ruled) == {"sent": 0, "failed": 1}
    assert "names no channel pager" in outbox.list_messages(ruled)[0].error


def test_every_channel_can_be_tried(settings, webhook, mailbox):
    webhook.status = 404
    assert outbox.try_channels(settings) == {"mail": None, "hook": "The webhook answered 404. Its log says why."}
    assert len(mailbox.got) == 1
    assert outbox.list_messages(settings, open_only=False) == []
