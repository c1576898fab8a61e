"""The guide's inference command and `evaluate`, word for word, with a tiny model that knows one program by heart."""

import json
import re
import shutil

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cadrecode.cli import inference_main
from cadrecode.cli.evaluate import evaluate_main
from cadrecode.cloud import read_mesh
from cadrecode.part import ENDINGS
from cadrecode.program import build, mesh_of, parse

CUBE = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\n"
CUBE += "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,200,200)"


@pytest.fixture(scope="module")
def cube_model(tmp_path_factory, one_thread):
    """A folder with a base that writes CUBE, whatever it sees."""
    import torch

    from cadrecode.model import load, network, tokens

    torch.manual_seed(0)
    tokenizer = tokens.build_tokenizer([CUBE], least_count=1)
    encoder = {"kind": "patch", "n_points": 32, "n_tokens": 4, "neighbours": 4, "layers": 1}
    model = network.new_model(
        tokenizer, hidden_size=32, num_hidden_layers=1, max_position_embeddings=96, point_encoder=encoder
    )
    ids = torch.tensor([tokens.encode_program(tokenizer, CUBE)])
    prompt = torch.zeros(1, 4, dtype=torch.long)
    batch = {
        "input_ids": torch.cat((prompt, ids), 1),
        "labels": torch.cat((prompt - 100, torch.tensor([[-100]]), ids[:, 1:]), 1),
        "point_mask": torch.arange(4 + ids.shape[1])[None] < 4,
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        cloud = (torch.rand(1, 32, 3) * 4 - 2).clamp(-1, 1) * torch.rand(1, 1, 3)  # on boxes of any sides
        loss = model(**batch, point_cloud=cloud).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.05
    folder = tmp_path_factory.mktemp("cube") / "base"
    load.save_model(model.eval(), tokenizer, folder)
    return folder


def test_the_guides_command_writes_program_step_and_stl(cube_model, tmp_path, capsys):
    output = tmp_path / "out" / "generated_code.py"
    code = inference_main(
        [
            "--base_model",
            str(cube_model),
            "--shape",
            "cube",
            "--output",
            str(output),
            "--source",
            "model",
            "--candidates",
            "3",
            "--units",
            "cm",
        ]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert {path.name for path in output.parent.iterdir()} == {f"generated_code{ending}" for ending in ENDINGS.values()}
    assert printed.startswith("verdict     good match\n")
    assert "generated_code_report.json" in printed.split("\nwritten")[1]
    assert "3 of 3 valid" in printed
    assert "40.0 x 40.0 x 40.0 cm" in printed
    assert str(cube_model) in printed
    assert np.ptp(mesh_of(build(parse(output.read_text())))[0], axis=0) == pytest.approx([40] * 3, rel=2e-3)
    assert np.ptp(read_mesh(output.with_suffix(".stl"))[0], axis=0) == pytest.approx([40] * 3, rel=2e-3)
    assert np.ptp(read_mesh(output.with_suffix(".step"))[0], axis=0) == pytest.approx([400] * 3, rel=2e-3)


def test_a_file_is_rebuilt_in_its_own_units_and_place(cube_model, tmp_path, capsys):
    corner = np.array([3.0, -7.0, 1000.0])
    points = np.random.default_rng(0).random((4000, 3))
    points[np.arange(4000), np.arange(4000) % 3] = np.arange(4000) // 3 % 2  # onto the six faces
    np.save(tmp_path / "sample.npy", points * 2 + corner)
    code = inference_main(
        ["--base_model", str(cube_model), "--point_cloud_file", str(tmp_path / "sample.npy"), "--source", "model",
         "--candidates", "1", "--names",
         "--output", str(tmp_path / "cube")]
    )  # fmt: skip
    assert code == 0, capsys.readouterr().err
    assert "\nblock_width = 2\n" in (tmp_path / "cube.py").read_text(encoding="utf-8")
    vertices, _ = read_mesh(tmp_path / "cube.stl")
    np.testing.assert_allclose([vertices.min(0), vertices.max(0)], [corner, corner + 2], atol=0.01)


@pytest.mark.slow
def test_a_dirty_scan_of_a_turned_cube_is_cleaned_and_aligned(cube_model, tmp_path, capsys):
    rng = np.random.default_rng(0)
    points = rng.random((6000, 3))
    points[np.arange(6000), np.arange(6000) % 3] = np.arange(6000) // 3 % 2  # onto the six faces
    around = rng.uniform((-2, -2, 0), (3, 3, 0), (6000, 3))
    around = around[(np.abs(around[:, :2] - 0.5) > 0.5).any(axis=1)]
    turn = Rotation.from_euler("zyx", (20, 15, 10), degrees=True).as_matrix()
    np.save(tmp_path / "scan.npy", np.vstack((points, around, [(0.5, 0.5, 4)])) @ turn.T * 30)
    arguments = [
        "--base_model", str(cube_model), "--point_cloud_file", str(tmp_path / "scan.npy"), "--source", "model",
        "--candidates", "1", "--output", str(tmp_path / "cube.py"),
    ]  # fmt: skip
    assert inference_main([*arguments, "--clean", "all"]) == 0
    printed = capsys.readouterr().out
    assert "lone points" in printed
    assert "on the plane that the part stands on" in printed
    degrees = np.degrees(Rotation.from_matrix(turn).magnitude())
    assert float(re.search(r"align +turned by ([\d.]+) degrees", printed)[1]) == pytest.approx(degrees, abs=0.3)
    solid = build(parse((tmp_path / "cube.py").read_text()))
    assert solid.volume() == pytest.approx(30**3, rel=0.05)
    vertices, _ = read_mesh(tmp_path / "cube.step")
    np.testing.assert_allclose(np.ravel(solid.bounding_box()), np.ravel((vertices.min(0), vertices.max(0))), atol=0.01)
    assert inference_main([*arguments, "--align", "off"]) == 0
    printed = capsys.readouterr().out
    assert "align       off" in printed
    assert not any(line.startswith("clean") for line in printed.splitlines()), "nothing was cleaned; it is advised"


def test_the_merged_model_is_preferred_and_named(cube_model, tmp_path, capsys):
    shutil.copytree(cube_model, tmp_path / "run" / "merged_model")
    code = inference_main(
        ["--base_model", "Qwen/Qwen3-1.7B-Base", "--lora_path", str(tmp_path / "run"), "--shape", "cube",
         "--source", "model", "--candidates", "1", "--output", str(tmp_path / "part.py")]
    )  # fmt: skip
    assert code == 0
    assert "merged_model (preferred" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--point_cloud_file", "nowhere.npy"], "nowhere.npy does not exist"),
        (["nowhere.npy", "--device", "cpu"], "nowhere.npy does not exist"),
        (["--shape", "teapot"], "cube"),
        (["--shape", "cube", "--base_model", "./no/such/folder"], "no folder"),
        (["--shape", "cube", "--lora_path", "nowhere"], "is not an adapter"),
        (["--shape", "cube", "--output", "part.step"], "ends with .py"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert inference_main(arguments) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "arguments", [[], ["--shape", "cube", "--candidates", "0"], ["--shape", "cube", "--temperature", "hot"]]
)
def test_wrong_arguments_are_refused_before_anything_loads(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        inference_main(arguments)
    assert ended.value.code == 2


def test_a_model_that_writes_nothing_valid_ends_in_words(tmp_path, capsys, cube_model):
    import torch

    from cadrecode.model import load

    model, tokenizer = load.load_model(cube_model, device="cpu")
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_()
    load.save_model(model, tokenizer, tmp_path / "garbage")
    rebuild = ["--base_model", str(tmp_path / "garbage"), "--shape", "cube", "--source", "model", "--candidates", "2"]
    code = inference_main(rebuild)
    printed = capsys.readouterr()
    assert code == 2
    assert "0 of 2 valid" in printed.out
    assert "None of the 2 candidates" in printed.err


def test_evaluate_writes_the_report_that_it_prints(cube_model, tmp_path, capsys):
    vertices, faces = mesh_of(build(parse(CUBE)))
    np.savez(
        tmp_path / "cubes.npz",
        a_v=vertices,
        a_f=faces,
        b_v=vertices * (1, 1, 0.5),
        b_f=faces,
        c_v=vertices,
        c_f=faces[1:],
    )
    arguments = [
        "--targets",
        str(tmp_path / "cubes.npz"),
        "--model",
        str(cube_model),
        "--json",
        str(tmp_path / "r" / "report.json"),
    ]
    assert evaluate_main([*arguments, "--candidates", "2"]) == 0
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert [row["id"] for row in report["shapes"]] == ["a", "b"]
    assert report["shapes"][0]["iou"] > 0.99
    assert report["shapes"][1]["iou"] == pytest.approx(0.5, abs=0.01)
    assert [entry["id"] for entry in report["skipped"]] == ["c"]
    assert report["single_median_iou"] == pytest.approx(0.75, abs=0.01)
    printed = capsys.readouterr().out
    assert "2 scored, 1 skipped" in printed
    assert "best of 2" in printed
    assert "0.750" in printed
    assert report["grammar"] is True  # the default of a base in which each integer is a token


def test_with_the_grammar_both_commands_write_nothing_else(cube_model, tmp_path, monkeypatch):
    from cadrecode.model import decode

    requested = []

    def generate(model, tokenizer, clouds, *, grammar=False, **options):
        requested.append(grammar)
        return [CUBE] * len(clouds)

    monkeypatch.setattr(decode, "generate", generate)
    vertices, faces = mesh_of(build(parse(CUBE)))
    np.savez(tmp_path / "cube.npz", a_v=vertices, a_f=faces)
    report = tmp_path / "report.json"
    arguments = ["--targets", str(tmp_path / "cube.npz"), "--model", str(cube_model), "--json", str(report)]
    assert evaluate_main([*arguments, "--grammar"]) == 0
    assert json.loads(report.read_text())["grammar"] is True
    rebuild = [
        "--base_model",
        str(cube_model),
        "--shape",
        "cube",
        "--source",
        "model",
        "--fit_seconds",
        "0",
        "--grammar",
    ]
    assert inference_main([*rebuild, "--output", str(tmp_path / "part.py")]) == 0
    assert requested == [True, True]
