import numpy as np
import pytest

from cadrecode.model.load import load_tokenizer
from cadrecode.model.tokens import END, LARGEST_INTEGER, START, build_tokenizer, decode_program, encode_program
from cadrecode.program import write
from cadrecode.program.invent import invent


@pytest.fixture(scope="module")
def tokenizer():
    rng = np.random.default_rng(0)
    return build_tokenizer(write(invent(rng)) for _ in range(200))


def test_every_integer_of_the_language_is_one_token(tokenizer):
    for value in range(-LARGEST_INTEGER, LARGEST_INTEGER + 1):
        assert len(tokenizer(f"({value},", add_special_tokens=False)["input_ids"]) == 3, value


@pytest.mark.parametrize(
    "text", ["r=w0.box(1234,-0.05,1e-3)", "# any comment; x = 'y'\n\n", "w12.workplane(offset=-15/2)"]
)
def test_no_text_is_lost(tokenizer, text):
    assert decode_program(tokenizer, encode_program(tokenizer, text)) == text


def test_invented_programs_come_back_and_are_short(tokenizer):
    rng = np.random.default_rng(5)
    for _ in range(50):
        text = write(invent(rng))
        ids = encode_program(tokenizer, text)
        assert decode_program(tokenizer, ids) == text
        assert len(ids) < len(text) / 2
        assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == [START, END]


def test_saved_and_loaded_it_reads_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    text = write(invent(np.random.default_rng(9)))
    assert encode_program(load_tokenizer(tmp_path, "qwen3", "saved"), text) == encode_program(tokenizer, text)
