"""Let a language model rephrase the paragraph of a resting ECG's report, where the settings name one.

The facts of the template go out, never the signal, a name or an identifier. What comes back is checked against them
(`ecg_core.report.text_check`); where it is refused, late or not there, the template stands, and nothing waits for it:
after a failure nobody is asked for `PAUSE_S`.
"""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import replace
from typing import Any, Final

import structlog

from ecg_core.report.resting_paragraph import facts_of
from ecg_core.report.text_check import MOST_CHARACTERS, reason_to_refuse
from ecg_core.result import Result
from ecg_core.settings import Settings

PROMPT: Final = (
    "Rephrase these findings of an ECG as a short paragraph in plain English for a physician. Write one sentence for "
    "each line, in their order. Use the words and numbers of the line; add nothing, leave nothing out, draw no "
    "conclusion, give no advice, use no markup."
)
TIMEOUT_S: Final = 5.0
PAUSE_S: Final = 60.0
_MOST_BYTES: Final = 1 << 16
log = structlog.get_logger(__name__)
_not_before: dict[str, float] = {}


def with_generated_text(result: Result, settings: Settings, timeout_s: float = TIMEOUT_S) -> Result:
    """Return the result with a rephrased paragraph, or as it is where none may stand."""
    resting = result.resting
    if not settings.text_url or resting is None or resting.not_measured:
        return result
    if time.monotonic() < _not_before.get(settings.text_url, 0.0):
        return result
    facts = facts_of(result)
    urgent = [finding.kind for finding in result.findings if finding.urgency == "urgent"]
    try:
        answer = _ask(settings, facts, time.monotonic() + timeout_s)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        _not_before[settings.text_url] = time.monotonic() + PAUSE_S
        log.warning("no generated text", reason=type(error).__name__)
        return result
    refused = reason_to_refuse(answer, facts, urgent)
    if refused:
        log.warning("generated text refused", recording_id=result.recording.recording_id, reason=refused[:200])
        return result
    return replace(result, resting=replace(resting, text=" ".join(answer.split())))


def _ask(settings: Settings, facts: dict[str, str], until: float) -> str:
    """Ask an OpenAI-compatible server; raises what `with_generated_text` catches."""
    body = {
        "model": settings.text_model,
        "temperature": 0,
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": "\n".join(facts.values())},
        ],
    }
    key = settings.text_key.get_secret_value() if settings.text_key else ""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    url = f"{settings.text_url.rstrip('/')}/chat/completions"
    if not url.startswith(("http://", "https://")):
        raise ValueError("ECG_TEXT_URL is no address of a web server.")
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=max(until - time.monotonic(), 0.01)) as response:
        data = bytearray()
        while piece := response.read1(4096):
            data += piece
            if len(data) > _MOST_BYTES:
                raise ValueError("The answer is too long.")
            if time.monotonic() > until:
                raise TimeoutError("The answer took too long.")
    document: Any = json.loads(data)
    answer = document["choices"][0]["message"]["content"]
    if not isinstance(answer, str):
        raise TypeError("The answer is no text.")
    return answer[: MOST_CHARACTERS + 1]
