"""Settings: what is accepted, what is refused, and whether the message helps."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cadrecode.config import PretrainConfig, ReconstructConfig, TrainConfig
from cadrecode.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def refusal(**values) -> str:
    with pytest.raises(ConfigError) as error:
        TrainConfig.from_values(values, source="here.yaml")
    return str(error.value)


def test_defaults_are_the_guides():
    config = TrainConfig()
    assert (config.lora_r, config.lora_alpha, config.lora_dropout, len(config.lora_target_modules)) == (16, 32, 0.1, 7)
    assert (config.auto_merge_lora, config.auto_merge_final, config.keep_lora_only, config.keep_lora_final) == (
        True,
    ) * 4
    assert (config.merge_final_only, config.quantization) == (False, None)
    assert (config.max_seq_length, config.n_points, config.seed, config.noise_std) == (1024, 256, 42, 0.01)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lora", {"lora_r": 32, "lora_alpha": 64, "per_device_train_batch_size": 10, "gradient_accumulation_steps": 2,
                  "learning_rate": 4e-4, "eval_steps": 5000, "save_steps": 10000, "quantization": None}),
        ("qlora", {"lora_r": 64, "lora_alpha": 128, "lora_dropout": 0.05, "per_device_train_batch_size": 32,
                   "learning_rate": 2e-4, "eval_steps": 2000, "merge_final_only": True, "quantization": "4bit"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("overrides", [{}, {"use_qlora": "true"}, {"do_eval": "true"}])
def test_shipped_files_load_with_the_guides_flags(name, expected, overrides):
    config = TrainConfig.load(CONFIGS / f"train_config_{name}.yaml", overrides)
    wanted = expected | ({"quantization": "4bit"} if "use_qlora" in overrides else {})
    assert {key: getattr(config, key) for key in wanted} == wanted


def test_guides_evaluation_flags_work_on_the_lora_file():
    overrides = {"do_eval": "true", "eval_steps": "1000"}
    assert TrainConfig.load(CONFIGS / "train_config_lora.yaml", overrides).eval_steps == 1000


def test_yaml_round_trip(tmp_path):
    config = TrainConfig(
        lora_r=8, mixed_precision="no", val_data_path=None, lora_target_modules=("q_proj",), learning_rate=3e-5
    )
    assert TrainConfig.load(write(tmp_path, config.to_yaml())) == config


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    config = TrainConfig.load(
        write(tmp_path, "learning_rate: 2e-4\nmixed_precision: no\nlora_target_modules: q_proj, v_proj\n")
    )
    assert config.learning_rate == 2e-4  # PyYAML reads 2e-4 as text
    assert config.mixed_precision == "no"  # and a bare no as false
    assert config.lora_target_modules == ("q_proj", "v_proj")


def test_batch_size_is_another_spelling(tmp_path):
    path = write(tmp_path, "per_device_train_batch_size: 10\n")
    assert TrainConfig.load(path, {"batch_size": "3"}).per_device_train_batch_size == 3
    assert "given twice" in refusal(batch_size=3, per_device_train_batch_size=4)


def test_unknown_settings_are_named_with_the_nearest():
    assert refusal(lora_rank=8, learning_rte=1) == (
        "here.yaml: unknown setting 'lora_rank'. Did you mean 'lora_r'?\n"
        "here.yaml: unknown setting 'learning_rte'. Did you mean 'learning_rate'?"
    )


def test_everything_wrong_is_said_at_once():
    text = refusal(lora_rr=1, lora_r=0, device="gpu", load_in_4bit="yes", load_in_8bit="true", max_seq_length="100")
    assert len(text.splitlines()) == 5
    assert "lora_r should be greater than 0, not 0." in text
    assert "load_in_4bit holds the base in 4 bits, load_in_8bit in 8" in text
    assert "max_seq_length (100) has no room" in text


def test_contradictions_with_a_wrong_setting_are_not_guessed_at():
    assert refusal(n_points="many", max_seq_length=100).count("\n") == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"do_eval": True, "eval_steps": 2000, "save_steps": 5000}, "use save_steps 6000"),
        ({"use_qlora": True, "load_in_8bit": True}, "use_qlora holds the base in 4 bits"),
        ({"merge_final_only": True, "auto_merge_final": False}, "merge_final_only asks for a merge at the end"),
        ({"keep_lora_final": False, "auto_merge_final": False}, "nothing would be left"),
        ({"do_eval": True, "keep_lora_only": False, "eval_steps": 5000}, "keep_lora_only=false deletes"),
        ({"lora_target_modules": ["q_porj"]}, "q_porj; the layers to choose from: q_proj"),
        ({"use_swanlab": True, "report_to": "wandb"}, "two trackers"),
        ({"learning_rate": float("nan")}, "learning_rate should be"),
    ],
)
def test_settings_that_cannot_be_together(values, words):
    assert words in refusal(**values)


def test_without_evaluation_any_pair_of_steps_is_fine():
    assert TrainConfig(eval_steps=2000, save_steps=5000).keep_best is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lora_r: [", "not readable as YAML"),
        ("- a\n- b\n", "holds list"),
        ("lora_r: 8\nlora_r: 16\n", "lora_r is given twice"),
    ],
)
def test_files_that_are_no_settings(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig.load(write(tmp_path, text))


def test_a_missing_file_names_its_neighbours(tmp_path):
    write(tmp_path, "")
    with pytest.raises(ConfigError, match=r"no such file\. Beside it there are: settings\.yaml"):
        TrainConfig.load(tmp_path / "setings.yaml")


@pytest.mark.parametrize("model", [TrainConfig, PretrainConfig])
def test_every_setting_explains_itself(model):
    for name in model.model_fields:
        assert len(model.help(name)) > 10, name


def test_frozen():
    with pytest.raises(ValidationError):
        TrainConfig().lora_r = 3
    assert TrainConfig().changed(lora_r=3).lora_r == 3


def test_pretraining_must_know_when_to_end():
    with pytest.raises(ConfigError, match="say when to end"):
        PretrainConfig.load()
    assert PretrainConfig.load(None, {"minutes": "1.5"}).minutes == 1.5


def test_a_preset_of_the_guide_is_a_rank_and_an_alpha(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("lora_preset: high\n")
    high = TrainConfig.load(path)
    assert (high.lora_r, high.lora_alpha) == (64, 128)
    light = TrainConfig.load(
        path, {"lora_preset": "light", "lora_dropout": "0.2"}
    )  # the command line has the last word
    assert (light.lora_r, light.lora_alpha, light.lora_dropout) == (8, 16, 0.2)
    with pytest.raises(ConfigError, match=r"lora_r is given twice: 12, and 8 as lora_preset"):
        TrainConfig.from_values({"lora_r": 12, "lora_preset": "light"}, "here")
    with pytest.raises(ConfigError, match=r"lora_preset should be light, balanced, high, not 'huge'.*\n.*lora_q"):
        TrainConfig.from_values({"lora_preset": "huge", "lora_q": 1}, "here")


def test_a_rebuild_takes_the_guides_names_and_a_check_box():
    given = {"fit_seconds": "2", "units": "inch", "align": "auto", "clean": True}
    config = ReconstructConfig.from_values(given, source="form")
    assert (config.seconds, config.unit, config.align, config.clean) == (2, "inch", True, "all")
    off = ReconstructConfig.from_values({"align": "off", "clean": "outliers"}, source="form")
    assert (off.align, off.clean) == (False, "outliers")
    for written, snap in (("0.05", 0.05), (False, "off"), ("off", "off"), ("", "auto"), (True, "auto"), (2, 2.0)):
        assert ReconstructConfig.from_values({"snap": written}, source="form").snap == snap
    with pytest.raises(ConfigError, match="snap"):
        ReconstructConfig.from_values({"snap": "-1"}, source="form")
    with pytest.raises(ConfigError, match="Did you mean 'candidates'"):
        ReconstructConfig.from_values({"candidate": 3}, source="form")
    with pytest.raises(ConfigError, match="unit should be 'mm', 'cm', 'm' or 'inch'"):
        ReconstructConfig.from_values({"unit": "furlong"}, source="form")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x,x]\nb: &b [*a,*a]\nseed: *b", "aliases are not read"),
        ("seed: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("seed: 1" + "0" * 400, "seed has too many digits"),
        ("seed: 0x" + "f" * 9000, "seed has too many digits"),
        ("seed: " + "9" * 5000, "not readable as YAML"),
        ("seed: 2001-99-99", "not readable as YAML"),
        ("seed: " + "a" * 100_000, "seed should be"),
        ("# " + "x" * 300_000, "more than 200 kB"),
        ("\n".join(f"a{n}: 1" for n in range(3000)), "and 2,970 more problems"),
    ],
)
def test_settings_that_would_swell_are_refused_in_a_short_message(tmp_path, text, words):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        TrainConfig.load(tmp_path / "a.yaml")
    assert words in str(error.value)
    assert len(str(error.value)) < 20_000
