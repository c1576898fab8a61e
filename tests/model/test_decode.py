"""Decoding against transformers' own `generate`, and what ours does besides."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache

from cadrecode.model import decode, decoder
from cadrecode.model.adapters import attach_lora
from cadrecode.model.decode import generate
from cadrecode.model.decoder import FastDecoder, PlainDecoder, decoder_of
from cadrecode.model.tokens import decode_program

from .tiny import FOURIER, PATCH, learn, make_batch, make_model

TEXTS = ["r=w.box(1, 2,3)", "r=w.cylinder(10,20).cut(w.box(3,3,3))"]


@pytest.fixture(scope="module", params=[FOURIER, PATCH], ids=["fourier", "patch"])
def taught(request, tokenizer):
    """A model that has learnt two programs by heart, and the clouds they belong to."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = make_model(tokenizer, encoder=request.param)
    batch = make_batch(model, tokenizer, TEXTS)
    assert learn(model, batch, steps=120) < 0.02
    return model, batch


def test_greedy_is_the_program_of_the_cloud(tokenizer, taught):
    """Rows of unequal length that end at their own END, with spaces only where they were written."""
    model, batch = taught
    assert generate(model, tokenizer, batch["point_cloud"]) == TEXTS
    assert generate(model, tokenizer, batch["point_cloud"].flip(0).numpy()) == TEXTS[::-1]
    assert generate(model, tokenizer, batch["point_cloud"][1:]) == TEXTS[1:]


@torch.inference_mode()
def test_left_padding_changes_no_program(tokenizer, taught):
    """Trap 1 in decoding: transformers' generate on left-padded prompts writes what ours writes without padding."""
    model, batch = taught
    prompt = model.prompt_embeds(batch["point_cloud"], tokenizer.bos_token_id)
    padding = model.get_input_embeddings()(torch.zeros(2, 5, dtype=torch.long))
    mask = torch.ones(2, prompt.shape[1] + 5, dtype=torch.long)
    mask[:, :5] = 0
    out = model.generate(
        inputs_embeds=torch.cat((padding, prompt), dim=1), attention_mask=mask, max_new_tokens=60, do_sample=False
    )
    assert tokenizer.batch_decode(out, skip_special_tokens=True) == TEXTS


@torch.inference_mode()
def test_untaught_rows_agree_with_transformers(tokenizer):
    model = make_model(tokenizer)
    clouds = torch.rand(5, 12, 3) * 2 - 1
    prompt = model.prompt_embeds(clouds, tokenizer.bos_token_id)
    theirs = model.generate(
        inputs_embeds=prompt,
        attention_mask=torch.ones(prompt.shape[:2], dtype=torch.long),
        max_new_tokens=30,
        do_sample=False,
        eos_token_id=2,
        pad_token_id=0,
    )
    ours = generate(model, tokenizer, clouds, max_new_tokens=30)
    assert ours == tokenizer.batch_decode(theirs, skip_special_tokens=True)


@pytest.fixture(params=["qwen3", "qwen2", "bf16", "adapted", "one key head each"])
def variant(request, tokenizer):
    """Networks whose steps differ: norms of heads or biases, precision, layers that are more than linear, no groups."""
    torch.manual_seed(1)
    kind = "qwen2" if request.param == "qwen2" else "qwen3"
    heads = {"num_key_value_heads": 2} if request.param == "one key head each" else {}
    model = make_model(tokenizer, kind, initializer_range=0.3, **heads)
    if request.param == "adapted":
        model = attach_lora(model, r=4, dropout=0.5)
    for name, parameter in model.named_parameters():
        if "lora_B" in name or "norm" in name or name.endswith(".bias"):
            torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.3)
    return model.to(torch.bfloat16) if request.param == "bf16" else model


def test_the_fast_decoder_has_bit_by_bit_the_logits_of_transformers(tokenizer, variant, monkeypatch):
    """While rows end and the cache grows; and so the same seed writes the same programs."""
    monkeypatch.setattr(decoder, "GROWTH", 4)
    clouds = torch.rand(6, 12, 3, generator=torch.Generator().manual_seed(2))
    written, logits_of = [], {FastDecoder: [], PlainDecoder: []}
    for kind, logits in logits_of.items():

        def listened(network, cache, kind=kind, logits=logits):
            return Listened(kind(network, cache), logits)

        monkeypatch.setattr(decode, "decoder_of", listened)
        written.append(generate(variant, tokenizer, clouds, temperature=0.9, seed=3, max_new_tokens=40))
    assert written[0] == written[1]
    assert len({len(text) for text in written[0]}) > 1
    assert len(logits_of[FastDecoder]) == len(logits_of[PlainDecoder]) > 8
    for ours, theirs in zip(*logits_of.values()):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_the_fast_decoder_needs_half_the_operations(tokenizer):
    """Each costs a launch on a GPU, and more time than its arithmetic in a small model."""
    model = make_model(tokenizer, num_hidden_layers=8)
    counts = []
    for kind in (FastDecoder, PlainDecoder):
        cache = DynamicCache(config=model.config)
        with torch.inference_mode():
            model(inputs_embeds=torch.rand(2, 5, 32), cache=cache, use_cache=True)
            decode_one = kind(model, cache)
            with Operations() as seen:
                decode_one(torch.rand(2, 1, 32))
        counts.append(seen.count)
    assert counts[0] < 0.55 * counts[1]


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


class Listened:
    """A decoder that keeps its logits."""

    def __init__(self, inner: FastDecoder | PlainDecoder, logits: list):
        self.inner, self.logits, self.keep = inner, logits, inner.keep

    def __call__(self, embeds):
        self.logits.append(self.inner(embeds).clone())  # decoding masks its own
        return self.logits[-1].clone()


def test_what_is_unusual_goes_by_the_layers_of_transformers(tokenizer):
    usual = make_model(tokenizer)
    eager, hooked = make_model(tokenizer), make_model(tokenizer)
    eager.set_attn_implementation("eager")
    hooked.model.layers[1].register_forward_hook(lambda *_: None)
    window = make_model(tokenizer, "qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1)
    kinds = []
    for model in (usual, eager, hooked, window):
        cache = DynamicCache(config=model.config)
        with torch.inference_mode():
            model(inputs_embeds=torch.rand(2, 5, 32), cache=cache, use_cache=True)
        kinds.append(type(decoder_of(model, cache)))
    assert kinds == [FastDecoder, PlainDecoder, PlainDecoder, PlainDecoder]


def test_sampling_is_seeded(tokenizer):
    model = make_model(tokenizer)
    clouds = torch.rand(1, 12, 3).expand(6, -1, -1)
    options = {"temperature": 1.0, "max_new_tokens": 20}
    programs = generate(model, tokenizer, clouds, seed=1, **options)
    torch.manual_seed(99)
    torch.rand(7)  # the global generator has no say
    assert generate(model, tokenizer, clouds, seed=1, **options) == programs
    assert generate(model, tokenizer, clouds, seed=2, **options) != programs
    assert len(set(programs)) > 1


def test_sampling_follows_the_distribution(tokenizer):
    """First tokens of many draws against the softmax."""
    model = make_model(tokenizer, initializer_range=0.5)
    cloud = torch.rand(1, 12, 3) * 2 - 1
    with torch.inference_mode():
        logits = model(inputs_embeds=model.prompt_embeds(cloud, tokenizer.bos_token_id)).logits[0, -1]
    chances = (logits / 2.0).softmax(-1)
    many = cloud.expand(4000, -1, -1)
    drawn = generate(model, tokenizer, many, temperature=2.0, max_new_tokens=1)
    counts = torch.zeros(len(tokenizer))
    for text in drawn:
        counts[tokenizer.convert_tokens_to_ids(text) if text else 0] += 1
    ordinary = torch.arange(4, len(tokenizer))  # the marks are left out of texts
    torch.testing.assert_close((counts / 4000)[ordinary], chances[ordinary], rtol=0, atol=0.03)


def test_a_batch_may_hold_cold_rows_and_warm_ones(tokenizer, taught):
    model, batch = taught
    clouds = batch["point_cloud"][:1].repeat(4, 1, 1)
    alone = generate(model, tokenizer, clouds[1:], temperature=1.5, seed=2)
    mixed = generate(model, tokenizer, clouds, temperature=[1.5, 0.0, 1.5, 1.5], seed=2)
    assert mixed[1] == TEXTS[0]
    assert mixed[:1] + mixed[2:] == alone != [TEXTS[0]] * 3


def test_it_stops_when_told_and_counts(tokenizer, taught):
    model, batch = taught
    seen = []
    texts = generate(
        model,
        tokenizer,
        batch["point_cloud"],
        stop=lambda: len(seen) == 4,
        on_token=lambda count, rows: seen.append((count, rows)),
    )
    assert texts == ["", ""]  # neither has its end
    assert seen == [(1, 2), (2, 2), (3, 2), (4, 2)]
    seen.clear()
    short = len(TEXTS[0]) + 1
    stopped = generate(
        model, tokenizer, batch["point_cloud"], stop=lambda: len(seen) == short, on_token=lambda *now: seen.append(now)
    )
    assert stopped == [TEXTS[0], ""]
    seen.clear()
    generate(model, tokenizer, batch["point_cloud"], on_token=lambda count, rows: seen.append((count, rows)))
    assert seen[len(TEXTS[0])] == (len(TEXTS[0]) + 1, 1)  # the shorter program's row is gone
    assert seen[-1] == (len(TEXTS[1]) + 1, 0)


def test_it_ends_where_the_positions_end(tokenizer):
    model = make_model(tokenizer, max_position_embeddings=20)
    counts = []
    generate(model, tokenizer, torch.rand(1, 12, 3), on_token=lambda count, rows: counts.append(count))
    assert counts[-1] <= 20 - 13


def test_under_peft_and_in_the_middle_of_training(tokenizer, taught):
    model, batch = taught
    wrapped = attach_lora(make_copy(model), r=4, dropout=0.5)
    wrapped.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    wrapped.train()
    assert generate(wrapped, tokenizer, batch["point_cloud"]) == TEXTS  # B is zero: the adapter says nothing yet
    assert wrapped.training


def make_copy(model):
    import copy

    return copy.deepcopy(model)


@torch.inference_mode()
def test_a_greedy_row_follows_the_mean_of_its_readings(tokenizer):
    """The first cloud is seen twice more: its tokens are those of the mean log-probability; the other row is alone."""
    model = make_model(tokenizer, initializer_range=0.5)  # texts that depend on the cloud
    clouds = torch.rand(4, 12, 3) * 2 - 1
    together, alone = generate(model, tokenizer, clouds, max_new_tokens=12, again=[0, 0])
    assert alone == generate(model, tokenizer, clouds[1:2], max_new_tokens=12)[0]
    views = clouds[[0, 2, 3]]
    embeds, ids = model.prompt_embeds(views, tokenizer.bos_token_id), []
    for _ in range(12):
        logits = model(inputs_embeds=embeds).logits[:, -1]
        ids.append(int(logits.log_softmax(-1).mean(0).argmax()))
        if ids[-1] == model.config.eos_token_id:
            break
        step = model.get_input_embeddings()(torch.tensor([[ids[-1]]] * 3))
        embeds = torch.cat((embeds, step), dim=1)
    assert together == decode_program(tokenizer, [i for i in ids if i != model.config.eos_token_id])
    assert together != generate(model, tokenizer, views[:1], max_new_tokens=12)[0], "one view alone writes another text"
