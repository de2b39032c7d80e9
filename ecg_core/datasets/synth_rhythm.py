"""When the beats of a generated recording fall, and of which kind they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_TACHOGRAM_HZ = 4.0
_MAYER_HZ, _BREATHING_HZ = 0.1, 0.25
_BAND_HZ = 0.01
_LOW_TO_HIGH = 0.5
_RR_DEVIATION = 0.04
"""Standard deviation of the RR interval as a share of its mean."""
_AF_DEVIATION = 0.24
_SHORTEST_RR_S = 0.26


@dataclass(frozen=True, slots=True, eq=False)
class Rhythm:
    """R times in seconds, the interval before each, and each beat's symbol (``N``, ``V``, ``A``)."""

    r_time_s: FloatArray
    rr_s: FloatArray
    symbols: tuple[str, ...]
    fibrillating: bool


def make_rhythm(
    duration_s: float,
    heart_rate_bpm: float,
    pvc_per_minute: float,
    sveb_per_minute: float,
    af: bool,
    rng: np.random.Generator,
) -> Rhythm:
    """Place beats from 0.4 s after the start to 0.5 s before the end.

    A PVC comes at 50 to 65 % of the interval and the next sinus beat where it would have come anyway (full
    compensatory pause); an SVEB comes at 60 to 78 % and the next sinus beat one interval after it (reset).
    """
    mean_rr_s = 60.0 / heart_rate_bpm
    intervals = _tachogram(duration_s, mean_rr_s, rng)
    times, symbols, at_s = [0.4], ["N"], 0.4
    while True:
        sinus_s = float(intervals[min(int(at_s * _TACHOGRAM_HZ), intervals.size - 1)])
        if af:
            # Independent intervals, skewed to the long side.
            sinus_s = max(_SHORTEST_RR_S + 0.06, mean_rr_s * float(rng.gamma(1 / _AF_DEVIATION**2, _AF_DEVIATION**2)))
        draw, early, jitter = rng.random(3)
        per_beat = mean_rr_s / 60.0
        coming: list[tuple[float, str]] = [(at_s + sinus_s, "N")]
        if symbols[-1] == "N" and draw < pvc_per_minute * per_beat:
            coming = [(at_s + (0.50 + 0.15 * early) * sinus_s, "V"), (at_s + 2 * sinus_s, "N")]
        elif symbols[-1] == "N" and draw < (pvc_per_minute + sveb_per_minute) * per_beat:
            premature = at_s + (0.60 + 0.18 * early) * sinus_s
            coming = [(premature, "A"), (premature + (1.02 + 0.08 * jitter) * sinus_s, "N")]
        for time_s, symbol in coming:
            at_s = max(time_s, times[-1] + _SHORTEST_RR_S)
            if at_s > duration_s - 0.5:
                r_time_s = np.array(times)
                rr_s = np.diff(r_time_s, prepend=r_time_s[0] - mean_rr_s)
                return Rhythm(r_time_s, rr_s, tuple(symbols), af)
            times.append(at_s)
            symbols.append(symbol)


def _tachogram(duration_s: float, mean_rr_s: float, rng: np.random.Generator) -> FloatArray:
    """RR interval in seconds, four times a second: McSharry's spectrum with random phases."""
    n = max(64, int(2 ** np.ceil(np.log2(duration_s * _TACHOGRAM_HZ + 1))))
    frequency = np.fft.rfftfreq(n, 1 / _TACHOGRAM_HZ)
    power = _LOW_TO_HIGH * _bump(frequency, _MAYER_HZ) + _bump(frequency, _BREATHING_HZ)
    phase = rng.uniform(0, 2 * np.pi, frequency.size)
    series = np.fft.irfft(np.sqrt(power) * np.exp(1j * phase), n)
    deviation = float(series.std())
    if deviation == 0:
        return np.full(n, mean_rr_s)
    return np.asarray(mean_rr_s * (1 + _RR_DEVIATION * (series - series.mean()) / deviation))


def _bump(frequency: npt.NDArray[np.floating], centre_hz: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((frequency - centre_hz) / _BAND_HZ) ** 2))
