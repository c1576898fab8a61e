"""Settings in and out: a frozen class for each verb, from YAML, the command line or the app's forms."""

from cadrecode.config.pretraining import PretrainConfig
from cadrecode.config.queued import EvaluationConfig, MergeConfig
from cadrecode.config.reconstruction import FIT_SECONDS, UNITS, ReconstructConfig
from cadrecode.config.settings import Settings
from cadrecode.config.training import LORA_PRESETS, LORA_TARGETS, TrainConfig

__all__ = [
    "FIT_SECONDS",
    "LORA_PRESETS",
    "LORA_TARGETS",
    "UNITS",
    "EvaluationConfig",
    "MergeConfig",
    "PretrainConfig",
    "ReconstructConfig",
    "Settings",
    "TrainConfig",
]
