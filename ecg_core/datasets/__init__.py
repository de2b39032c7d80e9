"""Labelled recordings: fetched from PhysioNet, or generated."""
