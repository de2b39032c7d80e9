"""The text of CSV files, whatever encoding and signs a phone, a logger or a spreadsheet wrote it in."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Minus signs of typographers, marks of the writing direction, the Arabic decimal sign, byte order marks.
_SIGNS = {"\u2212": "-", "\u2010": "-", "\u2011": "-", "\u200e": "", "\u200f": "", "\u061c": "", "\ufeff": ""}
_SIGNS |= {"\u066b": "."}
_SIGNS |= {c: str(i) for digits in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹") for i, c in enumerate(digits)}
_LOOKED_AT_BYTES = 2_000


def decoded(raw: bytes, *, cut: bool = False) -> str:
    """Return the text of a file with plain minus signs and Western digits; NUL stays where it is binary.

    Byte order marks decide; UTF-16 without one is known by its zeros; what is not UTF-8 is taken as Windows' Latin.

    Parameters
    ----------
    raw : bytes
    cut : bool
        The bytes are the beginning of a file and may end within a character.
    """
    if raw.isascii() and b"\0" not in raw[:_LOOKED_AT_BYTES]:
        return raw.decode("ascii")
    errors = "ignore" if cut else "replace"
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _plain(raw[len(mark) :].decode(encoding, errors))
    if encoding := _unmarked_utf16(raw[:_LOOKED_AT_BYTES]):
        return _plain(raw.decode(encoding, errors))
    try:
        # A character takes four bytes at most: three of them may be missing at a cut.
        return _plain(codecs.getincrementaldecoder("utf-8")().decode(raw, final=not cut))
    except UnicodeDecodeError:
        return _plain(raw.decode("cp1252", "replace"))


def _unmarked_utf16(head: bytes) -> str:
    """Text in Latin letters has every other byte zero in UTF-16, and none at all in the others."""
    half = len(head) // 2
    if half < 8:
        return ""
    if head[1::2].count(0) > 0.9 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if head[0::2].count(0) > 0.9 * half and head[1::2].count(0) < 0.1 * half else ""


def _plain(text: str) -> str:
    if text.isascii():
        return text
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    return text
