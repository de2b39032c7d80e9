"""How far a beat is from normal: what the autoencoder could not draw of it, and how early it came.

The autoencoder draws what the beat should look like in this patient. What is left over is weighed sample by sample by
what is left over in normal beats of patients that were held out in turn, so that a P wave counts as much as a QRS; to
it comes how early the beat was, as if that were some more samples, because a supraventricular ectopic beat often
differs in nothing else. The logarithm of the sum is what is compared: a z-score against those normal beats, raw or
after the patient's own normal level was taken out, since a noisy lead raises all of its beats alike.

Chosen on five folds by patients of the training and deciding parts of MIT-BIH (21 patients), area under the ROC curve
of abnormal against normal beats: error unweighted .963, weighted .968, with prematurity .977, own level taken out .983
(S alone: .845, .870, .940, .969). The quietest beats give the own level, not the median: where half of the beats
are ectopic, the median is theirs (F .84 at the median, .93 at the quarter, .94 at the tenth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, FloatArray

SAMPLES: Final = slice(30, 160)
"""Where in the window leftovers count: -280 to +240 ms. Beyond it heart rate moves the T wave and the next P."""
WAVES: Final = {"p": (-250.0, -70.0), "qrs": (-60.0, 80.0), "t": (120.0, 400.0)}
"""The waves, and where they lie (ms from R) in the normal beats that z-scores by wave are taken against."""
QUIET_PERCENT: Final = 15.0
"""A recording's own level is this percentile of its beats."""
PREMATURITY_WEIGHT: Final = 0.25
_USUAL_SPREAD: Final = 0.3
_IRREGULARITY: Final = 1.2
_FEW_BEATS: Final = 20.0
_SMALLEST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What normal beats of held-out training patients show; in the manifest under ``deviation``.

    Attributes
    ----------
    spread : list of float, length 256
        Root mean square of the leftover at each sample, in units of the recording's scale.
    level : float
        Usual own level of a recording.
    raw_mean, raw_sd : float
        Of the log deviation.
    own_mean, own_sd : float
        The same after each recording's own level was taken out.
    waves : dict of str to (float, float)
        Mean and standard deviation of each wave's log deviation.
    """

    spread: list[float]
    level: float
    raw_mean: float
    raw_sd: float
    own_mean: float
    own_sd: float
    waves: dict[str, tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return asdict(self)

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Yardstick:
        """Read it from a manifest."""
        return cls(**manifest["deviation"])

    def log_deviation(self, leftover: FloatArray, context: FloatArray) -> FloatArray:
        """Weigh what the autoencoder left over, and how early the beat came.

        Parameters
        ----------
        leftover : ndarray of float32, shape (n, 256)
            Beat minus reconstruction, in units of the recording's scale.
        context : ndarray of float32, shape (n, K)

        Returns
        -------
        ndarray of float32, shape (n,)
            Natural log of the root of the mean squared leftover in units of `spread`, prematurity included.
        """
        weighed = np.square(leftover[:, SAMPLES] / np.asarray(self.spread, np.float32)[SAMPLES]).mean(axis=1)
        return np.asarray(0.5 * np.log(weighed + PREMATURITY_WEIGHT * _prematurity(context) + _SMALLEST), np.float32)

    def raw(self, log_deviation: FloatArray) -> FloatArray:
        """Return log deviations as z-scores against normal beats of held-out training patients."""
        return np.asarray((log_deviation - self.raw_mean) / self.raw_sd, np.float32)

    def against_own(self, log_deviation: FloatArray, counts: npt.NDArray[np.bool_] | None = None) -> FloatArray:
        """Take the recording's own level out: z-scores that a noisy lead does not raise.

        Parameters
        ----------
        log_deviation : ndarray of float32, shape (n,)
            Of all beats of one recording on one lead.
        counts : ndarray of bool, shape (n,), optional
            Beats that say what is usual in it: the analysable ones.
        """
        usual_in_it = log_deviation if counts is None or not counts.any() else log_deviation[counts]
        own = own_level(usual_in_it, self.level)
        return np.asarray((log_deviation - own - self.own_mean) / self.own_sd, np.float32)

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
    """Measure what is usual, each recording counting alike however many beats it has.

    Parameters
    ----------
    leftover : ndarray of float, shape (n, 256)
        Of beats of patients that the autoencoder had not seen.
    context : ndarray of float32, shape (n, K)
    group : ndarray of int64, shape (n,)
        Which recording and lead, from `recordings_of`.
    is_normal : ndarray of bool, shape (n,)
        Own levels are taken over all beats, as in scoring; all else over the normal ones.
    """
    groups = np.unique(group)
    normal = [rows for g in groups if (rows := np.flatnonzero(is_normal & (group == g))).size]
    spread = np.mean([np.sqrt(np.square(leftover[rows], dtype=np.float32).mean(axis=0)) for rows in normal], axis=0)
    unset = Yardstick(np.maximum(spread, 1e-4).tolist(), 0.0, 0.0, 1.0, 0.0, 1.0, dict.fromkeys(WAVES, (0.0, 1.0)))
    logs = unset.log_deviation(leftover, context)
    level = float(np.median([own_level(logs[group == g]) for g in groups]))
    own = np.concatenate([logs[rows] - own_level(logs[group == group[rows[0]]], level) for rows in normal])
    all_normal = np.concatenate(normal)
    usual = np.full((all_normal.size, 8), np.nan, np.float32)
    usual[:, [0, 2, 3, 4, 5, 7]] = np.ravel(list(WAVES.values()))
    by_wave = unset.by_wave(leftover[all_normal], usual)
    return Yardstick(
        spread=unset.spread,
        level=level,
        raw_mean=float(logs[all_normal].mean()),
        raw_sd=_sd(logs[all_normal]),
        own_mean=float(own.mean()),
        own_sd=_sd(own),
        waves={w: (float(z.mean()), _sd(z)) for w, z in zip(WAVES, by_wave.T, strict=True)},
    )


def own_level(log_deviation: FloatArray, usual: float | None = None) -> float:
    """Return the level of a recording's quietest beats, drawn towards what is usual where there are few.

    Parameters
    ----------
    log_deviation : ndarray of float32, shape (n,)
        Of one recording on one lead.
    usual : float, optional
        Counts as much as 20 beats: ten seconds say little about a patient's own normal.
    """
    n = log_deviation.size
    own = float(np.percentile(log_deviation, QUIET_PERCENT)) if n else 0.0
    return own if usual is None else (n * own + _FEW_BEATS * usual) / (n + _FEW_BEATS)


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
