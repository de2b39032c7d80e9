"""The script of the review page, with its words and the policy that lets it run and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache

from ecg_core.settings import PROJECT_DIR
from ecg_core.texts import UI_TEXTS


@lru_cache(maxsize=1)
def script() -> str:
    """Return the page's script."""
    return (PROJECT_DIR / "templates" / "review.js").read_text(encoding="utf-8")


def words() -> str:
    """Return what the script says, as JSON that no browser runs."""
    said = {key: text for key, text in UI_TEXTS.items() if key.startswith("review_")}
    return json.dumps(said, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")


def policy() -> str:
    """Return the page's content security policy: its own script by its hash, the report in a frame, our answers."""
    digest = base64.b64encode(hashlib.sha256(script().encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )
