"""What the rooms below say has Chinese: every template of the source is in the catalogue, and real failures use it."""

import json
import re

import pytest

from cadrecode.cloud import read_cloud
from cadrecode.config import TrainConfig
from cadrecode.data.dataset import load_programs
from cadrecode.errors import CadrecodeError, Message, PointCloudError, ProgramError, foreign, joined, restored, stored
from cadrecode.model.load import read_base
from cadrecode.program import parse
from cadrecode.runs import Run, State
from cadrecode.scoring.candidate import build_text
from cadrecode.ui.events import error_text as text_of
from cadrecode.ui.reconstruct import describe
from cadrecode.ui.words.catalogue import MO_FILE, in_chinese
from cadrecode.ui.words.text import Words
from tests.ui import catalogue

HAN = re.compile(r"[\u4e00-\u9fff]")


def test_every_template_has_chinese_and_nothing_in_the_catalogue_is_left_over():
    translated = {(message.context, message.id) for message in catalogue.read_catalogue() if message.string}
    wanted = catalogue.templates()
    assert len(wanted) > 800
    assert wanted - translated == set(), "run `make words`, and write the Chinese into cadrecode.po"
    assert translated - wanted - {(None, "")} == set(), "run `make words`"


def test_both_sides_have_the_same_gaps():
    for message in catalogue.read_catalogue():
        if message.id:
            assert catalogue.gaps(message.id) == catalogue.gaps(message.string), message.id


def test_the_compiled_catalogue_is_that_of_the_text():
    assert MO_FILE.read_bytes() == catalogue.compiled(catalogue.read_catalogue()), "run `make words`"


def raised(act, *given) -> CadrecodeError:
    with pytest.raises(CadrecodeError) as caught:
        act(*given)
    return caught.value


def test_a_bad_file_is_told_in_chinese(tmp_path):
    scan = tmp_path / "scan.ply"
    scan.write_bytes(b"PK\x03\x04 and so on")
    error = raised(read_cloud, scan)
    assert text_of(error, Words("zh")) == "scan.ply 应为 PLY 文件，内容却是 zip 压缩包。请重新下载或导出文件本身。"
    assert text_of(error, Words("en")) == str(error)
    short = tmp_path / "part.xyz"
    short.write_text("1 2 3\n4 5\n")
    assert text_of(raised(read_cloud, short), Words("zh")) == (
        "part.xyz 第 2 行有 2 列，需要 3 列。这是最后一行：文件可能不完整。"
    )
    assert text_of(raised(read_cloud, tmp_path / "scam.ply"), Words("zh")).endswith(
        "scam.ply 不存在。是否指 scan.ply？"
    )


def test_wrong_settings_are_told_in_chinese():
    wrong = {"lora_r": "x", "max_steps": 0, "mixed_precision": "fp8", "lora_rank": 4}
    lines = text_of(raised(TrainConfig.from_values, wrong, Message("form")), Words("zh")).split("\n")
    assert set(lines) == {
        "表单：未知的设置 'lora_rank'。是否指 'lora_r'？",
        "表单：lora_r 应为整数，而不是 'x'。",
        "表单：max_steps 应大于 0，而不是 0。",
        "表单：mixed_precision 应为 'bf16'、'fp16' 或 'no'，而不是 'fp8'。",
    }
    together = {"merge_final_only": True, "auto_merge_final": False}
    assert text_of(raised(TrainConfig.from_values, together, Message("form")), Words("zh")).startswith(
        "表单：merge_final_only 要求结束时合并"
    )


def test_models_and_data_are_told_in_chinese(tmp_path):
    assert text_of(raised(read_base, str(tmp_path)), Words("zh")).endswith("没有 config.json，不是模型文件夹。")
    (tmp_path / "a.py").write_text("r = 1")
    assert text_of(raised(load_programs, tmp_path), Words("zh")).split("\n")[0] == f"{tmp_path} 的 1 个程序都不可用。"
    assert text_of(ValueError("of ours"), Words("zh")).startswith("发生了意外错误（ValueError）")


def test_a_fault_of_a_program_keeps_its_place():
    text = "import cadquery as cq\nr=w0.box(1,2,3)"
    error = raised(parse, text)
    assert isinstance(error, ProgramError)
    shown = describe.program_error(error, text, Words("zh"))
    assert "第 2 行，第 3 列： 名称 w0 没有赋值。 应为以下之一：无。" in shown
    assert in_chinese(str(error)) == "第 2 行，第 3 列：名称 w0 没有赋值。应为以下之一：无。"
    assert in_chinese(build_text("r = (").detail) == "第 1 行，第 5 列：'(' 没有闭合"


def test_messages_hold_others():
    problems = [Message("it was not written to its end"), Message("{name} is missing", name="optimizer.pt")]
    reason = Message("{name}: {reason}", name="checkpoint-8", reason=joined("{first}; {second}", problems))
    error = CadrecodeError("Nothing to resume from in {folder}. {reason}", folder="runs/a", reason=reason)
    assert str(error) == (
        "Nothing to resume from in runs/a. checkpoint-8: it was not written to its end; optimizer.pt is missing"
    )
    assert in_chinese(str(error)) == "runs/a 中没有可以继续的内容。checkpoint-8：没有写完；缺少 optimizer.pt"
    assert joined("{first}; {second}", []) == ""
    state = Message("{name} is {state}; only a run that has ended can be resumed.", name="a", state=Message("failed"))
    assert in_chinese(state) == "a 失败；只有已结束的运行可以继续。"


def test_what_is_no_message_of_ours_stays_as_it_is():
    assert in_chinese("") == ""
    assert in_chinese("RuntimeError: nobody foresaw this") == "RuntimeError: nobody foresaw this"
    assert in_chinese(Message("Nobody wrote {what}.", what="this")) == "Nobody wrote this."
    assert in_chinese(Message("{name} holds no points.", name="none")) == "none 不含点。", "a file may be called so"
    assert foreign("f-string: expecting '}' in {x}") == "f-string: expecting '}' in {x}"


def test_a_message_goes_through_a_file(tmp_path):
    inner = PointCloudError("{name} holds no points.", name="a.ply")
    error = CadrecodeError("Out of memory. {advice}", advice=inner)
    fields = json.loads(json.dumps(stored({"error": str(error), "note": "plain", "step": 3})))
    assert fields["error"] == "Out of memory. a.ply holds no points.", "other programs read the text"
    assert in_chinese(restored(fields)["error"]) == "内存不足。a.ply 不含点。"
    assert restored({"error": "of an older file"}) == {"error": "of an older file"}
    foreign_template = {"text": "x", "template": "{a.__class__}", "values": {"a": "b"}}
    assert Message.from_json(foreign_template) == "x", "a file cannot make a template read attributes"


def test_a_failed_run_speaks_chinese(tmp_path):
    run = Run.create(tmp_path / "run", TrainConfig().to_yaml())
    run.set_status(State.FAILED, error=str(CadrecodeError("Out of memory. {advice}", advice="")))
    assert in_chinese(Run(run.folder).status()["error"]) == "内存不足。"
    run.set_status(State.FAILED, error="plain")
    assert Run(run.folder).status()["error"] == "plain"
