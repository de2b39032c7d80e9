"""Attribution methods, a module each, named as in `ecg_core.result.methods`: ``explain(model, beats, target)``."""
