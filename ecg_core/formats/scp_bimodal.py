"""SCP-ECG's bimodal compression, which ecgdatakit does not undo: full detail around each QRS, few samples elsewhere.

And the codes of drugs, of which it keeps none where a text stands beside them.

EN 1064, annex C: within the protected zones of section 4 the rhythm is stored sample by sample; between them stands the
mean of so many samples (the ratio of the intervals of sections 6 and 5), and what is left over of a stretch as it is.
The means are joined by straight lines. Deviation: the three-point filter that the annex suggests after that is not
applied, so that no sample of the file changes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ecgdatakit.parsing.parsers.scp_ecg import SCPECGParser, _Context

from ecg_core.errors import CorruptHeader

if TYPE_CHECKING:
    from ecgdatakit.models import ECGRecord

_MEND = "Export the recording again as SCP-ECG, uncompressed."
_SECTION_HEADER_BYTES = 16
_DRUG = 10
"""Tag of a drug in section 1: table, class, code, text."""
_SLOWEST = 4
"""Of what the standard allows."""
Zones = list[tuple[int, int]]


class BimodalParser(SCPECGParser):  # type: ignore[misc,unused-ignore]
    """The package's parser, which is told that nothing was left out and gets all samples back."""

    _by = 1

    def _parse_section1(self, ctx: _Context, record: ECGRecord) -> dict[str, Any]:
        facts: dict[str, Any] = super()._parse_section1(ctx, record)
        body = ctx.sections[1].body(ctx.data)
        tags = self._split_tags(body, fixed=False) or self._split_tags(body, fixed=True) or []
        drugs = [value for tag, value in tags if tag == _DRUG and len(value) >= 3]
        record.raw_metadata["scp_drugs"] = [
            (value[1], value[2], value[3:].split(b"\0")[0].decode("latin-1")) for value in drugs
        ]
        return facts

    def _parse_section6(self, ctx: _Context, record: ECGRecord, median: dict[str, Any] | None) -> None:
        at = ctx.sections[6].offset + _SECTION_HEADER_BYTES
        interval, bimodal = struct.unpack_from("<H", ctx.data, at + 2)[0], ctx.data[at + 5]
        self._by = 1
        if bimodal and ctx.protocol < 30 and median is not None and interval > median["interval"]:
            self._by, rest = divmod(interval, median["interval"])
            if rest or self._by > _SLOWEST or not ctx.protected:
                raise CorruptHeader("The rhythm's compression contradicts itself.", _MEND)
            data = bytearray(ctx.data)
            struct.pack_into("<H", data, at + 2, median["interval"])
            data[at + 5] = 0
            ctx.data = bytes(data)
        super()._parse_section6(ctx, record, median)

    def _decode_leads(
        self, ctx: _Context, sid: int, counts: list[int] | None
    ) -> tuple[int, int, int, int, list[npt.NDArray[np.int64]]]:
        if sid != 6 or self._by == 1:
            decoded: tuple[int, int, int, int, list[npt.NDArray[np.int64]]] = super()._decode_leads(ctx, sid, counts)
            return decoded
        stretches = [_stretches(ctx.protected, lead.start, lead.end) for lead in ctx.leads]
        stored = [sum(n if whole else n // self._by + n % self._by for n, whole in lead) for lead in stretches]
        avm, interval, differences, flag, leads = super()._decode_leads(ctx, sid, stored)
        whole = [_unfolded(lead, parts, self._by) for lead, parts in zip(leads, stretches, strict=True)]
        return avm, interval, differences, flag, whole


def _stretches(zones: Zones, first: int, last: int) -> list[tuple[int, bool]]:
    """Lengths in samples of what lies between the protected zones (False) and within them (True), in turn."""
    found, at = [], first
    for start, end in sorted(zones):
        start, end = max(start, at), min(end, last)
        if start <= end:
            found += [(start - at, False), (end - start + 1, True)]
            at = end + 1
    return [*found, (last - at + 1, False)]


def _unfolded(stored: npt.NDArray[np.int64], stretches: list[tuple[int, bool]], by: int) -> npt.NDArray[np.int64]:
    """Every sample of a lead, from one that was stored with `by` samples in one outside of its protected zones."""
    parts, at = [], 0
    for n, whole in stretches:
        n_means = 0 if whole else n // by
        if n_means:
            places = np.clip((np.arange(n_means * by) - by // 2) / by, 0, None)
            joined = np.interp(places, np.arange(n_means), stored[at : at + n_means])
            parts.append(np.round(joined).astype(np.int64))
        rest = n - n_means * by
        parts.append(stored[at + n_means : at + n_means + rest])
        at += n_means + rest
    return np.concatenate(parts)
