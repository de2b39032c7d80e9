"""From a recording to a clean signal, its quality, its R peaks and its waves."""

from ecg_core.signal.analysis import Analysis, analyse
from ecg_core.signal.cleaning import CleanSignal, clean
from ecg_core.signal.peaks import detect_r_peaks
from ecg_core.signal.quality import assess_quality
from ecg_core.signal.waves import delineate

__all__ = ["Analysis", "CleanSignal", "analyse", "assess_quality", "clean", "delineate", "detect_r_peaks"]
