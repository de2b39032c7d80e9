"""Quiet hours: what is not critical waits for their end, urgent findings go by the rule, and nothing is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from outbox_time import now_due, tell
from pydantic import ValidationError
from sqlalchemy import text

from ecg_core.errors import SettingsError
from ecg_core.messages import outbox, quiet
from ecg_core.settings import Settings
from ecg_core.sites import quiet_hours_of, read_sites
from ecg_core.store.database import store_engine

HOUR = timedelta(hours=1)


def around_now(before: timedelta = HOUR, after: timedelta = HOUR) -> str:
    now = datetime.now(UTC)
    return f"{now - before:%H:%M}-{now + after:%H:%M} UTC"


def due(settings: Settings) -> dict[str, timedelta]:
    """By channel, how long the delivery that waits has to wait yet."""
    with store_engine(settings).connect() as connection:
        rows = connection.execute(text("SELECT channel, due_at FROM ecg.outbox_delivery WHERE state = 'waiting'"))
        return {row.channel: row.due_at - datetime.now(UTC) for row in rows}


def test_what_is_not_critical_waits_for_the_end_and_then_arrives(settings, mailbox, webhook):
    in_quiet = settings.model_copy(update={"quiet_hours": around_now()})
    number = tell(in_quiet)
    assert outbox.deliver_due(in_quiet) == {"sent": 0, "failed": 0}
    assert all(timedelta(minutes=58) < left <= HOUR for left in due(in_quiet).values())
    # It stands in the list at once, and raising it again begins no second sending.
    assert [told.message_id for told in outbox.list_messages(in_quiet)] == [number]
    assert tell(in_quiet) is None
    assert len(due(in_quiet)) == 2
    now_due(in_quiet)
    assert outbox.deliver_due(in_quiet) == {"sent": 2, "failed": 0}
    assert (len(mailbox.got), len(webhook.got)) == (1, 1)


def test_what_is_critical_goes_at_once_and_outside_of_quiet_hours_all_does(settings):
    in_quiet = settings.model_copy(update={"quiet_hours": around_now()})
    tell(in_quiet, kind="urgent_finding", severity="critical")
    assert outbox.deliver_due(in_quiet)["sent"] == 2
    later = settings.model_copy(update={"quiet_hours": around_now(-HOUR, 2 * HOUR)})
    tell(later, kind="disk_low")
    assert outbox.deliver_due(later)["sent"] == 2


def test_a_rule_says_who_is_told_at_once_even_then(settings, webhook, mailbox):
    rules = {"*": ("mail", "hook"), "urgent_finding!quiet": ("hook",), "run_failed!quiet": ()}
    names = list(settings.channel_addresses)
    rules = {kind: tuple(names[("mail", "hook").index(one)] for one in wanted) for kind, wanted in rules.items()}
    in_quiet = settings.model_copy(update={"quiet_hours": around_now(), "message_rules": rules})
    tell(in_quiet, kind="urgent_finding", severity="critical")
    tell(in_quiet, kind="run_failed", severity="critical")
    assert outbox.deliver_due(in_quiet)["sent"] == 1
    assert sum(len(place.got) for place in (webhook, mailbox)) == 1
    now_due(in_quiet)
    assert outbox.deliver_due(in_quiet)["sent"] == 3, "nothing is lost"


def test_what_is_passed_on_does_not_wait(settings):
    in_quiet = settings.model_copy(update={"quiet_hours": around_now(), "escalate_after_s": 0.001})
    number = tell(in_quiet, kind="urgent_finding", severity="critical")
    assert outbox.deliver_due(in_quiet)["sent"] == 2
    assert number
    assert outbox.escalate(in_quiet) == 1
    assert outbox.deliver_due(in_quiet)["sent"] == 2


def test_a_site_has_quiet_hours_of_its_own(settings, tmp_path):
    path = tmp_path / "sites.toml"
    path.write_text(f'[north]\nquiet_hours = "{around_now()}"\n[south]\n')
    of_sites = settings.model_copy(update={"sites": path})
    tell(of_sites, kind="a", site="south")
    assert outbox.deliver_due(of_sites)["sent"] == 2
    tell(of_sites, kind="b", site="north")
    assert outbox.deliver_due(of_sites)["sent"] == 0
    assert quiet.hours_of(of_sites, None) is None


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-07:00 Europe/Berlin", "2026-07-01T21:00+00:00", "2026-07-02T05:00+00:00"),
        ("22:00-07:00 Europe/Berlin", "2026-07-02T04:59+00:00", "2026-07-02T05:00+00:00"),
        ("22:00-07:00 Europe/Berlin", "2026-07-02T05:00+00:00", None),
        ("22:00-07:00 Europe/Berlin", "2026-12-01T20:30+00:00", None),
        # Clocks go back at 3:00 on 25 October: that night is an hour longer.
        ("22:00-07:00 Europe/Berlin", "2026-10-24T21:00+00:00", "2026-10-25T06:00+00:00"),
        ("12:00-14:00 UTC", "2026-07-01T13:00+00:00", "2026-07-01T14:00+00:00"),
        ("12:00-14:00 UTC", "2026-07-01T14:30+00:00", None),
    ],
)
def test_they_end_by_the_clock_of_their_place(hours, now, end):
    found = quiet.ends(quiet_hours_of(hours), datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(end) if end else None)


@pytest.mark.parametrize("wrong", ["22-7", "22:00-07:00", "22:00-07:00 Berlin", "25:00-07:00 UTC", "07:00-07:00 UTC"])
def test_what_cannot_be_quiet_hours_is_refused(wrong, tmp_path):
    with pytest.raises(ValidationError, match="quiet hours"):
        Settings(quiet_hours=wrong)
    path = tmp_path / "sites.toml"
    path.write_text(f'[north]\nquiet_hours = "{wrong}"\n')
    with pytest.raises(SettingsError, match="quiet hours"):
        read_sites(path)
    path.with_name("good.toml").write_text('[north]\nquiet_hours = "22:00-07:00"\ntime_zone = "Europe/Berlin"\n')
    assert read_sites(path.with_name("good.toml"))["north"].quiet.time_zone == "Europe/Berlin"
