"""The twelve standard leads of a resting ECG, from names in any spelling and order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray, Recording
from ecg_core.result.resting import STANDARD_LEADS

LIMB_LEADS: Final = STANDARD_LEADS[:6]
CHEST_LEADS: Final = STANDARD_LEADS[6:]
RATES_HZ: Final = (100.0, 1000.0)
DURATION_S: Final = (5.0, 300.0)
"""Shorter gives too few beats for a median, longer is no resting ECG."""
_LIMB_LEADS_NEEDED: Final = 2
_MOST_EMPTY: Final = 1
"""One chest electrode may be off: its lead has no measurements then, and the others keep theirs."""

# Each limb lead as a sum of I and II (Einthoven 1913; Goldberger 1942).
LIMB_OF_I_AND_II: Final = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float32)

_SPELLED: Final = {
    **{name.upper(): name for name in STANDARD_LEADS},
    # IEC 60601-2-25 writes C1 to C6; in Spanish, Portuguese and Italian the limb leads are DI to DIII.
    **{f"C{n}": f"V{n}" for n in range(1, 7)},
    **{f"D{numeral}": numeral for numeral in ("I", "II", "III")},
    "D1": "I",
    "D2": "II",
    "D3": "III",
}
_AROUND: Final = re.compile(r"^(?:MDC_?ECG_?(?:LEAD|ELEC_?POTL)?|LEAD|ABLEITUNG|DERIVATION|ECG|EKG)(?=[IVACD+-]|$)")


@dataclass(frozen=True, slots=True, eq=False)
class TwelveLeads:
    """How the twelve standard leads come from a recording's own.

    Attributes
    ----------
    mixing : ndarray of float32, shape (12, n_leads)
        ``signal @ mixing.T`` gives `STANDARD_LEADS`: order, sign and derivation in one.
    derived : tuple of str
        Limb leads that the recording does not hold, or not readably, computed from those it holds.
    turned : tuple of str
        Leads that were recorded upside down, as -aVR, and turned.
    ignored : tuple of str
        Names of further leads, as in the file.
    """

    mixing: FloatArray
    derived: tuple[str, ...]
    turned: tuple[str, ...]
    ignored: tuple[str, ...]

    def usable(self, readable: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Tell which standard leads rest on readable leads alone, shape (12,); `readable` is (n_leads,)."""
        return np.asarray(~((self.mixing != 0) & ~readable).any(axis=1))


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why a recording is not measured as a resting ECG: one sentence."""

    reason: str


def standard_name(name: str) -> tuple[str, bool] | None:
    """Read a lead's name.

    Parameters
    ----------
    name : str
        As in the file: ``"aVR"``, ``"AVR"``, ``"Lead II"``, ``"MDC_ECG_LEAD_V1"``, ``"-aVR"``, ``"C3"``.

    Returns
    -------
    (str, bool) or None
        One of `STANDARD_LEADS`, and whether it is upside down. None for all other names, among them those that only
        look alike: MLII, CM5, V3R, "lead 1" (a file's first signal, whatever it is).
    """
    text = re.sub(r"[\s_.:]", "", name.strip().upper().replace("−", "-").replace("–", "-"))
    text = _AROUND.sub("", text)
    minus = text.startswith("-") or (text.endswith("-") and len(text) > 1)
    standard = _SPELLED.get(text.strip("+-"))
    return None if standard is None or text.count("-") > 1 else (standard, minus)


def twelve_leads(recording: Recording, readable: npt.NDArray[np.bool_] | None = None) -> TwelveLeads | NotMeasured:
    """Find the twelve standard leads in a recording.

    Two limb leads and V1 to V6 are enough: by Einthoven's and Goldberger's equations (III = II - I,
    aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2) the other limb leads follow. A lead that never moves
    is taken as not recorded, and so is one that cannot be read where two others can: what is too small to be rated is
    exactly known then, and an artefact is gone. No other lead set is turned into twelve leads.

    Parameters
    ----------
    recording : Recording
    readable : ndarray of bool, shape (n_leads,), or None
        Which of its leads can be read; all where left out.

    Returns
    -------
    TwelveLeads or NotMeasured
    """
    reason = _unfit(recording)
    if reason is not None:
        return NotMeasured(reason)
    found: dict[str, tuple[int, bool]] = {}
    ignored: list[str] = []
    for column, name in enumerate(recording.lead_names):
        # Readers call the second of two alike "V1 2".
        read = standard_name(name) or standard_name(re.sub(r"\s\d+$", "", name))
        if read is None:
            ignored.append(name)
        elif read[0] in found:
            return NotMeasured(f"Lead {read[0]} occurs twice: which of the two is meant cannot be told.")
        else:
            found[read[0]] = (column, read[1])
    missing = [lead for lead in CHEST_LEADS if lead not in found]
    empty = [lead for lead in CHEST_LEADS if lead in found and not _moves(recording.signal[:, found[lead][0]])]
    there: list[str] = [lead for lead in LIMB_LEADS if lead in found and _moves(recording.signal[:, found[lead][0]])]
    if readable is not None:
        clear = [lead for lead in there if readable[found[lead][0]]]
        there = clear if len(clear) >= _LIMB_LEADS_NEEDED else there
    if missing or len(empty) > _MOST_EMPTY or len(there) < _LIMB_LEADS_NEEDED:
        return NotMeasured(_too_few(recording, missing, empty, there))
    mixing = np.zeros((len(STANDARD_LEADS), len(recording.lead_names)), dtype=np.float32)
    for place, lead in enumerate(STANDARD_LEADS):
        if lead in (*there, *CHEST_LEADS):
            column, minus = found[lead]
            mixing[place, column] = -1 if minus else 1
    derived = [place for place, lead in enumerate(LIMB_LEADS) if lead not in there]
    if derived:
        known = [LIMB_LEADS.index(lead) for lead in there]
        # Exact where two are there, least squares where more are.
        mixing[derived] = LIMB_OF_I_AND_II[derived] @ np.linalg.pinv(LIMB_OF_I_AND_II[known]) @ mixing[known]
    return TwelveLeads(
        mixing,
        tuple(LIMB_LEADS[place] for place in derived),
        tuple(lead for lead in STANDARD_LEADS if lead in found and found[lead][1]),
        tuple(ignored),
    )


def _unfit(recording: Recording) -> str | None:
    """Why rate or length forbids it."""
    rate, duration = recording.sampling_rate_hz, recording.duration_s
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        return f"The sampling rate is {rate:g} Hz: resting ECGs are read at {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz."
    if not DURATION_S[0] <= duration <= DURATION_S[1]:
        return f"It lasts {duration:.1f} s: resting ECGs of {DURATION_S[0]:g} to {DURATION_S[1]:g} s are read."
    return None


def _too_few(recording: Recording, missing: Sequence[str], empty: Sequence[str], there: Sequence[str]) -> str:
    """Say which leads are wanting."""
    names = ", ".join(recording.lead_names) or "none"
    wanting = [f"{', '.join(missing)} missing"] if missing else []
    wanting += [f"no signal in {', '.join(empty)}"] if empty else []
    if len(there) < _LIMB_LEADS_NEEDED:
        wanting.append(f"a signal in {there[0] if there else 'none'} of the limb leads, where two are needed")
    return f"Not the twelve standard leads ({'; '.join(wanting)}). Its leads: {names}."


def _moves(column: FloatArray) -> bool:
    """Whether a lead's samples differ: an electrode that is off, or padding, gives one value throughout."""
    known = column[np.isfinite(column)]
    return known.size > 0 and bool((known != known[0]).any())
