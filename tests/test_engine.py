"""One warm model: which base, which adapter, and who may use it when."""

import json
import os
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from cadrecode.adapters import adapter_info, discover_adapters, merged_model, same_base
from cadrecode.cloud import Cloud, make_shape
from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.errors import ModelError
from cadrecode.program import build, mesh_of, parse
from cadrecode.reconstruction import candidates

BLOCK = "import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.workplane(offset=0/2).moveTo(0,0).box(200,200,200)"


@pytest.fixture(scope="module")
def bases(tmp_path_factory, one_thread):
    """Two tiny random bases, `one` and `two`, and two adapters for `one` that answer differently, in `runs`."""
    import torch

    from cadrecode.model import adapters, load, network, tokens

    folder = tmp_path_factory.mktemp("bases")
    tokenizer = tokens.build_tokenizer([BLOCK], least_count=1)
    encoder = {"kind": "patch", "n_points": 32, "n_tokens": 8, "neighbours": 4, "layers": 1}
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        model = network.new_model(
            tokenizer, hidden_size=32, num_hidden_layers=1, max_position_embeddings=64, point_encoder=encoder
        )
        load.save_model(model, tokenizer, folder / name)
    for seed, name in enumerate(("plates", "shafts")):
        torch.manual_seed(seed)
        wrapped = adapters.attach_lora(load.load_model(folder / "one", device="cpu")[0], r=4)
        with torch.no_grad():
            for key, value in wrapped.named_parameters():
                if "lora_B" in key:
                    value.normal_(0, 1)
        adapters.save_adapter(wrapped, tokenizer, folder / "runs" / name)
    return folder


@pytest.fixture
def engine():
    return Engine("cpu")


def says(engine):
    """What the engine's model writes for a cube, greedily: the same model says the same."""
    result = engine.reconstruct(make_shape("cube", n=256), ReconstructConfig(source="model", candidates=1))
    return result.parts[0].program if result.parts else result.failed[0].text


def test_importing_the_engine_imports_neither_torch_nor_cadquery():
    heavy = "('torch', 'cadquery', 'gradio', 'transformers')"
    code = f"import sys, cadrecode.engine; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_switching_adapters_switches_the_answers_and_back(engine, bases):
    engine.load(bases / "one")
    plain = says(engine)
    engine.load_adapter("p", bases / "runs" / "plates")
    plates = says(engine)
    engine.load_adapter("s", bases / "runs" / "shafts")
    shafts = says(engine)
    assert len({plain, plates, shafts}) == 3
    assert (engine.active, [adapter.name for adapter in engine.adapters()]) == ("s", ["p", "s"])
    engine.set_adapter("p")
    assert says(engine) == plates
    engine.set_adapter(None)
    assert says(engine) == plain
    engine.set_adapter("s")
    assert says(engine) == shafts
    engine.unload_adapter("s")
    assert (engine.active, [adapter.name for adapter in engine.adapters()]) == (None, ["p"])
    assert says(engine) == plain
    engine.unload_adapter("p")
    assert says(engine) == plain
    engine.load_adapter("again", bases / "runs" / "plates")
    assert says(engine) == plates


def test_an_adapter_of_another_base_is_refused_with_the_name_of_its_own(engine, bases):
    engine.load(bases / "two")
    with pytest.raises(ModelError, match=r"was trained on .*one"):
        engine.load_adapter("p", bases / "runs" / "plates")


def test_a_name_means_one_adapter(engine, bases):
    engine.load_adapter("p", bases / "runs" / "plates")
    engine.load_adapter("p", bases / "runs" / "plates")
    with pytest.raises(ModelError, match="is taken"):
        engine.load_adapter("p", bases / "runs" / "shafts")
    with pytest.raises(ModelError, match="Loaded: p"):
        engine.set_adapter("q")
    with pytest.raises(ModelError, match="Loaded: p"):
        engine.unload_adapter("q")


def test_an_adapter_that_was_trained_further_is_read_again(engine, bases, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(bases / "runs" / "plates", run)
    engine.load_adapter("run", run)
    before = says(engine)
    shutil.copy(bases / "runs" / "shafts" / "adapter_model.safetensors", run)
    os.utime(run / "adapter_model.safetensors", (1, 1))
    engine.load_adapter("run", run)
    assert says(engine) != before


def test_another_base_forgets_the_adapters_and_the_same_keeps_them(engine, bases):
    engine.load_adapter("p", bases / "runs" / "plates")
    engine.load(bases / "one")
    assert engine.active == "p"
    engine.load(bases / "two")
    assert (engine.active, engine.adapters()) == (None, [])


def test_a_base_that_cannot_be_loaded_leaves_the_old_one(engine, bases, tmp_path):
    engine.load(bases / "one")
    plain = says(engine)
    with pytest.raises(ModelError):
        engine.load(tmp_path / "nothing")
    assert engine.base == str(bases / "one")
    assert says(engine) == plain


def test_open_prefers_the_merged_model_and_says_so(engine, bases, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(bases / "runs" / "plates", run)
    opened = engine.open(None, run)
    assert (opened.base, opened.adapter) == (str(bases / "one"), "run")
    shutil.copytree(bases / "two", run / "merged_model", copy_function=shutil.copy)  # newer than the adapter
    opened = engine.open(str(bases / "one"), run)
    assert (opened.base, opened.adapter) == (str(run / "merged_model"), None)
    assert "merged model" in opened.note


def test_a_merged_model_of_an_earlier_training_is_passed_over_in_words(engine, bases, tmp_path, proof_here):
    from safetensors.torch import load_file, save_file

    from cadrecode.merging.plan import merge_adapters

    run = tmp_path / "run"
    shutil.copytree(bases / "runs" / "plates", run)
    merge_adapters(str(bases / "one"), run, run / "merged_model")
    assert "merged model" in engine.open(None, run).note
    weights = load_file(run / "adapter_model.safetensors")
    save_file({key: value + 0.01 for key, value in weights.items()}, run / "adapter_model.safetensors")
    opened = engine.open(None, run)
    assert (opened.base, opened.adapter) == (str(bases / "one"), "run")
    assert "of an earlier training" in opened.note
    (run / "adapter_model.safetensors").unlink()  # keep_lora_final false: the merged model is all there is
    assert merged_model(run) == run / "merged_model"


def test_open_refuses_another_base_and_what_is_no_adapter(engine, bases, tmp_path):
    with pytest.raises(ModelError, match="--base_model says"):
        engine.open(str(bases / "two"), bases / "runs" / "plates")
    with pytest.raises(ModelError, match="is not an adapter"):
        engine.open(None, tmp_path)


def test_adapters_are_found_with_what_matters_about_them(bases, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(bases / "runs", runs)
    (runs / "plates" / "config.yaml").write_text("lora_r: 4\n")
    shutil.copytree(bases / "two", runs / "plates" / "merged_model", copy_function=shutil.copy)
    (runs / "half").mkdir()
    (runs / "half" / "adapter_config.json").write_text("{")
    result = {adapter.name: adapter for adapter in discover_adapters(runs)}
    assert sorted(result) == ["plates", "shafts"]
    plates = result["plates"]
    assert (plates.base, plates.r, plates.settings) == (str(bases / "one"), 4, "lora_r: 4\n")
    assert plates.size_mb == pytest.approx((runs / "plates" / "adapter_model.safetensors").stat().st_size / 1e6)
    assert (plates.merged, result["shafts"].merged) == (runs / "plates" / "merged_model", None)
    assert str(runs / "plates" / "merged_model") in Engine("cpu").models(runs)


def test_an_incomplete_adapter_says_what_is_missing(bases, tmp_path):
    shutil.copy(bases / "runs" / "plates" / "adapter_config.json", tmp_path)
    with pytest.raises(ModelError, match=r"no adapter_model\.safetensors"):
        adapter_info(tmp_path)
    (tmp_path / "merged_model").mkdir()
    (tmp_path / "merged_model" / "config.json").write_text(json.dumps({}))
    assert merged_model(tmp_path) is None


def test_one_base_has_many_spellings(bases, monkeypatch):
    monkeypatch.chdir(bases)
    assert same_base(None, "embedded")
    assert same_base("one", str(bases / "one"))
    assert same_base("./one/", "one")
    assert same_base("Qwen/Qwen3-1.7B-Base", "Qwen/Qwen3-1.7B-Base")
    assert not same_base("one", "two")
    assert not same_base("embedded", "one")


def test_a_small_model_leaves_the_other_cores_alone(engine, bases, one_thread):
    import torch

    torch.set_num_threads(2)
    engine.load(bases / "one")
    with engine.ready():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_model_is_loaded_only_where_measuring_leaves_something_to_do(bases, monkeypatch):
    monkeypatch.setattr(candidates, "HEAD_START", 1000.0)  # on a busy machine, a few seconds are no time
    cube, loaded = make_shape("cube", n=2048), []
    model = SimpleNamespace(
        point_settings=SimpleNamespace(n_points=32, heard_points=0, columns=3), device="fake", num_parameters=lambda: 1
    )
    engine = Engine(
        load_model=lambda base, device: loaded.append(base) or (model, None),
        generate=lambda model, tokenizer, clouds, **options: [BLOCK] * len(clouds),
    )
    solid = Cloud.of_mesh(*mesh_of(build(parse(BLOCK))))
    for used_as in (solid, cube):
        engine.choose(str(bases / "one"))
        result = engine.reconstruct(used_as, ReconstructConfig(candidates=1))
        assert (result.model_used, loaded) == (False, [])
        assert result.best.source == "sections"
    result = engine.reconstruct(cube, ReconstructConfig(source="model", candidates=1))
    assert (result.model_used, loaded) == (True, [str(bases / "one")])
    with pytest.raises(ModelError, match="no adapter"):
        engine.choose(None, bases)


def test_a_busy_engine_lets_others_wait():
    inside, leave = threading.Event(), threading.Event()
    running = []

    def generate(model, tokenizer, clouds, **options):
        running.append(1)
        assert len(running) == 1, "two at a time"
        inside.set()
        assert leave.wait(10)
        running.pop()
        return [BLOCK] * len(clouds)

    model = SimpleNamespace(point_settings=SimpleNamespace(n_points=32, heard_points=0, columns=3), device="fake")
    engine = Engine(load_model=lambda base, device: (model, None), generate=generate)
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(
                engine.reconstruct(make_shape("cube", n=256), ReconstructConfig(source="model", candidates=1))
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert inside.wait(10)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert len(results) == 3
    assert all(adapter.best for adapter in results)
