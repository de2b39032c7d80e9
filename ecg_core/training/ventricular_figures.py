"""How well VF, VT and asystole are found, by the rhythm marks of vfdb and cudb: by duration, by episode, by onset.

The share of the time that is told, as EC57 counts episodes by duration, and beside it windows of 5 s, as the American
Heart Association's goals for defibrillators count (Kerber et al. 1997, doi 10.1161/01.CIR.95.6.1677).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats.ventricular import VentricularStretch
from ecg_core.datasets.rhythm_marks import CUDB, VFDB, Marked, MarkedRecording
from ecg_core.signal.standstill import Standstill

KINDS: Final = ("vf", "vt", "asystole")
SHORTEST_EPISODE_S: Final = 3.0
LONG_VT_S: Final = 15.0
LONGEST_GAP_S: Final = 3.0
ASYSTOLE_FROM_S: Final = 3.0
ONSET_WITHIN_S: Final = 10.0
_STEP_S: Final = 0.1
_WINDOW_S: Final = 5.0

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What was told of a marked recording."""

    database: str
    marked: MarkedRecording
    ventricular: tuple[VentricularStretch, ...]
    standstills: tuple[Standstill, ...]


def figures(told: Sequence[Told]) -> dict[str, Any]:
    """Figures over the records of both databases, and of each record.

    What counts as told: for ``vf`` stretches of kind vf (`named_vt` tells how much went as VT); for ``vt`` those of
    kind vt, wide_complex and vf, since each calls for the same; for ``asystole`` pauses from 3 s on. False shares are
    those of the time marked N or NSR, and of all other rhythms and noise; ``wide_complex`` has its own.

    Returns
    -------
    dict
        ``vfdb.{vf,vt,asystole}.{duration_sensitivity, episode_sensitivity, false_share_sinus, false_share_other}``,
        ``cudb.vf.{duration_sensitivity, onsets_within_10_s, records}``, ``records`` (by record the share of the time
        told of each mark's kind), ``windows_5_s``.
    """
    vfdb, cudb = ([each for each in told if each.database == name] for name in (VFDB, CUDB))
    return {
        VFDB: {kind: _of_kind(kind, vfdb) for kind in KINDS} | {"wide_complex": _false(vfdb, "wide_complex")},
        CUDB: {"vf": _of_kind("vf", cudb) | _onsets(cudb)},
        "both": {"vf": _of_kind("vf", list(told))},
        "windows_5_s": _windows(list(told)),
        "records": {each.marked.record: _of_record(each) for each in told},
    }


def _claims(kind: str, each: Told, n: int) -> BoolArray:
    """Whether each tenth of a second is told as a kind."""
    names = {"vf": ("vf",), "vt": ("vf", "vt", "wide_complex"), "vt_named": ("vt",)}.get(kind, (kind,))
    spans = [(s.start_s, s.end_s) for s in each.ventricular if s.kind in names]
    if kind == "asystole":
        spans = [(s.start_s, s.end_s) for s in each.standstills if s.kind == "pause" and s.seen_s >= ASYSTOLE_FROM_S]
    return _mask(spans, n)


def _mask(spans: Sequence[tuple[float, float]], n: int) -> BoolArray:
    mask = np.zeros(n, dtype=bool)
    for start, end in spans:
        mask[round(start / _STEP_S) : round(end / _STEP_S)] = True
    return mask


def _length(each: Told) -> int:
    return round(each.marked.recording.duration_s / _STEP_S)


def _marked(each: Told, *kinds: str) -> BoolArray:
    return _mask([(m.start_s, m.end_s) for m in each.marked.marked if m.kind in kinds], _length(each))


def _of_kind(kind: str, told: list[Told]) -> dict[str, Any]:
    true = hit = named_vt = 0
    episodes = found = long = as_one = 0
    for each in told:
        claims, is_true = _claims(kind, each, _length(each)), _marked(each, kind)
        true, hit = true + int(is_true.sum()), hit + int((is_true & claims).sum())
        named_vt += int((is_true & _claims("vt_named", each, _length(each))).sum())
        for mark in _episodes(each, kind):
            within = claims[round(mark.start_s / _STEP_S) : round(mark.end_s / _STEP_S)]
            episodes, found = episodes + 1, found + bool(within.mean() >= 0.5)
            if kind == "vt" and mark.end_s - mark.start_s >= LONG_VT_S:
                long, as_one = long + 1, as_one + _is_one(within)
    of_kind: dict[str, Any] = {
        "duration_s": round(true * _STEP_S, 1),
        "duration_sensitivity": _share(hit, true),
        "episodes": episodes,
        "episode_sensitivity": _share(found, episodes),
        **_false(told, "vt_or_vf" if kind == "vt" else kind),
    }
    if kind == "vf":
        of_kind["named_vt"] = _share(named_vt, true)
    if kind == "vt":
        of_kind |= {"episodes_from_15_s": long, "told_as_one": _share(as_one, long)}
    return of_kind


def _episodes(each: Told, kind: str) -> list[Marked]:
    """List the marked episodes of 3 s and more; marks of one kind that follow one another are one."""
    joined: list[Marked] = []
    for mark in each.marked.marked:
        if joined and mark.kind == joined[-1].kind and mark.start_s - joined[-1].end_s < _STEP_S:
            joined[-1] = Marked(joined[-1].start_s, mark.end_s, joined[-1].mark)
        else:
            joined.append(mark)
    return [m for m in joined if m.kind == kind and m.end_s - m.start_s >= SHORTEST_EPISODE_S]


def _is_one(within: BoolArray) -> bool:
    """Whether claims cover nine tenths without a gap above `LONGEST_GAP_S`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], within, [True]]).astype(np.int8)))
    gaps = edges[1::2] - edges[::2]
    return bool(within.mean() >= 0.9 and gaps.max(initial=0) * _STEP_S <= LONGEST_GAP_S)


def _false(told: list[Told], kind: str) -> dict[str, Any]:
    """Time told as a kind where something else is marked; what cudb leaves unmarked is not known to be false."""
    shares: dict[str, Any] = {}
    for name, kinds in (("sinus", ("sinus",)), ("other", ("other", "noise"))):
        marked = claimed = 0
        for each in told:
            here = _marked(each, *kinds)
            n = _length(each)
            claims = (
                _claims("vf", each, n) | _claims("vt_named", each, n) if kind == "vt_or_vf" else _claims(kind, each, n)
            )
            marked, claimed = marked + int(here.sum()), claimed + int((here & claims).sum())
        shares[f"false_share_{name}"] = _share(claimed, marked)
    return shares


def _onsets(told: list[Told]) -> dict[str, Any]:
    """Of each record's first fibrillation from 10 s on: whether a stretch of vf begins within 10 s of the mark."""
    within = 0
    for each in told:
        first = next(m.start_s for m in each.marked.marked if m.kind == "vf")
        starts = [s.start_s for s in each.ventricular if s.kind == "vf"]
        within += any(abs(start - first) <= ONSET_WITHIN_S for start in starts)
    return {"onsets_within_10_s": within, "records": len(told)}


def _windows(told: list[Told]) -> dict[str, Any]:
    """Windows of 5 s that bear one mark from end to end: shares that are told as VF or VT for more than half."""
    by_kind: dict[str, list[bool]] = {}
    width = round(_WINDOW_S / _STEP_S)
    for each in told:
        n = _length(each)
        shockable = _claims("vf", each, n) | _claims("vt_named", each, n)
        for mark in each.marked.marked:
            first, after = round(mark.start_s / _STEP_S), round(mark.end_s / _STEP_S)
            for start in range(first, after - width + 1, width):
                by_kind.setdefault(mark.kind, []).append(bool(shockable[start : start + width].mean() > 0.5))
    return {kind: {"windows": len(said), "told": _share(sum(said), len(said))} for kind, said in by_kind.items()}


def _of_record(each: Told) -> dict[str, Any]:
    """Seconds marked of each kind, and the share told as VF, as VT, as wide complexes and as asystole."""
    n = _length(each)
    claims = {name: _claims(name, each, n) for name in ("vf", "vt_named", "wide_complex", "asystole")}
    row: dict[str, Any] = {}
    for kind in dict.fromkeys(mark.kind for mark in each.marked.marked):
        here = _marked(each, kind)
        row[kind] = {"s": round(float(here.sum()) * _STEP_S)} | {
            name: _share(int((here & mask).sum()), int(here.sum())) for name, mask in claims.items() if mask.any()
        }
    return row


def _share(over: float, under: float) -> float | None:
    return round(float(over) / float(under), 4) if under else None
