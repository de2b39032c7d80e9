"""Every text that a person reads, in the report and on the pages of the UI: one catalogue, ``templates/texts.en.toml``.

A translation is another file like it: ``ECG_LANGUAGE`` names which is read. What was scored before keeps its words.
"""

from __future__ import annotations

import tomllib
from typing import Final

from ecg_core.settings import PROJECT_DIR, language


class Catalogue(dict[str, str]):
    """Texts by key. Values in braces are filled in by `say`; ``_one`` and ``_many`` are for `say_count`."""

    def say(self, key: str, /, **facts: object) -> str:
        """Fill a text. An unknown key or a missing fact is a `KeyError`."""
        return self[key].format(**facts)

    def say_count(self, key: str, n: int, /, **facts: object) -> str:
        """Fill the text for one or for many; `n` is filled in with thousands apart."""
        return self.say(f"{key}_one" if n == 1 else f"{key}_many", n=f"{n:,}", **facts)

    def say_or(self, key: str, otherwise: str, /) -> str:
        """Look up the text of a name from elsewhere (a feature, a measure); `otherwise` where there is none."""
        return self.get(key, otherwise)


with (PROJECT_DIR / "templates" / f"texts.{language()}.toml").open("rb") as _stream:
    _TABLES = tomllib.load(_stream)
TEXTS: Final = Catalogue(_TABLES["report"])
"""Those of the report."""
UI_TEXTS: Final = Catalogue(_TABLES["ui"])
"""Those of the worklist and of the review form."""
say, say_count, say_or = TEXTS.say, TEXTS.say_count, TEXTS.say_or
say_ui, say_ui_count = UI_TEXTS.say, UI_TEXTS.say_count
