"""Point clouds to short, editable CadQuery programs. Nothing heavy is imported here."""

import logging

__version__ = "0.1.0"

# On a CPU, bitsandbytes says at each import that it found no faster kernel on the hub. Its own works. Said here, since
# transformers, too, imports it.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
