"""How far a beat is from normal: what the autoencoder could not draw of it, and how early it came.

The autoencoder draws what the beat should look like in this patient. What is left over is weighed sample by sample by
what is left over in normal beats of patients that were held out in turn, so that a P wave counts as much as a QRS; to
it comes how early the beat was, as if that were some more samples, because a supraventricular ectopic beat often
differs in nothing else. The logarithm of the sum is what is compared: a z-score against those normal beats.

Chosen on folds by patients of the training and deciding parts of MIT-BIH (21 patients), area under the ROC curve of
abnormal against normal beats: leftovers unweighted .963, weighted .969, with prematurity .979 (S alone .845, .872,
.939).

A patient's own normal level (`without_own_level`) is taken out for the figures only, not in what is stored. It lifts
the area to .984 where recordings are as they are; but where the same patients' normal beats are thinned out until
three beats in four are abnormal, it falls to .948, and to .633 at nine in ten, while the raw score stays at .978: then
the level is that of the ectopic beats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX

SAMPLES: Final = slice(30, 160)
"""Where in the window leftovers count: -280 to +240 ms. Beyond it heart rate moves the T wave and the next P."""
WAVES: Final = {"p": (-250.0, -70.0), "qrs": (-60.0, 80.0), "t": (120.0, 400.0)}
"""The waves, and where they lie (ms from R) in the normal beats that z-scores by wave are taken against."""
QUIET_PERCENT: Final = 15.0
"""A recording's own level is this percentile of its beats: the median would be that of frequent ectopic beats."""
PREMATURITY_WEIGHT: Final = 0.25
_USUAL_SPREAD: Final = 0.3
_IRREGULARITY: Final = 1.2
_SMALLEST: Final = 1e-6
_ROWS: Final = 8192


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What normal beats of held-out training patients show; in the manifest under ``deviation``.

    Attributes
    ----------
    spread : list of float, length 256
        Root mean square of the leftover at each sample, in units of the recording's scale.
    mean, sd : float
        Of the log deviation.
    waves : dict of str to (float, float)
        Mean and standard deviation of each wave's log deviation.
    """

    spread: list[float]
    mean: float
    sd: float
    waves: dict[str, tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return asdict(self)

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Yardstick:
        """Read it from a manifest."""
        stored = manifest["deviation"]
        waves = {wave: (float(mean), float(sd)) for wave, (mean, sd) in stored["waves"].items()}
        return cls(stored["spread"], stored["mean"], stored["sd"], waves)

    def deviation(self, leftover: FloatArray, context: FloatArray) -> FloatArray:
        """Weigh what the autoencoder left over, and how early each beat came.

        Parameters
        ----------
        leftover : ndarray of float32, shape (n, 256)
            Beat minus reconstruction, in units of the recording's scale.
        context : ndarray of float32, shape (n, K)

        Returns
        -------
        ndarray of float32, shape (n,)
            Log of the root of the mean squared leftover in units of `spread`, prematurity included, as a z-score.
        """
        spread = np.asarray(self.spread, np.float32)[SAMPLES]
        pieces = [leftover[at : at + _ROWS, SAMPLES] for at in range(0, max(len(leftover), 1), _ROWS)]
        weighed = np.concatenate([np.square(piece / spread).mean(axis=1) for piece in pieces])
        log = 0.5 * np.log(weighed + PREMATURITY_WEIGHT * _prematurity(context) + _SMALLEST)
        return np.asarray((log - self.mean) / self.sd, np.float32)

    def by_wave(self, leftover: FloatArray, waves_ms: FloatArray) -> FloatArray:
        """Say how far each wave of each beat is from normal.

        Parameters
        ----------
        leftover : ndarray of float32, shape (n, 256)
            Beat minus reconstruction, in units of the recording's scale.
        waves_ms : ndarray of float32, shape (n, 8)
            ``p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off`` in ms from the R peak; NaN where absent.

        Returns
        -------
        ndarray of float32, shape (n, 3)
            z-scores of P, QRS and T; NaN where the wave is absent or outside the window.
        """
        weighed = np.square(leftover / np.asarray(self.spread, np.float32))
        columns = [(0, 2), (3, 4), (5, 7)]
        logs = [_log_over(weighed, waves_ms[:, on], waves_ms[:, off]) for on, off in columns]
        scores = [(log - self.waves[w][0]) / self.waves[w][1] for log, w in zip(logs, WAVES, strict=True)]
        return np.stack(scores, axis=1).astype(np.float32)


def fit_yardstick(
    leftover: FloatArray, context: FloatArray, group: npt.NDArray[np.int64], is_normal: npt.NDArray[np.bool_]
) -> Yardstick:
    """Measure what is usual, each recording's spread counting alike however many beats it has.

    Parameters
    ----------
    leftover : ndarray of float, shape (n, 256)
        Of beats of patients that the autoencoder had not seen.
    context : ndarray of float32, shape (n, K)
    group : ndarray of int64, shape (n,)
        Which recording and lead, from `recordings_of`.
    is_normal : ndarray of bool, shape (n,)
        Some must be; all others are left out.
    """
    leftover, context, group = leftover[is_normal], context[is_normal], group[is_normal]
    own = [np.sqrt(np.square(leftover[group == g].astype(np.float32)).mean(axis=0)) for g in np.unique(group)]
    spread = np.mean(own, axis=0)
    unset = Yardstick(np.maximum(spread, 1e-4).tolist(), 0.0, 1.0, dict.fromkeys(WAVES, (0.0, 1.0)))
    log = unset.deviation(leftover, context)
    usual = np.full((_ROWS, 8), np.nan, np.float32)
    usual[:, [0, 2, 3, 4, 5, 7]] = np.ravel(list(WAVES.values()))
    # Piece by piece: of a million beats at once, the sums alone would take gigabytes.
    pieces = (leftover[at : at + _ROWS].astype(np.float32) for at in range(0, len(leftover), _ROWS))
    by_wave = np.concatenate([unset.by_wave(piece, usual[: len(piece)]) for piece in pieces])
    waves = {wave: (float(z.mean()), _sd(z)) for wave, z in zip(WAVES, by_wave.T, strict=True)}
    return Yardstick(unset.spread, float(log.mean()), _sd(log), waves)


def without_own_level(deviation: FloatArray, group: npt.NDArray[np.int64]) -> FloatArray:
    """Take out of each beat's deviation the level of its recording's quietest beats, shape (n,)."""
    own = np.empty_like(deviation)
    for g in np.unique(group):
        rows = group == g
        own[rows] = deviation[rows] - np.percentile(deviation[rows], QUIET_PERCENT)
    return own


def recordings_of(waveform: FloatArray) -> npt.NDArray[np.int64]:
    """Count the recordings and leads through which beats go: beats of one stand together and share a dominant beat.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n, 256, 2)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    n = len(waveform)
    # A few samples tell two dominant beats apart.
    some = waveform[:, ::16, 1]
    changes = np.any(some[1:] != some[:-1], axis=1)
    return np.concatenate([np.zeros(min(n, 1), np.int64), np.cumsum(changes, dtype=np.int64)])


def _prematurity(context: FloatArray) -> FloatArray:
    """How early a beat came against the later fifth around it, squared, in units of normal beats' spread.

    Where all of the rhythm is irregular (fibrillation) an early beat says less, so that adds to the spread.
    """
    early = np.minimum(context[:, CONTEXT_NAMES.index("rr_prev_to_local_upper")], 0)
    irregularity = context[:, CONTEXT_NAMES.index("rr_irregularity")]
    return np.asarray(np.square(early) / (_USUAL_SPREAD**2 + np.square(_IRREGULARITY * irregularity)), np.float32)


def _log_over(weighed: FloatArray, on_ms: FloatArray, off_ms: FloatArray) -> FloatArray:
    """Log of the root mean of each row between two times; NaN where either is unknown or outside the window."""
    at = R_INDEX + np.stack([on_ms, off_ms]) * (ANALYSIS_RATE_HZ / 1000)
    known = np.isfinite(at).all(axis=0)
    first, last = np.where(known, np.rint(at), 0).astype(np.int64)
    known &= (first >= 0) & (last < weighed.shape[1]) & (last >= first)
    sums = np.concatenate([np.zeros((len(weighed), 1)), np.cumsum(weighed, axis=1, dtype=np.float64)], axis=1)
    row, first, last = np.arange(len(weighed)), np.where(known, first, 0), np.where(known, last, 0)
    mean = (sums[row, last + 1] - sums[row, first]) / (last + 1 - first)
    return np.where(known, 0.5 * np.log(np.maximum(mean, 0) + _SMALLEST), np.nan).astype(np.float32)


def _sd(values: FloatArray) -> float:
    return max(float(values.std()), _SMALLEST)
