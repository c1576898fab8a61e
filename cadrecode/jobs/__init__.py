"""Runs as child processes, in one queue on disk: trainings, evaluations and merges."""
