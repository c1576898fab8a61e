import numpy as np
import pytest

from cadrecode.invent.draw import invent
from cadrecode.model.load import load_tokenizer
from cadrecode.model.tokens import END, LARGEST_INTEGER, START, build_tokenizer, decode_program, encode_program
from cadrecode.program import write


@pytest.fixture(scope="module")
def tokenizer():
    rng = np.random.default_rng(0)
    return build_tokenizer(write(invent(rng)) for _ in range(200))


def test_every_integer_of_the_language_is_one_token(tokenizer):
    for value in range(-LARGEST_INTEGER, LARGEST_INTEGER + 1):
        assert len(tokenizer(f"({value},", add_special_tokens=False)["input_ids"]) == 3, value


@pytest.mark.parametrize(
    "text",
    [
        "r=w0.box(1234,-0.05,1e-3)",
        "# any comment; x = 'y'\n\n",
        "w12.workplane(offset=-15/2)",
        "w0.workplane(offset=30.8/2).box(2-1.5,-0.0,0.00000012)",
        "w123.box(1234.5,300.6,x1234)",
    ],
)
def test_no_text_is_lost(tokenizer, text):
    assert decode_program(tokenizer, encode_program(tokenizer, text)) == text


@pytest.mark.parametrize(
    ("number", "tokens"),
    [
        ("30.8", ["31", "-2"]),
        ("-30.8", ["-31", "2"]),
        ("30.75", ["31", "-2", "-5"]),
        ("0.3", ["0", "3"]),
        ("-0.50", ["0", "-5", "0"]),
    ],
)
def test_decimals_start_from_the_nearest_integer(tokenizer, number, tokens):
    ids = encode_program(tokenizer, f"({number},")
    assert tokenizer.convert_ids_to_tokens(ids)[2:-2] == tokens
    assert decode_program(tokenizer, ids) == f"({number},"


def test_every_number_of_two_decimals_comes_back(tokenizer):
    text = ",".join(f"{value / 100:.2f}" for value in range(-30_050, 30_051, 7))
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
