"""Random dilated convolutions of leads (Dempster, Petitjean and Webb 2020): a baseline without any learned shape."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.recording import FloatArray

N_KERNELS: Final = 4000
_LENGTH: Final = 9
_DILATIONS: Final = (1, 2, 4, 8, 16, 32, 64)
_MOST_LEADS: Final = 3
_TYPICAL_MV: Final = 0.1
_SEED: Final = 0


def random_convolutions(signals_mv: FloatArray) -> FloatArray:
    """Convolve, and keep of each kernel the share of samples above its threshold and the highest value.

    Kernels have 9 weights on each of one to three leads; weights, leads and thresholds are drawn, none is learned.

    Parameters
    ----------
    signals_mv : ndarray of float32, shape (n, n_leads, n_samples)

    Returns
    -------
    ndarray of float32, shape (n, 2 * about 4000)
    """
    rng = np.random.default_rng(_SEED)
    n, n_leads, n_samples = signals_mv.shape
    per_dilation = -(-N_KERNELS // len(_DILATIONS))
    out = np.empty((n, len(_DILATIONS), 2, per_dilation), dtype=np.float32)
    for place, dilation in enumerate(_DILATIONS):
        kernels, bias = _draw(rng, per_dilation, n_leads)
        reach = dilation * (_LENGTH // 2)
        columns = np.arange(n_samples) + dilation * np.arange(_LENGTH)[:, None]
        for row, leads in enumerate(signals_mv):
            padded = np.pad(leads, ((0, 0), (reach, reach)))
            convolved = kernels @ padded[:, columns].reshape(n_leads * _LENGTH, n_samples)
            out[row, place, 0] = (convolved > bias[:, None]).mean(axis=1)
            out[row, place, 1] = convolved.max(axis=1)
    return out.reshape(n, -1)


def _draw(rng: np.random.Generator, n_kernels: int, n_leads: int) -> tuple[FloatArray, FloatArray]:
    """Kernels of mean 0 as rows over leads and taps, and their thresholds."""
    weights = rng.normal(size=(n_kernels, n_leads, _LENGTH))
    weights -= weights.mean(axis=2, keepdims=True)
    order = rng.permuted(np.tile(np.arange(n_leads), (n_kernels, 1)), axis=1)
    weights *= (order < rng.integers(1, _MOST_LEADS + 1, n_kernels)[:, None])[..., None]
    size = np.sqrt(np.square(weights).sum(axis=(1, 2)))
    bias = rng.uniform(-1, 1, n_kernels) * size * _TYPICAL_MV
    return weights.reshape(n_kernels, -1).astype(np.float32), bias.astype(np.float32)
