"""XML of strangers, read with defusedxml: no entities, nothing fetched, and the tree in plain names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader
from ecg_core.formats.assembling import read_whole

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
