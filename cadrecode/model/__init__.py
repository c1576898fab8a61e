"""The language model with eyes: point encoder, network, tokens, loading, adapters, decoding.

Whoever imports any of it first imports all that it stands on, and others wait: transformers imports its modules when
they are asked for, and two threads that do so at once (the app warms its model while a page asks for an estimate) can
find one half made.
"""

import importlib

for _library in (
    "transformers.modeling_utils",
    "transformers.models.qwen2.modeling_qwen2",
    "transformers.models.qwen3.modeling_qwen3",
    "peft",
):
    importlib.import_module(_library)
