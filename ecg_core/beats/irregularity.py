"""How irregular stretches of RR intervals are: what atrial fibrillation does to them and ectopic beats do otherwise."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.signal.fourier import row_quantiles

IRREGULARITY_NAMES: Final = (
    "median_rr_s",
    "rr_spread",
    "rr_median_spread",
    "rr_lowest",
    "rr_10th",
    "rr_25th",
    "rr_75th",
    "rr_90th",
    "rr_highest",
    "rr_near_median",
    "rr_entropy",
    "rr_fullest_bin",
    "change_rms",
    "change_median",
    "change_25th",
    "change_75th",
    "change_90th",
    "change_over_5_percent",
    "change_over_10_percent",
    "change_over_20_percent",
    "change_entropy",
    "change_fullest_bin",
    "turning_points",
    "poincare_ratio",
    "correlation_lag_1",
    "correlation_lag_2",
    "sample_entropy_3_percent",
    "sample_entropy_6_percent",
    "sample_entropy_10_percent",
    "changes_near_origin",
    "change_plane_cells",
    "early_then_late",
)
"""The columns of `irregularity`."""

_AT_ONCE: Final = 256
_BIN: Final = 0.05
_PLANE: Final = 25

BoolArray = npt.NDArray[np.bool_]


def irregularity(rr_s: FloatArray) -> FloatArray:
    """Describe each row of RR intervals by scale-free figures.

    All but the first are relative to the row's median interval. Spread (coefficient of variation, median absolute
    deviation), quantiles, entropy and fullest bin of the histogram in bins of 5 %; the same of the changes from one
    interval to the next; turning point ratio and RMSSD (Dash et al. 2009, Ann Biomed Eng 37:1701); ratio of the axes of
    the Poincaré plot; autocorrelation; sample entropy of one interval at three tolerances (Lake and Moorman 2011, Am J
    Physiol 300:H319, whose CoSEn adds the rate: here a feature of its own); from the plane of successive changes
    (Sarkar et al. 2008, IEEE TBME 55:1219) the share near its origin, the number of cells visited, and the share of an
    early beat followed by a late one, which premature beats make and fibrillation does not.

    Parameters
    ----------
    rr_s : ndarray of float32, shape (n_rows, n_intervals)
        Successive intervals in seconds; NaN where unknown, and to fill up short rows.

    Returns
    -------
    ndarray of float32, shape (n_rows, len(IRREGULARITY_NAMES))
        NaN where too few intervals are known for a figure.
    """
    parts = [_features(rr_s[i : i + _AT_ONCE].astype(np.float64)) for i in range(0, len(rr_s), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros((0, len(IRREGULARITY_NAMES)), np.float32)


def _features(rr_s: npt.NDArray[np.float64]) -> FloatArray:
    median = row_quantiles(rr_s, 0.5)
    rr = rr_s / median[:, None]
    change = np.diff(rr, axis=1)
    size = np.abs(change)
    columns = [
        median,
        _spread(rr) / _mean(rr),
        row_quantiles(np.abs(rr - 1), 0.5),
        *(row_quantiles(rr, q) for q in (0, 0.1, 0.25, 0.75, 0.9, 1)),
        _share(np.abs(rr - 1) < 0.15, np.isfinite(rr)),
        *_histogram(rr - 1),
        np.sqrt(_mean(change**2)),
        *(row_quantiles(size, q) for q in (0.5, 0.25, 0.75, 0.9)),
        *(_share(size > limit, np.isfinite(size)) for limit in (0.05, 0.1, 0.2)),
        *_histogram(change),
        *_order(rr, change),
        *(_sample_entropy(rr, tolerance) for tolerance in (0.03, 0.06, 0.1)),
        *_plane(change[:, :-1], change[:, 1:]),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(axis=1), known.sum(axis=1))


def _spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sqrt(_mean((values - _mean(values)[:, None]) ** 2))


def _share(true: BoolArray, of: BoolArray) -> npt.NDArray[np.float64]:
    return _ratio((true & of).sum(axis=1), of.sum(axis=1))


def _ratio(over: npt.NDArray[Any], under: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Divide; NaN where there is nothing to divide by."""
    result = np.full(len(over), np.nan)
    np.divide(over, under, out=result, where=under > 0)
    return result


def _histogram(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Entropy in nats, and the fullest bin's share, of each row's histogram in bins of 5 %."""
    known = np.isfinite(values)
    reach = 20
    bins = np.clip(np.rint(np.where(known, values, 0) / _BIN), -reach, reach).astype(np.int64) + reach
    share = _counts(bins, known, 2 * reach + 1) / np.maximum(known.sum(axis=1), 1)[:, None]
    return -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1), share.max(axis=1)


def _counts(bins: npt.NDArray[np.int64], known: BoolArray, n_bins: int) -> npt.NDArray[np.int64]:
    flat = (bins + n_bins * np.arange(len(bins))[:, None])[known]
    return np.bincount(flat, minlength=n_bins * len(bins)).reshape(len(bins), n_bins)


def _order(rr: npt.NDArray[np.float64], change: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Compute turning points, ratio of the Poincaré plot's axes, autocorrelation at lags 1 and 2."""
    turns = change[:, 1:] * change[:, :-1]
    centred = rr - _mean(rr)[:, None]
    variance = np.maximum(_mean(centred**2), 1e-6)
    across, along = _spread(rr[:, 1:] - rr[:, :-1]), _spread(rr[:, 1:] + rr[:, :-1])
    lags = [_mean(centred[:, lag:] * centred[:, :-lag]) / variance for lag in (1, 2)]
    return [_share(turns < 0, np.isfinite(turns)), across / np.maximum(along, 1e-4), *lags]


def _sample_entropy(rr: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.float64]:
    """Minus the log of how often the next intervals match too, where two intervals match."""
    matches = np.abs(rr[:, :, None] - rr[:, None, :]) < tolerance
    k = rr.shape[1]
    matches[:, np.arange(k), np.arange(k)] = False
    goes_on = np.isfinite(rr[:, 1:])
    first = matches[:, :-1, :-1] & goes_on[:, :, None] & goes_on[:, None, :]
    both = (first & matches[:, 1:, 1:]).sum(axis=(1, 2))
    # One match more in both, so that a row without any has an entropy too.
    return np.asarray(-np.log((both + 1) / (first.sum(axis=(1, 2)) + 2)), dtype=np.float64)


def _plane(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Share near the origin, cells visited for each point, share of early then late."""
    known = np.isfinite(x) & np.isfinite(y)
    half = _PLANE // 2
    column, row = (np.clip(np.floor(np.where(known, v, 0) / _BIN), -half, half).astype(np.int64) + half for v in (x, y))
    visited = (_counts(column * _PLANE + row, known, _PLANE**2) > 0).sum(axis=1)
    return [
        _share(np.hypot(x, y) < 0.08, known),
        _ratio(visited, known.sum(axis=1)),
        _share((x < -0.12) & (y > 0.12), known),
    ]
