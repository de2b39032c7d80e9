"""ECG batch scoring with explanations. Research use, not for diagnosis."""

__version__ = "0.1.0"
