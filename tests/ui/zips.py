"""Zips of adapters, as people upload them."""

import json
import zipfile

LORA = {
    "peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "embedded", "target_modules": ["q_proj"],
    "modules_to_save": ["point_encoder"],
}  # fmt: skip
NAMES = ("base_model.model.layers.0.q_proj.lora_A.weight", "base_model.model.point_encoder.weight")


def weights(names=NAMES) -> bytes:
    """A safetensors file by hand: (2, 2) float32 for each name."""
    listed = {name: {"dtype": "F32", "shape": [2, 2], "data_offsets": [16 * i, 16 * (i + 1)]}
              for i, name in enumerate(names)}  # fmt: skip
    header = json.dumps(listed).encode()
    return len(header).to_bytes(8, "little") + header + bytes(16 * len(names))


def packed(tmp_path, config=LORA, **files):
    """A zip of an adapter. Its files are replaced or added by `files`; None leaves a file out."""
    path = tmp_path / "given-adapter.zip"
    contents = {"adapter_config.json": json.dumps(config), "adapter_model.safetensors": weights(), **files}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file, content in contents.items():
            if content is not None:
                made.writestr(f"given/{file}", content)
    return path
