"""XML of strangers: no entities, nothing fetched, no nesting without end, and the tree in plain names."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader
from ecg_core.formats.assembling import read_whole

_DEEPEST = 100
# An encoding that nobody knows is a LookupError, one of several bytes a character a ValueError.
_NO_XML = (expat.ExpatError, LookupError, ValueError)
_LARGEST_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,9})?", re.ASCII)


def parse_xml(path: Path, title: str) -> tuple[bytes, ET.Element]:
    """Return a file's bytes and its root; namespaces are taken off.

    Raises
    ------
    CorruptHeader
        It is no XML to its end, or declares entities.
    """
    from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml import ElementTree as DefusedTree

    raw = read_whole(path)
    refuse_hostile(raw)
    try:
        root: ET.Element = DefusedTree.fromstring(raw)
    except DefusedXmlException:
        raise CorruptHeader("The XML declares entities, which no ECG needs.", "Export the recording again.") from None
    except (ET.ParseError, ValueError, LookupError):
        raise CorruptHeader(
            f"The file begins as {title}, but is no XML to its end.", "Send it again: the transfer may have broken off."
        ) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    return raw, root


def refuse_hostile(raw: bytes) -> None:
    """Raise `CorruptHeader` where XML declares entities, or nests deeper than any ECG does.

    One pass that keeps nothing, before any tree is built: a tree of a hundred thousand levels takes seconds to make and
    to take down. What is no XML passes: the reader says so.
    """
    try:
        _walk(raw)
    except _NO_XML:
        # Bytes that are not of the stated encoding end the walk; readers then take them as Latin-1, and so is this.
        text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", raw.decode("latin-1"), count=1)
        with contextlib.suppress(*_NO_XML):
            _walk(text.encode("utf-8"))


def _walk(raw: bytes) -> None:
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise CorruptHeader("The XML is nested deeper than an ECG's.", "Export the recording again.")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def entity(*facts: object) -> None:
        raise CorruptHeader("The XML declares entities, which no ECG needs.", "Export the recording again.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, entity
    parser.Parse(raw, True)


def text_of(element: ET.Element | None, path: str = ".") -> str:
    """Return the text of a descendant, stripped; empty where there is none."""
    found = element.find(path) if element is not None else None
    return (found.text or "").strip() if found is not None else ""


def number_of(element: ET.Element | None, path: str = ".") -> float | None:
    """Return a descendant's number; None where it is missing or none. A decimal comma is read as one."""
    text = text_of(element, path).replace(",", ".")
    return float(text) if _LARGEST_NUMBER.fullmatch(text) else None


def listed_numbers(text: str, title: str) -> npt.NDArray[np.float64]:
    """Return numbers that stand in a text with commas or blanks between them."""
    parts = text.replace(",", " ").replace(";", " ").split()
    try:
        values = np.array(parts, dtype=np.float64)
    except ValueError:
        raise CorruptHeader(
            f"A lead's samples in {title} are not all numbers.", "Export the recording again."
        ) from None
    if not np.isfinite(values).all():
        raise CorruptHeader(f"A lead's samples in {title} are not all numbers.", "Export the recording again.")
    return values
