"""Rebuild a point cloud as a CadQuery program, with a base model and, if you have one, an adapter."""

import sys

from cadrecode.cli import inference_main

if __name__ == "__main__":
    sys.exit(inference_main())
