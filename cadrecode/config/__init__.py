"""Settings in and out: `ReconstructConfig`, `TrainConfig` for fine-tuning, `PretrainConfig` for the embedded base."""

from cadrecode.config.pretraining import PretrainConfig
from cadrecode.config.reconstruction import UNITS, ReconstructConfig
from cadrecode.config.settings import Settings, load_yaml
from cadrecode.config.training import EMBEDDED, LORA_PRESETS, LORA_TARGETS, TrainConfig

__all__ = [
    "EMBEDDED",
    "LORA_PRESETS",
    "LORA_TARGETS",
    "UNITS",
    "PretrainConfig",
    "ReconstructConfig",
    "Settings",
    "TrainConfig",
    "load_yaml",
]
