"""Pauses and asystole, lost contact, and where the one cannot be told from the other: without any beat being found.

A detector of QRS complexes looks for what is there. Here the question is the other one: where is nothing? Each lead is
asked on its own, and one that shows a complex denies the pause.

- Each lead has an envelope (5 to 25 Hz, absolute value, smoothed), and a level: what its complexes reach, as the 70th
  percentile of the highest values of blocks of 1.5 s within a minute on either side; at least a third of the whole
  recording's, so that a long standstill does not make its own reference.
- A complex is a peak of at least a fifth of the level that stands out of what is around it, or one of at least a
  twelfth that is as sharp as the lead's complexes are (beats may become small). P waves are lower, and not as sharp,
  or known by those of the conducted beats (`ecg_core.signal.lone_p`); spikes of a pacemaker are sharper.
  Fibrillation is no concern of this module: `ecg_core.beats.ventricular` speaks first.
- Contact is lost where the signal as recorded is missing, or does not move by its last bit for .3 s (a rail does not
  either), and around steps that no heart makes. No electrode on skin is as quiet as that; a heart that stands still
  leaves muscle noise, mains and P waves.
- What is quieter than the quietest moments between the beats elsewhere, or flat in a recording whose steps are so
  coarse that it is flat between beats as well, or moves slowly and without end like fine fibrillation, is told as it
  is: it cannot be told which.

The limits were set on MIT-BIH's training records, svdb, vfdb and cudb (``benchmarks.train_ventricular`` prints what
they give there).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from scipy import signal as dsp

from ecg_core.recording import FloatArray, Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal.cleaning import CleanSignal
from ecg_core.signal.fourier import band_pass, filtered, lead_batches, row_medians, row_quantiles
from ecg_core.signal.lone_p import are_lone_p_waves
from ecg_core.signal.threads import side_by_side

SHORTEST_PAUSE_S: Final = 2.5
SHORTEST_LOSS_S: Final = 0.3

_BAND_HZ: Final = (5.0, 25.0)
_CONTEXT_S: Final = 2.0
_SMOOTH_S: Final = 0.1
_LEVEL_BLOCK_S: Final = 1.5
_LEVEL_REACH_S: Final = 60.0
_LEVEL_EVERY: Final = 8
"""Blocks: the level is asked for each 12 s, and straight lines join it."""
_LEVEL_QUANTILE: Final = 0.7
_LEVEL_FLOOR: Final = 1 / 3
_LOWEST_LEVEL_MV: Final = 0.02
"""Of the envelope: QRS complexes of .15 mV reach it."""
_COMPLEX: Final = 0.2
_LOWEST_COMPLEX_MV: Final = 0.03
"""Of the envelope: about .1 mV of QRS. IEC 60601-2-27 asks monitors to find none below .15 mV."""
_STANDS_OUT: Final = 2.5
_SMALL_COMPLEX: Final = 0.08
_SMALL_STANDS_OUT: Final = 6.0
_COMPANY_S, _COMPANY = 3.0, 3
_P_BEFORE_S: Final = 0.3
_AS_SHARP: Final = (0.75, 1.6)
_BEND: Final = 4
"""Samples on either side that sharpness is taken over: 16 ms."""
_ON_A_RAIL_S: Final = 1.0
_AROUND_S: Final = 1.5
_SAME_COMPLEX_S: Final = 0.15

_AT_ONCE: Final = 1 << 20
_BLOCK_S: Final = 0.1
_MARGIN_S: Final = 0.2
_STEP_MV: Final = 3.0
_COARSE_PER_S: Final = 0.1
"""Flat runs a second from which a recording's steps are too coarse to tell a lost contact by."""
_NOISE_BLOCK_S: Final = 0.5
_QUIETER: Final = 0.3
_FINE_FIBRILLATION_MV: Final = 0.15
_REGULAR: Final = 0.2
_FEWEST_P_WAVES: Final = 3

BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
Kind = Literal["pause", "lost_contact", "cannot_tell"]


@dataclass(frozen=True, slots=True)
class Standstill:
    """A stretch without a QRS complex in any lead that can be read, or without any lead that can be read.

    Attributes
    ----------
    start_s, end_s : float
        From the last complex before it to the first after it, or to the recording's ends; of ``lost_contact`` the
        stretch that no lead shows.
    kind : {"pause", "lost_contact", "cannot_tell"}
    seen_s : float
        So much of it could be read, in one piece, and had no complex: the pause is at least this long.
    atrial_activity : bool
        P waves go on: small peaks at regular intervals.
    at_start, at_end : bool
        It reaches to the recording's start, or end: it may have been longer.
    """

    start_s: float
    end_s: float
    kind: Kind
    seen_s: float
    atrial_activity: bool = False
    at_start: bool = False
    at_end: bool = False

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """What complexes reach around each sample: straight lines between some."""

    places: Array
    heights: Array

    def at(self, samples: npt.NDArray[np.int64]) -> FloatArray:
        return np.interp(samples, self.places, self.heights).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Lead:
    """What one lead says: complexes (samples), where it can be read and where it is quiet, shape (n,) each."""

    complexes: npt.NDArray[np.int64]
    readable: BoolArray
    envelope: FloatArray
    level: _Level
    column: FloatArray
    sharpness: float
    coarse: bool
    known: bool

    @cached_property
    def noise(self) -> FloatArray:
        """How much it bends, in each block of `_NOISE_BLOCK_S`; asked for where there is a doubt."""
        column, block = self.column, round(_NOISE_BLOCK_S * ANALYSIS_RATE_HZ)
        n_blocks = column.size // block
        bend = np.abs(column[2:] - 2 * column[1:-1] + column[:-2])[: n_blocks * block - 2]
        return row_medians(np.pad(bend, (1, 1), mode="edge").reshape(-1, block))


@dataclass(frozen=True, slots=True, eq=False)
class Contact:
    """Where each lead has contact, judged on the recorded signal.

    Attributes
    ----------
    readable : ndarray of bool, shape (n, n_leads)
        At the analysis rate.
    coarse : tuple of bool
        By lead: its steps are too coarse to tell a lost contact by.
    """

    readable: BoolArray
    coarse: tuple[bool, ...]


def find_standstill(cleaned: CleanSignal, contact: Contact) -> tuple[Standstill, ...]:
    """Find pauses of 2.5 s and more, and what might be taken for one.

    Parameters
    ----------
    cleaned : CleanSignal
    contact : Contact
        Of the same recording.

    Returns
    -------
    tuple of Standstill
        By start. Lost contacts from .3 s on, so that whoever counts intervals knows where none is known.
    """
    n, n_leads = cleaned.signal_mv.shape
    if n < ANALYSIS_RATE_HZ:
        return ()
    # One after the other: what a lead of a day needs for it is 350 MB.
    leads = [lead for batch in lead_batches(n_leads, n, ANALYSIS_RATE_HZ) for lead in _ask(cleaned, contact, batch)]
    found = [*_lost(leads), *_without_complex(cleaned.signal_mv, leads)]
    return tuple(sorted(found, key=lambda s: (s.start_s, s.end_s)))


def find_contact(recording: Recording, cleaned: CleanSignal) -> Contact:
    """Tell where each lead of a recording has contact."""
    n, n_leads = cleaned.signal_mv.shape
    readable = np.ones((n_leads, n), dtype=bool)

    def look(lead: int) -> bool:
        raw = np.ascontiguousarray(recording.signal[:, lead])
        lost, is_coarse = _contact_lost(raw, recording.sampling_rate_hz, n)
        readable[lead] = _with_margin(lost)
        return is_coarse

    coarse = side_by_side(look, range(n_leads), n)
    return Contact(readable.T, tuple(coarse))


def _with_margin(lost: BoolArray) -> BoolArray:
    """Turn what is lost into what can be read: the filter smears each edge."""
    return ~ndimage.binary_dilation(lost, iterations=round(_MARGIN_S * ANALYSIS_RATE_HZ)) if lost.any() else ~lost


def _ask(cleaned: CleanSignal, contact: Contact, leads: slice) -> list[_Lead]:
    """Look at some leads."""
    said = []
    columns = np.ascontiguousarray(cleaned.signal_mv.T[leads])
    readable = np.ascontiguousarray(contact.readable.T[leads])
    each_lead = zip(columns, _envelopes(columns), readable, contact.coarse[leads], strict=True)
    for column, envelope, seen, coarse in each_lead:
        level, known = _level(envelope, seen)
        complexes, sharpness = _complexes(column, envelope, level, seen)
        said.append(_Lead(complexes, seen, envelope, level, column, sharpness, coarse, known))
    return said


def _contact_lost(raw: FloatArray, rate_hz: float, n_out: int) -> tuple[BoolArray, bool]:
    """Tell where a lead is missing, constant or steps, at the analysis rate; and whether its resolution is coarse."""
    missing = ~np.isfinite(raw)
    still = np.zeros(raw.size, dtype=bool)
    still[1:] = raw[1:] == raw[:-1]
    start, stop = _runs(still, SHORTEST_LOSS_S * rate_hz)
    # Waves larger than the recorder's range are cut off for some tenths; that is no lost contact.
    of_contact = ~(_at_rail(raw, start) & (stop - start < _ON_A_RAIL_S * rate_hz))
    coarse = bool(np.count_nonzero(of_contact) > _COARSE_PER_S * raw.size / rate_hz)
    lost = missing
    if not coarse:
        for first, after in zip(start[of_contact], stop[of_contact], strict=True):
            lost[max(0, first - 1) : after] = True
    lost |= _steps(raw, rate_hz)
    out = np.zeros(n_out, dtype=bool)
    if lost.any():
        for begin in range(0, n_out, _AT_ONCE):
            place = (np.arange(begin, min(n_out, begin + _AT_ONCE)) * (rate_hz / ANALYSIS_RATE_HZ)).astype(np.int64)
            out[begin : begin + place.size] = lost[np.minimum(place, raw.size - 1)]
    return out, coarse


def _at_rail(raw: FloatArray, places: npt.NDArray[np.int64]) -> BoolArray:
    """Whether the lead is at its lowest or highest value there."""
    low, high = (float(f.reduce(raw)) if raw.size else 0.0 for f in (np.fmin, np.fmax))
    return np.asarray((raw[places] <= low) | (raw[places] >= high), dtype=bool)


def _steps(raw: FloatArray, rate_hz: float) -> BoolArray:
    """Find shifts of the baseline that no heart makes: 3 mV within .2 s that stay for .3 s."""
    block = max(1, round(_BLOCK_S * rate_hz))
    n_blocks = raw.size // block
    stepped = np.zeros(raw.size, dtype=bool)
    if n_blocks < 6:
        return stepped
    blocks = raw[: n_blocks * block].reshape(n_blocks, block)
    many = max(1, _AT_ONCE // block)
    middle = np.concatenate([np.median(blocks[k : k + many], axis=1) for k in range(0, n_blocks, many)])
    before = ndimage.median_filter(middle, 3, origin=1)[1:-3]
    after = ndimage.median_filter(middle, 3, origin=-1)[3:-1]
    for place in np.flatnonzero(np.abs(after - before) > _STEP_MV) + 1:
        stepped[place * block : (place + 3) * block] = True
    return stepped


def _envelopes(leads: FloatArray) -> FloatArray:
    sos = band_pass(2, *_BAND_HZ, ANALYSIS_RATE_HZ)

    def smooth(rows: FloatArray) -> FloatArray:
        return ndimage.uniform_filter1d(np.abs(rows), round(_SMOOTH_S * ANALYSIS_RATE_HZ), axis=1)

    return filtered(leads, sos, ANALYSIS_RATE_HZ, ANALYSIS_RATE_HZ, _CONTEXT_S, then=smooth)


def _level(envelope: FloatArray, readable: BoolArray) -> tuple[_Level, bool]:
    """Tell what complexes reach, and whether there ever was one that is known for it."""
    block = round(_LEVEL_BLOCK_S * ANALYSIS_RATE_HZ)
    n_blocks = max(1, envelope.size // block)
    used = np.where(readable, envelope, np.float32(0))[: n_blocks * block]
    highest = used.reshape(n_blocks, -1).max(axis=1)
    whole = readable[: n_blocks * block].reshape(n_blocks, -1).mean(axis=1) > 0.8
    if not whole.any():
        return _Level(np.zeros(1), np.full(1, _LOWEST_LEVEL_MV)), False
    known = np.where(whole, highest, np.float32(np.nan))
    overall = float(row_quantiles(known[None], _LEVEL_QUANTILE)[0])
    reach = round(_LEVEL_REACH_S / _LEVEL_BLOCK_S)
    asked = np.arange(0, n_blocks, _LEVEL_EVERY)
    around = sliding_window_view(np.pad(known, reach, constant_values=np.nan), 2 * reach + 1)[asked]
    level = row_quantiles(around, _LEVEL_QUANTILE)
    level[np.isnan(level)] = overall
    level = np.maximum(level, max(_LEVEL_FLOOR * overall, _LOWEST_LEVEL_MV))
    return _Level((asked.astype(np.float64) + 0.5) * block, level), overall > _LOWEST_LEVEL_MV


def _complexes(
    column: FloatArray, envelope: FloatArray, level: _Level, readable: BoolArray
) -> tuple[npt.NDArray[np.int64], float]:
    """Peaks that may be QRS complexes, and how sharp those of usual height are."""
    peaks, _ = dsp.find_peaks(envelope, distance=round(_SAME_COMPLEX_S * ANALYSIS_RATE_HZ))
    if envelope.size and envelope[0] > envelope[1:2].max(initial=0):
        peaks = np.concatenate([[0], peaks])
    height = envelope[peaks] / level.at(peaks)
    peaks = peaks[readable[peaks] & (height >= _SMALL_COMPLEX)]
    # The median of a tenth of the samples is that of all.
    thin = ndimage.median_filter(envelope[::10], round(_AROUND_S * ANALYSIS_RATE_HZ / 10), mode="nearest")
    above = envelope[peaks] / np.maximum(thin[np.minimum(peaks // 10, thin.size - 1)], 1e-6)
    height = envelope[peaks] / level.at(peaks)
    sharp = _sharpness(column, peaks)
    usual = float(np.median(sharp[height > 0.5])) if (height > 0.5).any() else 1.0
    alike = (sharp >= _AS_SHARP[0] * usual) & (sharp <= _AS_SHARP[1] * usual)
    large = (above >= _STANDS_OUT) & (envelope[peaks] >= _full_height(level.at(peaks)))
    # What stands right before a complex of full height is its P wave.
    next_large = np.concatenate([peaks[large], [np.iinfo(np.int64).max]])[np.searchsorted(peaks[large], peaks)]
    small = (
        alike
        & (envelope[peaks] >= _LOWEST_COMPLEX_MV)
        & (above >= _SMALL_STANDS_OUT)
        & (next_large - peaks > _P_BEFORE_S * ANALYSIS_RATE_HZ)
    )
    return np.sort(np.concatenate([peaks[large], _in_company(peaks[small])])), usual


def _in_company(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keep those that have three like them within 3 s on either side: beats that became small, not one sharp P wave."""
    reach = round(_COMPANY_S * ANALYSIS_RATE_HZ)
    around = np.searchsorted(places, places + reach) - np.searchsorted(places, places - reach)
    return np.asarray(places[around > _COMPANY], dtype=np.int64)


def _full_height(level: FloatArray) -> FloatArray:
    """Compute what a complex must reach, whatever its shape."""
    return np.asarray(np.maximum(_COMPLEX * level, _LOWEST_COMPLEX_MV), dtype=np.float32)


def _sharpness(column: FloatArray, places: npt.NDArray[np.int64]) -> FloatArray:
    """How strongly the signal bends over 16 ms, of its range within 60 ms; free of amplitude."""
    reach = round(0.06 * ANALYSIS_RATE_HZ)
    rows = column[np.clip(places[:, None] + np.arange(-reach, reach + 1), 0, column.size - 1)]
    bend = np.abs(rows[:, 2 * _BEND :] - 2 * rows[:, _BEND:-_BEND] + rows[:, : -2 * _BEND]).max(axis=1, initial=0)
    return np.asarray(bend / (np.ptp(rows, axis=1) + 1e-6), dtype=np.float32)


def _lost(leads: list[_Lead]) -> list[Standstill]:
    """Stretches that no lead shows."""
    nowhere = ~np.logical_or.reduce([lead.readable for lead in leads])
    n = nowhere.size
    found = []
    for first, after in zip(*_runs(nowhere), strict=True):
        margin = round(_MARGIN_S * ANALYSIS_RATE_HZ)
        inner = (first + margin * (first > 0), after - margin * (after < n))
        if inner[1] - inner[0] >= SHORTEST_LOSS_S * ANALYSIS_RATE_HZ:
            found.append(
                Standstill(
                    float(inner[0] / ANALYSIS_RATE_HZ),
                    float(inner[1] / ANALYSIS_RATE_HZ),
                    "lost_contact",
                    0.0,
                    at_start=bool(first == 0),
                    at_end=bool(after == n),
                )
            )
    return found


def _without_complex(signal_mv: FloatArray, leads: list[_Lead]) -> list[Standstill]:
    """Intervals without a complex in any lead, long enough, and what they are."""
    every = np.unique(np.concatenate([lead.complexes for lead in leads]))
    every = every[~are_lone_p_waves(every, signal_mv, max((lead.complexes for lead in leads), key=len))]
    bounds = np.concatenate([[0], every, [len(signal_mv)]])
    gaps = np.flatnonzero(np.diff(bounds) >= SHORTEST_PAUSE_S * ANALYSIS_RATE_HZ)
    found = []
    for gap in gaps:
        first, after = int(bounds[gap]), int(bounds[gap + 1])
        told = _tell(leads, first, after)
        if told is not None:
            kind, seen_s, atrial = told
            found.append(
                Standstill(
                    first / ANALYSIS_RATE_HZ,
                    after / ANALYSIS_RATE_HZ,
                    kind,
                    seen_s,
                    atrial,
                    at_start=gap == 0,
                    at_end=bool(gap == bounds.size - 2),
                )
            )
    return found


def _tell(leads: list[_Lead], first: int, after: int) -> tuple[Kind, float, bool] | None:
    """Say what an interval without a complex is; None where it is noise, or lost contact alone."""
    here = slice(first, after)
    calm = [k for k, lead in enumerate(leads) if _is_calm(lead, here)]
    if not calm:
        return None
    seen = np.logical_or.reduce([leads[k].readable[here] for k in calm])
    start, stop = _runs(seen)
    seen_s = float((stop - start).max(initial=0)) / ANALYSIS_RATE_HZ
    if seen_s < SHORTEST_PAUSE_S:
        # Some tenths at each edge are the complexes' own; what is left may hide a beat.
        whole = seen.mean() > 0.97
        return ("pause", (after - first) / ANALYSIS_RATE_HZ, False) if whole else None
    inside = slice(first + int(start[(stop - start).argmax()]), first + int(stop[(stop - start).argmax()]))
    doubtful = all(_is_doubtful(leads[k], inside) for k in calm)
    atrial = any(_has_p_waves(leads[k], inside) for k in calm)
    return ("cannot_tell" if doubtful and not atrial else "pause"), seen_s, atrial


def _is_calm(lead: _Lead, here: slice) -> bool:
    """Whether a lead that can be read is below the height of complexes for nearly all of an interval."""
    readable = lead.readable[here]
    if not lead.known or not readable.any():
        return False
    above = lead.envelope[here] > _full_height(lead.level.at(np.arange(here.start, here.stop)))
    return float(above[readable].mean()) < 0.25


def _is_doubtful(lead: _Lead, inside: slice) -> bool:
    """Whether a calm stretch may be a lost contact, or fine fibrillation."""
    column, noise = lead.column, lead.noise
    block = round(_NOISE_BLOCK_S * ANALYSIS_RATE_HZ)
    between = np.arange(noise.size) * block
    outside = (between + block < inside.start) | (between > inside.stop)
    within = (between >= inside.start + block) & (between + block <= inside.stop - block)
    known = outside & lead.readable[np.minimum(between, column.size - 1)]
    if known.sum() >= 10 and within.any():
        quiet = float(np.percentile(noise[known], 10))
        if float(np.median(noise[within])) < _QUIETER * quiet:
            return True
    if lead.coarse and float(np.ptp(column[inside])) < 0.02:
        return True
    return _moves_without_end(column[inside])


def _moves_without_end(column: FloatArray) -> bool:
    """Whether it goes up and down all the time, at 2 to 10 Hz and .15 mV, as fine fibrillation does."""
    sos = band_pass(2, 2.0, 10.0, ANALYSIS_RATE_HZ)
    wave = dsp.sosfiltfilt(sos, column)
    block = round(_NOISE_BLOCK_S * ANALYSIS_RATE_HZ)
    ranges = np.ptp(wave[: wave.size // block * block].reshape(-1, block), axis=1)
    return float(np.percentile(ranges[1:-1] if ranges.size > 4 else ranges, 25)) > _FINE_FIBRILLATION_MV


def _has_p_waves(lead: _Lead, inside: slice) -> bool:
    """Whether small peaks come at regular intervals of .35 to 2 s."""
    envelope = lead.envelope[inside]
    floor = float(np.median(envelope))
    peaks, _ = dsp.find_peaks(envelope, height=3 * floor, distance=round(0.35 * ANALYSIS_RATE_HZ))
    if peaks.size < _FEWEST_P_WAVES:
        return False
    # Spikes of a pacemaker come regularly too.
    if float(np.median(_sharpness(lead.column, peaks + inside.start))) > _AS_SHARP[1] * lead.sharpness:
        return False
    interval = np.diff(peaks) / ANALYSIS_RATE_HZ
    return bool(interval.max() < 2.0 and interval.std() < _REGULAR * interval.mean())


def _runs(mask: BoolArray, shortest: float = 1.0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First index and the one after the last of every run of True that is long enough."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    start, stop = edges[::2], edges[1::2]
    long_enough = stop - start >= shortest
    return start[long_enough], stop[long_enough]
