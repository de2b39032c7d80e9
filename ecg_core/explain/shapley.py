"""SHAP values of chosen beats, by shap's DeepExplainer (Lundberg and Lee 2017; DeepLIFT's rules).

GradientExplainer was measured beside it: its sums miss the model's output by up to .8 at 200 samples (54 beats a
second) and .4 at 1,000 (11), because it draws them; DeepExplainer's are off by 1e-6 at 35 beats a second.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.result import WINDOW_SAMPLES, FloatArray

TOLERANCE: Final = 0.01
"""By so much, in log-odds, a beat's values may miss what they must sum to."""


def shap_values(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> tuple[FloatArray, FloatArray]:
    """Say what moved each beat's log-odds of the target class away from the background's mean.

    Parameters
    ----------
    model : LoadedModel
        Its background beats are what a beat is compared with.
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    target : ndarray of int, shape (n,)
        Class towards which each beat is explained.

    Returns
    -------
    samples : ndarray of float32, shape (n, 256)
        Signed, calibrated log-odds; the beat's value and the dominant beat's at the same instant are added, since the
        model judges one against the other.
    context : ndarray of float32, shape (n, K)
        Of each rhythm feature. Both together sum to the beat's log-odds minus the background's mean log-odds.

    Raises
    ------
    ExplanationError
        A target is no class, or the values do not sum to what they must within `TOLERANCE`.
    """
    n = len(waveform)
    target = checked_target(target, n)
    samples = np.zeros((n, WINDOW_SAMPLES), dtype=np.float32)
    rhythm = np.zeros(context.shape, dtype=np.float32)
    for c in np.unique(target):
        rows = np.flatnonzero(target == c)
        of_waveform, of_context = _explain(model, int(c), waveform[rows], context[rows])
        samples[rows] = of_waveform.sum(axis=2)
        rhythm[rows] = of_context
    return samples, rhythm


def _explain(
    model: LoadedModel, target: int, waveform: FloatArray, context: FloatArray
) -> tuple[FloatArray, FloatArray]:
    explainer, base = _explainer(model, target)
    values = explainer.shap_values([waveform, context], check_additivity=False)
    of_waveform, of_context = (np.asarray(v)[..., 0] for v in values)
    said = np.asarray(log_odds_model(model, target)([waveform, context], training=False))[:, 0]
    gap = np.abs(of_waveform.sum(axis=(1, 2)) + of_context.sum(axis=1) - (said - base))
    if not (gap <= TOLERANCE).all():
        raise ExplanationError(
            f"SHAP values towards {CLASSES[target]} miss their sum by {gap.max():.3g} (tolerance {TOLERANCE}).",
            "Report the model version: it has an operation that DeepExplainer has no rule for.",
        )
    return of_waveform, of_context


@lru_cache(maxsize=2 * len(CLASSES))
def _explainer(model: LoadedModel, target: int) -> tuple[Any, float]:
    """DeepExplainer of one class, and the mean log-odds of the background."""
    import shap

    one_class = log_odds_model(model, target)
    background = list(model.background())
    base = float(np.asarray(one_class(background, training=False)).mean())
    with warnings.catch_warnings():
        # It warns on every TensorFlow above 2.4; that the values sum up is checked for each beat.
        warnings.simplefilter("ignore")
        return shap.DeepExplainer(one_class, background), base
