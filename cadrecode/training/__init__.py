"""Fine-tune an adapter: LoRA on a base in full precision, or QLoRA on a base held in 4 bits."""

from cadrecode.training.finetune import train

__all__ = ["train"]
