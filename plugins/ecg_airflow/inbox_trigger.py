"""The inbox as an asset that is watched: what has settled starts a run within seconds, not at the next five minutes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from ecg_core.settings import Settings, load_settings

log = logging.getLogger(__name__)

ARRIVALS: Final = "ecg_arrivals"
"""The asset: recordings in the inbox that have settled; the event tells how many."""


class InboxTrigger(BaseEventTrigger):
    """Looks at the inboxes of the settings every few seconds, in a thread of the triggerer.

    Parameters
    ----------
    every_s : float
        Seconds between two looks, or nine times as long as a look takes: an inbox of a million files takes a tenth of
        a core at most from what runs beside.
    """

    def __init__(self, every_s: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.every_s = every_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Say how it is made again."""
        return "ecg_airflow.inbox_trigger.InboxTrigger", {"every_s": self.every_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire where something has settled; an inbox out of reach is told by the runs of the schedule."""
        from ecg_airflow.defaults import inboxes_of
        from ecg_core.arrivals.watching import InboxWatch

        watches = [InboxWatch(load_settings(), inbox) for inbox in inboxes_of(None)]
        away: set[int] = set()
        while True:
            began, settled = time.monotonic(), 0
            for number, watch in enumerate(watches):
                try:
                    settled += await asyncio.to_thread(watch.newly_settled)
                    away.discard(number)
                except Exception as error:  # each kind of object store has errors of its own
                    if number not in away:
                        log.warning("an inbox is out of reach: %s", type(error).__name__)
                    away.add(number)
            took_s = time.monotonic() - began
            if settled:
                yield TriggerEvent({"settled": settled})  # type: ignore[no-untyped-call]
            await asyncio.sleep(max(self.every_s, 9.0 * took_s))


def when_something_arrived(settings: Settings) -> AssetOrTimeSchedule | str:
    """Return the schedule of what scores the inbox: as the cron expression says, and when something has settled."""
    if not settings.look_every_s:
        return settings.score_schedule
    watcher = AssetWatcher(name="ecg_inbox", trigger=InboxTrigger(settings.look_every_s))
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(settings.score_schedule, timezone="UTC"),
        assets=[Asset(ARRIVALS, watchers=[watcher])],
    )
