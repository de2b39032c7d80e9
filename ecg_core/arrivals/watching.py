"""What has newly settled in an inbox, for whoever looks at it every few seconds: nothing is copied or entered here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from upath import UPath

from ecg_core.formats import look_at, profiles_of
from ecg_core.settings import Settings


@dataclass(slots=True)
class InboxWatch:
    """An inbox as it was when it was last looked at.

    Attributes
    ----------
    settings : Settings
    inbox : UPath
    told : dict
        By name of a candidate that was told of: its stamp and its parts then.
    """

    settings: Settings
    inbox: UPath
    told: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def newly_settled(self) -> int:
        """Look, and count what has settled and was not told of as it is now; all of it, the first time.

        Raises
        ------
        OSError
            The inbox is out of reach.
        """
        look = look_at(self.inbox, profiles_of(self.settings), self.told.get)
        settled_before = time.time() - self.settings.settle_s
        ready = [one for one in look.candidates if not one.missing and one.changed_at <= settled_before]
        there = {name: self.told[name] for name in look.unchanged}
        self.told = there | {one.name: (one.stamp, one.parts) for one in ready}
        return len(ready)
