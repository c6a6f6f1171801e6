"""Trains the voice networks: `python -m training.voice --help` (run in `Models/`)."""
