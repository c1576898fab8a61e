"""Settings in and out: `TrainConfig` for fine-tuning, `PretrainConfig` for the embedded base."""

from cadrecode.config.pretraining import PretrainConfig
from cadrecode.config.settings import Settings, load_yaml
from cadrecode.config.training import EMBEDDED, LORA_PRESETS, LORA_TARGETS, TrainConfig

__all__ = ["EMBEDDED", "LORA_PRESETS", "LORA_TARGETS", "PretrainConfig", "Settings", "TrainConfig", "load_yaml"]
