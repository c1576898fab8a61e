"""Merge an adapter: python merge_lora_weights.py --base_model NAME --lora_path FOLDER --output_path FOLDER"""

import sys

from cadrecode.cli import merge_main

if __name__ == "__main__":
    sys.exit(merge_main())
