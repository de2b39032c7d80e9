"""May a paragraph that a language model wrote stand in a report: every word of it must be borne out by the facts.

Strict on purpose, since a refused paragraph costs nothing: the template stands. Each sentence is held against the one
fact that it is most like. It may use that fact's words, numbers and negations and a fixed list of connecting words, and
nothing else; so an invented finding, a wrong number, a reversed sense, another language and markup are all refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from ecg_core.texts import say

MOST_CHARACTERS: Final = 4000
NEGATIONS: Final = frozenset("no not none never without nothing neither nor cannot isn't aren't absent".split())
_NUMBER: Final = re.compile(r"[-−]?\d+(?:[.,]\d+)*")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_])|\n+")
_PLAIN: Final = re.compile(r"[\w\s.,;:()'’“”/%°+−–…′-]*")
_URGENT_SHARE: Final = 0.6
"""So many of an urgent fact's words must stand in the sentence that tells it."""


def reason_to_refuse(text: str, facts: Mapping[str, str], urgent: Collection[str]) -> str:
    """Tell why a paragraph must not stand; empty where it may.

    Parameters
    ----------
    text : str
        What the language model answered.
    facts : mapping of str to str
        The sentences of the template, by what they are about.
    urgent : collection of str
        Keys of the facts that must not be missing.
    """
    if not text.strip() or len(text) > MOST_CHARACTERS:
        return f"it has {len(text)} characters"
    if not _PLAIN.fullmatch(text):
        return "it is no plain text"
    told: set[str] = set()
    for sentence in filter(str.strip, _SENTENCE.split(text.strip())):
        key = max(facts, key=lambda name: _overlap(sentence, facts[name]))
        reason = _beyond(sentence, facts[key])
        if reason:
            return reason
        if _tells(sentence, facts[key]):
            told.add(key)
    missing = [key for key in urgent if key not in told]
    return f"it leaves out: {', '.join(missing)}" if missing else ""


def _beyond(sentence: str, fact: str) -> str:
    """Tell what a sentence says that its fact does not."""
    numbers = set(_numbers(sentence)) - set(_numbers(fact))
    if numbers:
        return f"numbers that are in no such fact: {', '.join(sorted(numbers))}"
    unknown = _words(sentence) - _words(fact) - set(say("text_words").split())
    if unknown:
        return f"words that are in no such fact: {', '.join(sorted(unknown)[:5])}"
    if _negations(sentence) != _negations(fact):
        return "it turns the sense round"
    return ""


def _tells(sentence: str, fact: str) -> bool:
    words, of_fact = _words(sentence), _words(fact) - set(say("text_words").split())
    return set(_numbers(fact)) <= set(_numbers(sentence)) and len(words & of_fact) >= _URGENT_SHARE * len(of_fact)


def _overlap(sentence: str, fact: str) -> float:
    """Share of the sentence's words and numbers that the fact has."""
    own = _words(sentence) - set(say("text_words").split())
    numbers = set(_numbers(sentence))
    return len(own & _words(fact)) + len(numbers & set(_numbers(fact))) - 0.01 * len(_words(fact))


def _words(text: str) -> set[str]:
    return {word.lower().replace("’", "'") for word in _WORD.findall(text)}


def _negations(text: str) -> int:
    return sum(word.lower().replace("’", "'") in NEGATIONS for word in _WORD.findall(text))


def _numbers(text: str) -> list[str]:
    return [number.replace("−", "-").rstrip(".,") for number in _NUMBER.findall(text)]
