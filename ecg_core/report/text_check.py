"""May a paragraph that a language model wrote stand in a report: every word of it must be borne out by the facts.

Strict on purpose, since a refused paragraph costs nothing: the template stands. Each sentence is held against the one
fact that it is most like. It may use that fact's words, numbers and negations and a fixed list of connecting words, and
nothing else; where the fact has several numbers, numbers and names keep their order, so that no lead gets another's. An
invented finding, a wrong or exchanged number, a reversed sense, another language and markup are all refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import pairwise
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
    if _negated(sentence) != _negated(fact):
        return "it turns the sense round"
    if len(_numbers(fact)) > 1 and not _in_order(sentence, fact):
        return "it changes the order of numbers or names"
    return ""


def _in_order(sentence: str, fact: str) -> bool:
    """Tell whether numbers, and words that the fact says once, come in the fact's order."""
    once = [word for word, n in Counter(_all_words(fact)).items() if n == 1]
    places = [once.index(word) for word in _all_words(sentence) if word in once]
    left = iter(_numbers(fact))
    return places == sorted(places) and all(number in left for number in _numbers(sentence))


def _tells(sentence: str, fact: str) -> bool:
    words, of_fact = _words(sentence), _words(fact) - set(say("text_words").split())
    return set(_numbers(fact)) <= set(_numbers(sentence)) and len(words & of_fact) >= _URGENT_SHARE * len(of_fact)


def _overlap(sentence: str, fact: str) -> float:
    """Share of the sentence's words and numbers that the fact has."""
    own = _words(sentence) - set(say("text_words").split())
    numbers = set(_numbers(sentence))
    return len(own & _words(fact)) + len(numbers & set(_numbers(fact))) - 0.01 * len(_words(fact))


def _words(text: str) -> set[str]:
    return set(_all_words(text))


def _all_words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def _negated(text: str) -> list[str]:
    """List what follows each negation: it must be the same, or the sense is another."""
    words = _all_words(text)
    return sorted(after for word, after in pairwise([*words, ""]) if word in NEGATIONS)


def _numbers(text: str) -> list[str]:
    return [number.replace("−", "-").rstrip(".,") for number in _NUMBER.findall(text)]
