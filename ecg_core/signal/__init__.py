"""From a recording to a clean signal, its quality and its R peaks."""

from ecg_core.signal.cleaning import CleanSignal, clean
from ecg_core.signal.peaks import detect_r_peaks
from ecg_core.signal.quality import assess_quality

__all__ = ["CleanSignal", "assess_quality", "clean", "detect_r_peaks"]
