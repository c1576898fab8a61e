"""No edge ends where it begins, and nothing is written but the language, whatever the model would like to write."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from cadrecode.errors import ModelError
from cadrecode.invent.draw import invent
from cadrecode.model.decode import draw, generate
from cadrecode.model.mask import EdgeMask, GrammarMask
from cadrecode.model.tokens import END, build_tokenizer, encode_program
from cadrecode.program import write
from cadrecode.program.grammar import grammar

from .tiny import learn, make_batch, make_model

DECIMALS = """import cadquery as cq
w0=cq.Workplane('ZX',origin=(0,-99.6,0.25))
r=w0.workplane(offset=30.8/2).moveTo(0.3,-0.5).cylinder(30.8,0.4).union(w0.sketch().circle(99.75).finalize().extrude(-1.5))"""

RING = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-39))
r=w0.sketch().circle(88).parray(93.5,0,360,12).rect(14,21).finalize().extrude(250.5)"""


@pytest.fixture(scope="module")
def programs():
    rng = np.random.default_rng(0)
    return [write(invent(rng)) for _ in range(300)]


@pytest.fixture(scope="module")
def words(programs):
    return build_tokenizer(programs)


def forbidden(words, text: str) -> list[str]:
    row = encode_program(words, text)[1:-1]
    return words.convert_ids_to_tokens(EdgeMask.of(words).forbidden(row))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("w0.sketch().segment((1,2),(1,", ["2"]),
        ("w0.sketch().segment((1,2),(3,", []),
        ("w0.sketch().segment((1,2),(3,4)).segment((3,", ["4"]),
        ("w0.sketch().segment((1,2),(3,4)).segment((1,", []),  # back to the start may be meant
        ("w0.sketch().segment((1,2),(3,4)).arc((5,6),(3,", ["4"]),
        ("w0.sketch().segment((1,2),(3,4)).arc((3,6),(3,", ["6", "4"]),
        ("w0.sketch().arc((1,2),(3,4),(1,", ["2"]),
        ("w0.sketch().push([(1,2),(3,4),(1,", []),
        ("w0.sketch().push([(1,2),(1,", ["2"]),
        ("w0.sketch().segment((1,2.5),(1,", []),  # numbers with decimals are let through
        ("w0.sketch().segment((14.3,2),(3,", []),  # 14.3 is not 3
        ("w0.sketch().arc((0.3,2),(5,4),(3,", []),
        ("w0.sketch().segment((1,2),(3,4)).close().assemble().face(w0.sketch().segment((3,", []),  # another loop
    ],
)
def test_what_may_not_come_next(words, text, ids):
    assert forbidden(words, text) == ids


def test_no_token_of_a_true_program_is_forbidden(words, programs):
    mask = EdgeMask.of(words)
    for text in programs:
        row = encode_program(words, text)[1:-1]
        for place, token in enumerate(row):
            assert token not in mask.forbidden(row[:place]), words.decode(row[: place + 1])


def test_a_tokenizer_that_spells_numbers_out_has_no_mask(tokenizer):
    assert EdgeMask.of(tokenizer) is None


def test_a_model_that_wants_to_write_such_an_edge_writes_another(words):
    """Taught by heart an edge without length, it writes that without the mask and cannot with it."""
    text = "r=w0.sketch().segment((1,2),(3,4)).segment((3,4)).close()"
    torch.manual_seed(0)
    model = make_model(words)
    batch = make_batch(model, words, [text])
    assert learn(model, batch) < 0.05
    assert generate(model, words, batch["point_cloud"], mask_edges=False) == [text]
    assert not generate(model, words, batch["point_cloud"])[0].startswith(text[: text.rindex(")).close")])


def bytes_as_qwen_has_them():
    core = Tokenizer(BPE({letter: index for index, letter in enumerate([END, *sorted(ByteLevel.alphabet())])}, []))
    core.pre_tokenizer, core.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END)


@pytest.mark.parametrize("spelled", ["numbers", "bytes"])
def test_all_tokens_of_a_true_program_may_come_next(words, programs, spelled):
    used = words if spelled == "numbers" else bytes_as_qwen_has_them()
    mask, end = GrammarMask(used), used.convert_tokens_to_ids(END)
    for text in (*programs[:30], DECIMALS, RING):
        state = mask.start
        for token in encode_program(used, text)[1:-1]:
            assert token in mask.allowed(state)
            state = mask.read(state, token)
        assert end in mask.allowed(state)


def test_random_weights_write_the_language(words):
    torch.manual_seed(0)
    model, clouds = make_model(words), torch.rand(6, 12, 3)

    def begins_a_program(text):
        return not grammar().is_dead(grammar().read(grammar().start, text))

    options = {"temperature": [0.0] + [1.0] * 5, "max_new_tokens": 150}
    restricted = generate(model, words, clouds, grammar=True, **options)
    assert draw(model, words, clouds, **options) == restricted, "each integer is a token: the grammar is the default"
    for text in restricted:
        assert text.startswith("import cadquery as cq\nw0=")
        assert begins_a_program(text)
    assert not all(map(begins_a_program, generate(model, words, clouds, **options)))


def test_a_vocabulary_without_the_languages_letters_is_refused():
    bare = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({END: 0, "x": 1})), eos_token=END, additional_special_tokens=[]
    )
    mask = GrammarMask(bare)
    with pytest.raises(ModelError, match="--grammar"):
        mask.allowed(mask.start)
