"""How near the wave boundaries come to a cardiologist's: `ecg benchmark waves`.

Protocol. The parameters were chosen on `qtdb_marks.CHOOSING`; the figures are of `qtdb_marks.MEASURED`. A marked beat
is the nearest detected R peak within 150 ms; a boundary is found where ours lies within 150 ms of the mark, and the
error is ours minus the mark. Marks of beats that were not detected count as not found.

- ``fused``: the boundaries as the platform gives them, from both leads together. `sd_ms` is over all marks of all
  records, `sd_within_ms` the mean of the records' own standard deviations.
- ``best lead``: for each mark the better of what the two leads give alone. This, with `sd_within_ms`, is how
  Laguna 1994, Martínez 2004 and most others report; it needs the mark to choose the lead, so no user ever sees it.

The tolerances are the CSE working party's (Eur Heart J 6:815, 1985): two standard deviations of the differences between
its readers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets import physionet, qtdb_marks
from ecg_core.errors import DatasetUnavailable
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, INTERVALS, WAVE_POINTS
from ecg_core.result.intervals import intervals_of
from ecg_core.settings import Settings
from ecg_core.signal import Analysis, CleanSignal, analyse, delineate

TOLERANCE_MS: Final = {"p_on": 10.2, "p_off": 12.7, "qrs_on": 6.5, "qrs_off": 11.6, "t_off": 30.6}
FOUND_WITHIN_MS: Final = 150.0
_FEWEST_MARKS: Final = 5
"""A record's own standard deviation is told from so many marks on."""

Errors = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Boundary:
    """How one boundary was found.

    Attributes
    ----------
    n_marks : int
    sensitivity : float
        Share of the marks that were found, 0 to 1.
    mean_ms, sd_ms : float
        Of the error, over all marks that were found.
    sd_within_ms : float
        Mean over records of the standard deviation within a record.
    """

    n_marks: int
    sensitivity: float
    mean_ms: float
    sd_ms: float
    sd_within_ms: float


@dataclass(frozen=True, slots=True)
class Interval:
    """How near an interval comes to that between the marks, beat by beat and as a record's median.

    Attributes
    ----------
    n_beats, n_records : int
    mean_ms, sd_ms : float
        Of the error, over all beats.
    median_mean_ms, median_sd_ms : float
        Of the error of the record's median, over records: what the medians of a report are to be trusted by.
    """

    n_beats: int
    mean_ms: float
    sd_ms: float
    n_records: int
    median_mean_ms: float
    median_sd_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, by `WAVE_POINTS` and `INTERVALS`; a P is claimed in a share of `n_beats_without_p`."""

    n_records: int
    n_beats: int
    fused: dict[str, Boundary]
    best_lead: dict[str, Boundary]
    intervals: dict[str, Interval]
    n_beats_without_p: int
    p_claimed_without_mark: float

    def as_json(self) -> dict[str, object]:
        """Give one object for each boundary, fused, and beside them the rest."""
        return {
            **{point: asdict(boundary) for point, boundary in self.fused.items()},
            "records": self.n_records,
            "beats": self.n_beats,
            "tolerance_two_sd_ms": TOLERANCE_MS,
            "best_lead": {point: asdict(boundary) for point, boundary in self.best_lead.items()},
            "intervals": {name: asdict(interval) for name, interval in self.intervals.items()},
            "beats_without_p_mark": self.n_beats_without_p,
            "p_claimed_without_mark": self.p_claimed_without_mark,
        }


def measure(settings: Settings, on_record: Callable[[str], None] = lambda record: None) -> Figures:
    """Bring the QT Database and measure on its measured part.

    Raises
    ------
    DatasetUnavailable
        PhysioNet, or the base that stands for it, does not answer.
    """
    fetched = physionet.fetch(qtdb_marks.DATABASE, settings.physionet_base, settings.datasets_dir)
    return measure_records(fetched.path, qtdb_marks.MEASURED, on_record)


def measure_records(
    folder: Path, records: tuple[str, ...], on_record: Callable[[str], None] = lambda record: None
) -> Figures:
    """Measure on some records that lie in a folder."""
    fused: list[Errors] = []
    best: list[Errors] = []
    marked: list[npt.NDArray[np.bool_]] = []
    claimed: list[npt.NDArray[np.bool_]] = []
    ours: list[FloatArray] = []
    by_hand: list[FloatArray] = []
    for record in records:
        on_record(record)
        bounded = qtdb_marks.load_record(folder, record)
        to_ours = ANALYSIS_RATE_HZ / bounded.recording.sampling_rate_hz
        marks, qrs = bounded.marks * to_ours, bounded.qrs_sample.astype(np.float64) * to_ours
        analysis = analyse(bounded.recording)
        r_index = analysis.r_index
        if r_index.size == 0:
            raise DatasetUnavailable(f"No beat was found in {record}.", "Fetch it again: ecg fetch qtdb.")
        waves_ms = analysis.waves_ms()
        alone = np.stack([_errors_ms(marks, qrs, r_index, _one_lead(analysis, k)) for k in (0, 1)])
        fused.append(_errors_ms(marks, qrs, r_index, waves_ms))
        best.append(_smaller(alone))
        marked.append(np.isfinite(marks))
        row, near = _nearest(qrs, r_index)
        claimed.append(near & np.isfinite(waves_ms[row, WAVE_POINTS.index("p_peak")]))
        ours.append(np.where(near[:, None], intervals_of(waves_ms[row]), np.nan))
        by_hand.append(intervals_of((marks * (1000 / ANALYSIS_RATE_HZ)).astype(np.float32)))
    has_p = np.concatenate(marked)[:, WAVE_POINTS.index("p_peak")]
    return Figures(
        n_records=len(records),
        n_beats=int(has_p.size),
        fused=_summed_up(fused, marked),
        best_lead=_summed_up(best, marked),
        intervals=_intervals(ours, by_hand),
        n_beats_without_p=int((~has_p).sum()),
        p_claimed_without_mark=float(np.concatenate(claimed)[~has_p].mean()) if not has_p.all() else float("nan"),
    )


def _one_lead(analysis: Analysis, lead: int) -> FloatArray:
    cleaned, quality = analysis.cleaned, analysis.quality
    alone = replace(quality, analysable=quality.analysable[:, [lead]], index=quality.index[:, [lead]], primary_lead=0)
    return delineate(CleanSignal(cleaned.signal_mv[:, [lead]], cleaned.filters), alone, analysis.r_index)


def _nearest(
    qrs: npt.NDArray[np.float64], r_index: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Row of the R peak that is nearest to each marked beat, and whether it is near enough."""
    row = np.abs(r_index[None, :] - qrs[:, None]).argmin(axis=1)
    return row, np.abs(r_index[row] - qrs) * (1000 / ANALYSIS_RATE_HZ) <= FOUND_WITHIN_MS


def _errors_ms(
    marks: npt.NDArray[np.float64],
    qrs: npt.NDArray[np.float64],
    r_index: npt.NDArray[np.int64],
    waves_ms: FloatArray,
) -> Errors:
    """Ours minus the mark, shape (n_beats, 8); NaN where one of them is missing or they are too far apart."""
    row, near = _nearest(qrs, r_index)
    ours = r_index[row][:, None] * (1000 / ANALYSIS_RATE_HZ) + waves_ms[row]
    errors: Errors = ours - marks * (1000 / ANALYSIS_RATE_HZ)
    errors[~near] = np.nan
    errors[~(np.abs(errors) <= FOUND_WITHIN_MS)] = np.nan
    return errors


def _smaller(errors: Errors) -> Errors:
    """Of two leads' errors, shape (2, n_beats, 8), the smaller."""
    first, second = errors
    take_first = np.abs(first) <= np.where(np.isnan(second), np.inf, np.abs(second))
    chosen: Errors = np.where(take_first, first, second)
    return chosen


def _summed_up(errors: list[Errors], marked: list[npt.NDArray[np.bool_]]) -> dict[str, Boundary]:
    figures: dict[str, Boundary] = {}
    for column, point in enumerate(WAVE_POINTS):
        found = [record[:, column][np.isfinite(record[:, column])] for record in errors]
        together = np.concatenate(found)
        n_marks = sum(int(has_mark[:, column].sum()) for has_mark in marked)
        spreads = [float(record.std()) for record in found if record.size >= _FEWEST_MARKS]
        figures[point] = Boundary(
            n_marks=n_marks,
            sensitivity=together.size / n_marks if n_marks else float("nan"),
            mean_ms=float(together.mean()) if together.size else float("nan"),
            sd_ms=float(together.std()) if together.size else float("nan"),
            sd_within_ms=float(np.mean(spreads)) if spreads else float("nan"),
        )
    return figures


def _intervals(ours: list[FloatArray], by_hand: list[FloatArray]) -> dict[str, Interval]:
    figures: dict[str, Interval] = {}
    for column, name in enumerate(INTERVALS):
        errors: list[Errors] = []
        medians: list[float] = []
        for found, marked in zip(ours, by_hand, strict=True):
            both = np.isfinite(found[:, column]) & np.isfinite(marked[:, column])
            errors.append((found[both, column] - marked[both, column]).astype(np.float64))
            if int(both.sum()) >= _FEWEST_MARKS:
                medians.append(float(np.median(found[both, column]) - np.median(marked[both, column])))
        together = np.concatenate(errors)
        figures[name] = Interval(
            n_beats=int(together.size),
            mean_ms=float(together.mean()) if together.size else float("nan"),
            sd_ms=float(together.std()) if together.size else float("nan"),
            n_records=len(medians),
            median_mean_ms=float(np.mean(medians)) if medians else float("nan"),
            median_sd_ms=float(np.std(medians)) if medians else float("nan"),
        )
    return figures
