"""The command `ecg`: one module for each group of commands."""
