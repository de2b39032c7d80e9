"""What a file states of a resting ECG, as far as measuring it depends on that."""

from __future__ import annotations

import re
from typing import Final

from ecg_core.recording import Stated
from ecg_core.result.resting import HighPass, Sex, Subject

_SEX: Final[dict[str, Sex]] = {"male": "male", "female": "female"}
_HIGH_PASS: Final = re.compile(r"high pass (\d+(?:\.\d+)?) Hz")


def subject_of(stated: Stated) -> Subject:
    """Age and sex, as far as the file gives them."""
    age = None if stated.age_years is None else float(stated.age_years)
    return Subject(age, _SEX.get(stated.sex or ""))


def high_pass_of(stated: Stated) -> HighPass | None:
    """Find the highest corner of the high-pass filters that the device says it applied; None where it says none.

    No format that is read says whether the filter was without phase distortion: it is taken as an analogue one.
    """
    corners = [float(match[1]) for words in stated.filters if (match := _HIGH_PASS.search(words))]
    return HighPass(max(corners)) if corners else None
