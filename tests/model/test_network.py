"""The network under the traps of transformers 5, and the loss against the plain one."""

import pytest
import torch
from torch.nn import functional
from transformers import Qwen3Config, Qwen3ForCausalLM, Trainer, TrainingArguments

from cadrecode.errors import ModelError
from cadrecode.model import network
from cadrecode.model.network import Qwen3WithPoints, new_model

from .tiny import FOURIER, PATCH, SIZES, learn, make_batch, make_model

TEXTS = ["r=w.box(1,2,3)", "r=w.cylinder(10,20).cut(w.box(3,3,3))"]
EVERY_KIND = pytest.mark.parametrize(
    ("kind", "encoder"), [("qwen2", FOURIER), ("qwen3", FOURIER), ("qwen3", PATCH)], ids=["qwen2", "qwen3", "patch"]
)


def prompts_of(batch: dict, *names: str) -> dict:
    return {name: batch[name] for name in names or ("input_ids", "attention_mask", "point_cloud", "point_mask")}


@EVERY_KIND
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(tokenizer, kind, encoder):
    """Trap 1: a mask of -1 in the point slots made position ids negative. Rows here are padded on the left."""
    model = make_model(tokenizer, kind, encoder)
    batch = make_batch(model, tokenizer, TEXTS)
    whole = model(**prompts_of(batch)).logits
    start = int(batch["point_mask"].any(dim=0).nonzero().max()) + 2  # every row's points and START
    first = {name: value if name == "point_cloud" else value[:, :start] for name, value in prompts_of(batch).items()}
    out = model(**first, use_cache=True)
    pieces = [out.logits]
    for place in range(start, batch["input_ids"].shape[1]):
        last = slice(place, place + 1)
        out = model(
            input_ids=batch["input_ids"][:, last],
            attention_mask=batch["attention_mask"][:, : place + 1],
            cache=out.cache,
            use_cache=True,
        )
        pieces.append(out.logits)
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(torch.cat(pieces, dim=1)[real], whole[real], rtol=1e-4, atol=1e-5)


@EVERY_KIND
@torch.inference_mode()
def test_padding_shifts_nothing(tokenizer, kind, encoder):
    model = make_model(tokenizer, kind, encoder)
    left, right = (make_batch(model, tokenizer, TEXTS, left=side) for side in (True, False))
    first, second = model(**prompts_of(left)).logits, model(**prompts_of(right)).logits
    for row in range(2):
        torch.testing.assert_close(
            first[row][left["attention_mask"][row].bool()],
            second[row][right["attention_mask"][row].bool()],
            rtol=1e-4,
            atol=1e-5,
        )
    assert model(**left).loss.item() == pytest.approx(model(**right).loss.item(), rel=1e-5)


@torch.inference_mode()
def test_slots_hold_the_cloud_and_words_hold_words(tokenizer):
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, TEXTS)
    embeds = model._embed(batch["input_ids"], batch["point_cloud"], batch["point_mask"])
    points = model.point_encoder(batch["point_cloud"])
    for row in range(2):
        torch.testing.assert_close(embeds[row][batch["point_mask"][row]], points[row])
    words = ~batch["point_mask"]
    torch.testing.assert_close(embeds[words], model.get_input_embeddings()(batch["input_ids"])[words])
    start = tokenizer.bos_token_id
    prompt = model.prompt_embeds(batch["point_cloud"], start)
    assert prompt.shape == (2, model.n_point_tokens + 1, 32)
    torch.testing.assert_close(prompt[:, :-1], points)
    torch.testing.assert_close(prompt[0, -1], model.get_input_embeddings().weight[start])


def test_slots_must_fit_the_cloud(tokenizer):
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, TEXTS)
    batch["point_mask"][0, -1] = True
    with pytest.raises(ModelError, match=r"13, 12\] point slots; each needs 12"):
        model(**batch)
    with pytest.raises(ModelError, match="needs a point_mask"):
        model(input_ids=batch["input_ids"], point_cloud=batch["point_cloud"])


@pytest.mark.parametrize("rows", [None, 7], ids=["one piece", "pieces"])
def test_the_loss_is_the_plain_one(tokenizer, monkeypatch, rows):
    """Logits are made only where a word is asked for, and may be made again in backward; the numbers are the same."""
    model = make_model(tokenizer)
    if rows:
        monkeypatch.setattr(network, "LOGITS_BYTES", rows * 4 * len(tokenizer))
    batch = make_batch(model, tokenizer, TEXTS)
    logits = model(**prompts_of(batch)).logits
    plain = functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
    wanted = torch.autograd.grad(plain, model.point_encoder.projection.weight)[0]
    out = model(**batch)
    assert out.logits is None
    assert out.cache is None
    got = torch.autograd.grad(out.loss, model.point_encoder.projection.weight)[0]
    assert out.loss.item() == pytest.approx(plain.item(), rel=1e-5)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-7)
    both = model(**batch, return_logits=True, num_items_in_batch=torch.tensor(10))
    torch.testing.assert_close(both.logits, logits)
    labelled = (batch["labels"] != -100).sum().item()
    assert both.loss.item() == pytest.approx(plain.item() * labelled / 10, rel=1e-5)


def test_labels_weigh_as_they_are_told_in_training_alone(tokenizer):
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, TEXTS)
    heavy = torch.zeros_like(batch["labels"], dtype=torch.bool)
    heavy[0, -3] = True
    others = batch | {"labels": batch["labels"].masked_fill(~heavy, -100)}
    count = (batch["labels"] != -100).sum().item()
    plain, alone = model(**batch).loss.item(), model(**others).loss.item()
    weighted = batch | {"loss_weights": 1 + 9.0 * heavy}
    assert model(**weighted).loss.item() == plain
    assert model.train()(**weighted).loss.item() == pytest.approx(plain + 9 * alone / count, rel=1e-5)
    with torch.autocast("cpu", torch.bfloat16):  # in which a product of vectors has three digits
        assert model(**weighted).loss.dtype == torch.float32


def test_a_batch_that_asks_for_nothing_has_no_loss(tokenizer):
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, TEXTS)
    batch["labels"].fill_(-100)
    assert model(**batch).loss.item() == 0.0


@pytest.mark.parametrize("encoder", [FOURIER, PATCH], ids=["fourier", "patch"])
def test_gradients_under_checkpointing_and_frozen_words(tokenizer, encoder):
    """Trap 3: writing into the embeddings in place dies under enable_input_require_grads."""
    model = make_model(tokenizer, encoder=encoder)
    batch = make_batch(model, tokenizer, TEXTS)
    model(**batch).loss.backward()
    wanted = model.point_encoder.projection.weight.grad.clone()
    model.zero_grad()
    model.train()
    model.requires_grad_(False)
    model.point_encoder.requires_grad_(True)
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model(**batch).loss.backward()
    torch.testing.assert_close(model.point_encoder.projection.weight.grad, wanted, rtol=1e-4, atol=1e-7)


def test_bfloat16_keeps_the_encoder_whole(tokenizer, tmp_path):
    model = make_model(tokenizer)
    model.save_pretrained(tmp_path)
    half = Qwen3WithPoints.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    assert half.lm_head.weight.dtype == torch.bfloat16
    assert torch.equal(half.point_encoder.projection.weight, model.point_encoder.projection.weight)
    batch = make_batch(model, tokenizer, TEXTS)
    assert half(**batch).loss.dtype == torch.float32
    assert half(**batch).loss.item() == pytest.approx(model(**batch).loss.item(), rel=2e-2)
    assert model.to(torch.bfloat16)(**batch).loss.item() == pytest.approx(half(**batch).loss.item(), rel=2e-2)


@pytest.mark.parametrize("encoder", [FOURIER, PATCH], ids=["fourier", "patch"])
def test_a_saved_encoder_is_not_drawn_again(tokenizer, tmp_path, encoder):
    """Trap 2, and its neighbour: transformers draws again what it takes for missing."""
    model = make_model(tokenizer, encoder=encoder)
    model.save_pretrained(tmp_path)
    again = Qwen3WithPoints.from_pretrained(tmp_path)
    for (name, value), (_, read) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(value, read), name
    batch = make_batch(model, tokenizer, TEXTS)
    assert torch.equal(model(**prompts_of(batch)).logits, again.eval()(**prompts_of(batch)).logits)


@pytest.mark.parametrize("encoder", [FOURIER, PATCH], ids=["fourier", "patch"])
def test_a_plain_language_model_gets_a_drawn_encoder(tokenizer, tmp_path, encoder):
    """transformers builds the model without memory and fills in what the files lack; garbage would pass unseen."""
    plain = Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=16, vocab_size=len(tokenizer)))
    plain.save_pretrained(tmp_path)
    config = Qwen3Config.from_pretrained(tmp_path)
    config.point_encoder = encoder
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(Qwen3WithPoints.from_pretrained(tmp_path, config=config, dtype=torch.bfloat16))
    for (name, first), (_, second) in zip(drawn[0].named_parameters(), drawn[1].named_parameters(), strict=True):
        assert torch.equal(first, second), name
    for name, module in drawn[0].point_encoder.named_modules():
        if isinstance(module, torch.nn.Linear):
            assert module.weight.dtype == torch.float32
            assert module.weight.std().item() == pytest.approx(module.fresh_std, rel=0.15), name
            assert not module.bias.any()
        elif isinstance(module, torch.nn.LayerNorm):
            assert (module.weight == 1).all()


def test_new_model_is_the_same_for_a_seed(tokenizer):
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "point_encoder": PATCH}
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(new_model(tokenizer, **sizes))
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))
    config = models[0].config
    assert config.tie_word_embeddings
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 0)
    assert models[0].n_point_tokens == PATCH["n_tokens"]


@EVERY_KIND
def test_the_cloud_decides_the_program(tokenizer, kind, encoder):
    """Two clouds, two programs: only a model that sees can tell them apart."""
    model = make_model(tokenizer, kind, encoder)
    batch = make_batch(model, tokenizer, TEXTS)
    assert learn(model, batch, steps=120) < 0.02
    swapped = {**batch, "point_cloud": batch["point_cloud"].flip(0)}
    with torch.no_grad():
        assert model(**swapped).loss.item() > 0.2


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_trains_and_evaluates(tokenizer, tmp_path):
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, TEXTS)
    rows = [{name: value[row] for name, value in batch.items()} for row in range(2)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=30,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=2,
        learning_rate=1e-2,
        eval_strategy="steps",
        eval_steps=15,
        logging_steps=15,
        save_strategy="no",
        prediction_loss_only=True,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows)
    before = trainer.evaluate()["eval_loss"]
    with torch.no_grad():
        labelled = [(row["labels"] != -100).sum().item() for row in rows]
        losses = [model.eval()(**{k: v[None] for k, v in row.items()}).loss.item() for row in rows]
    trainer.train()
    assert before == pytest.approx(sum(losses) / 2, rel=1e-3) or before == pytest.approx(
        sum(n * loss for n, loss in zip(labelled, losses)) / sum(labelled), rel=1e-3
    )
    assert trainer.evaluate()["eval_loss"] < before / 2


def test_padding_on_the_right_needs_no_mask(tokenizer):
    """Nothing that is asked for looks to its right, so the data leaves the mask out and the kernels are fast."""
    model = make_model(tokenizer)
    batch = make_batch(model, tokenizer, ["r=w0.box(1,2,3)", "r=w0"], left=False)
    masked = model(**batch).loss
    del batch["attention_mask"]
    torch.testing.assert_close(model(**batch).loss, masked)
