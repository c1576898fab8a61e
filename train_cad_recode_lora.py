"""Fine-tune with LoRA or QLoRA: python train_cad_recode_lora.py --config configs/train_config_lora.yaml"""

import sys

from cadrecode.cli import train_main

if __name__ == "__main__":
    sys.exit(train_main())
