"""The settings of runs that the app queues beside trainings: evaluations and merges."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveInt

from cadrecode.config.settings import Names, Seed, Settings, Text


class EvaluationConfig(Settings):
    """The settings of an evaluation: some models on the same parts."""

    targets: Text
    """The true parts: invent:<family>, or a folder, STEP file or .npz; see scoring.load_targets."""
    models: Names
    """base:<name or folder> or adapter:<name of a run>, in the order in which they are scored."""
    candidates: PositiveInt = 1
    """Programs for each part. Above 1, the single sample is reported apart."""
    limit: PositiveInt = 50
    """At most this many parts, drawn with the seed."""
    seed: Seed = 0
    """Same seed, same parts and same candidates."""
    fit_seconds: NonNegativeFloat = 0.0
    """Time for fitting to the points, for each part. 0: no fit."""


class MergeConfig(Settings):
    """The settings of a merge: an adapter and its base."""

    base_model: Text
    """Name or folder of the base."""
    lora_path: Text
    """Folder of the adapter."""
    output_path: Text
    """Folder of the merged model."""
