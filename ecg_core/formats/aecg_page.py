"""HL7 aECG whose leads stand in several sequence sets, as they follow each other on paper; ecgdatakit reads one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgdatakit.parsing.parsers.hl7_aecg import HL7aECGParser, _parse_ts

from ecg_core.errors import CorruptHeader

if TYPE_CHECKING:
    from ecgdatakit.models import Lead

_MEND = "Export the recording again as HL7 aECG."
_MOST_SETS = 100


class PageParser(HL7aECGParser):  # type: ignore[misc,unused-ignore]
    """The package's parser, given one sequence set at a time; each lead says at which sample it begins."""

    def _read_sequence_set(self, series: ET.Element, kind: str, file_path: Path) -> tuple[list[Lead], dict[str, Any]]:
        sets = series.findall("component/sequenceSet")
        if kind != "rhythm" or len(sets) < 2:
            alone: tuple[list[Lead], dict[str, Any]] = super()._read_sequence_set(series, kind, file_path)
            return alone
        if len(sets) > _MOST_SETS:
            raise CorruptHeader(f"The file cuts the rhythm into {len(sets)} sets of leads.", _MEND)
        found = [super(PageParser, self)._read_sequence_set(_series_of(one), kind, file_path) for one in sets]
        found = [(leads, time) for leads, time in found if leads]
        if not found:
            return [], {}
        first = min(_begins_s(time) for _, time in found)
        leads, rates = [], []
        for of_set, time in found:
            rate = time["sampling_rate_exact"]
            for lead in of_set:
                lead.annotations["start_sample"] = str(1 + round((_begins_s(time) - first) * rate))
            leads += of_set
            rates += [rate] * len(of_set)
        return leads, {**min(found, key=lambda one: _begins_s(one[1]))[1], "rates_by_lead": rates}


def _series_of(one: ET.Element) -> ET.Element:
    series, component = ET.Element("series"), ET.Element("component")
    component.append(one)
    series.append(component)
    return series


def _begins_s(time: dict[str, Any]) -> float:
    """Seconds of a set's head: since a moment of its own for a date, as it stands for a number."""
    if str(time["code"]).upper() == "TIME_ABSOLUTE":
        moment: datetime | None = _parse_ts(time["head"], need_time=True)
        if moment is None:
            raise CorruptHeader("A set of leads does not say when it begins.", _MEND)
        return moment.replace(tzinfo=None).timestamp()
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
    try:
        return float(time["head"] or 0.0) * units[time["head_unit"] or "s"]
    except (ValueError, KeyError):
        raise CorruptHeader("A set of leads does not say when it begins.", _MEND) from None
