"""Train, Evaluate and Adapters as a person meets them: one tiny training, started by clicking, serves all of them."""

import json
import re
import zipfile

import pytest
import yaml
from playwright.sync_api import expect

from cadrecode.ui.words.text import Words

from .conftest import SIZES, fill, slide, upload
from .test_accessible import AXE, LOOK

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TINY = {"max_steps": 4, "per_device_train_batch_size": 4, "lora_r": 4, "lora_alpha": 8}
FOLD = {"max_train_samples": 24, "max_eval_samples": 6, "eval_programs": 3, "eval_steps": 2, "save_steps": 2,
        "logging_steps": 1, "warmup_steps": 1}  # fmt: skip
MERGING = ("auto_merge_lora", "merge_final_only", "auto_merge_final")
SECONDS = 1000
TRAIN = 400 * SECONDS
ENDED = re.compile("^(done|已?完成)")  # four steps may leave a model that is worse than the base, and the pill says so
expect.set_options(timeout=180 * SECONDS)  # of a machine that has other things to do


ZH = Words("zh")


def on_a_phone(page, app, tab):
    """A tab as the narrow screen shows it, in Chinese."""
    page.set_viewport_size(dict(zip(("width", "height"), SIZES["narrow"])))
    return opened(page, app, ZH(f"tab.{tab}"), "/zh")


def opened(page, app, tab, path="/"):
    page.set_default_timeout(180 * SECONDS)
    page.goto(app.url + path)
    page.get_by_role("tab", name=tab, exact=True).click()
    return page


def advanced(page):
    """Unfold what few people need."""
    page.locator("#train-advanced > button").click()


def fill_tiny(page, name, **changes):
    fill(page, "#run-name", name)
    for setting in TINY:
        fill(page, f"#set-{setting}", {**TINY, **changes}[setting])
    page.get_by_role("button", name="All settings").click()
    for setting, value in FOLD.items():
        fill(page, f"#set-{setting}", value)
    for setting in MERGING:  # a test of its own merges
        page.locator(f"#set-{setting} input").uncheck()


def state(page, *states):
    """Wait until the run that is shown says one of these."""
    expect(page.locator("#run-status .cr-pill")).to_have_text(re.compile(f"^({'|'.join(states)})$"), timeout=TRAIN)


def test_several_processes_show_in_the_command_and_in_the_estimate(page, app):
    opened(page, app, "Train")
    advanced(page)
    expect(page.locator("#command pre")).to_have_text(re.compile("^python train_cad_recode_lora.py "))
    fill(page, "#processes", 2)
    expect(page.locator("#command pre")).to_have_text(
        re.compile("^accelerate launch --multi_gpu --num_processes 2 train_cad_recode_lora.py ")
    )
    expect(page.locator("#badge")).to_contain_text("(each of 2 processes)")


@pytest.fixture(scope="module")
def trained(browser, app, tmp_path_factory):
    """A run named tiny, made by clicking; returns the folder that holds its exported settings."""
    folder = tmp_path_factory.mktemp("yaml")
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", accept_downloads=True)
    page = opened(context.new_page(), app, "Train")

    # The data: three pairs, drawn.
    page.get_by_role("button", name="Look at the data").click()
    page.locator("#data-draw").click()
    expect(page.locator("#data-preview img")).to_have_count(6)
    expect(page.locator("#data-preview")).to_contain_text(re.compile(r"1,000 programs; .* usable, 0 skipped"))

    # The adapter's size sets two settings; the command and the badge follow.
    expect(page.locator("#badge .cr-pill")).to_have_text(re.compile("enough|tight"))
    advanced(page)
    page.locator("#strength").get_by_text("high").click()
    expect(page.locator("#command pre")).to_have_text(re.compile("--lora_r 64 --lora_alpha 128"))
    expect(page.locator("#badge")).to_contain_text("an adapter of 22.5 MB")

    # Out as YAML, and in again after everything was changed.
    fill_tiny(page, "tiny")
    with page.expect_download() as coming:
        page.locator("#export-yaml").click()
    coming.value.save_as(folder / coming.value.suggested_filename)
    command = page.locator("#command pre")
    for setting, value in {**TINY, **FOLD}.items():
        expect(command).to_contain_text(f"--{setting} {value} ")
    expect(command).to_have_text(re.compile("runs/tiny$"))
    page.locator("#preset input").click()
    page.get_by_role("option", name=re.compile("^LoRA")).click()
    expect(page.locator("#set-max_steps textarea, #set-max_steps input")).to_have_value("50000")
    upload(page, "#import-yaml", folder / "tiny.yaml")
    expect(page.locator("#set-max_steps textarea, #set-max_steps input")).to_have_value("4")

    page.locator("#start").click()
    expect(page.locator("#run-status")).to_contain_text("tiny")
    context.close()  # the run goes on
    return folder


def test_the_form_goes_out_as_yaml_and_comes_in_again(app, trained):
    written = yaml.safe_load((trained / "tiny.yaml").read_text())
    assert {key: written[key] for key in TINY} == TINY
    frozen = yaml.safe_load((app.runs_dir / "tiny" / "config.yaml").read_text())
    differing = {key for key in written if written[key] != frozen[key]}
    assert differing <= {"model_save_path"}


def test_two_browsers_see_the_same_run_live_and_to_its_end(page, browser, app, trained):
    opened(page, app, "Train")
    other = browser.new_context(locale="zh-CN").new_page()
    opened(other, app, "训练", "/zh")
    for window in (page, other):
        expect(window.locator("#run-status")).to_contain_text("tiny")
        expect(window.locator("#run-status .cr-pill")).to_have_text(ENDED, timeout=TRAIN)
        expect(window.locator("#film img")).to_have_count(3 * 4)  # the points, the base, and twice while it learned
    status = page.locator("#run-status").inner_text()
    for word in ("step 4 / 4", "loss ", "held-out loss", "IoU", "invalid", "learning rate", "samples/s", "peak memory"):
        assert word in status
    assert "done: " in page.locator("#log").inner_text()
    other.context.close()


def test_save_and_stop_resume_kill_compare_delete(page, app, trained):
    on_a_phone(page, app, "train")
    advanced(page)
    upload(page, "#import-yaml", trained / "tiny.yaml")
    expect(page.locator("#set-lora_r textarea, #set-lora_r input")).to_have_value("4")
    fill(page, "#run-name", "long")
    fill(page, "#set-max_steps", 500)
    fill(page, "#set-lora_r", 8)
    page.locator("#start").click()
    expect(page.locator("#run-status")).to_contain_text("long")
    state(page, ZH.state("training"))
    page.locator("#stop").click()
    state(page, ZH.state("stopped"))
    assert list((app.runs_dir / "long").glob("checkpoint-*"))
    page.locator("#resume").click()
    state(page, *(ZH.state(state_name) for state_name in ("queued", "preparing", "training")))
    page.locator("#kill:not([disabled])").click()
    page.locator("#kill-yes").click()
    state(page, ZH.state("failed"))
    expect(page.locator("#run-status")).to_contain_text(ZH.said("Killed on request."))

    page.locator("#compare input").click()
    page.get_by_role("option", name="tiny").click()
    expect(page.locator("#differences")).to_contain_text("lora_r")
    assert "max_steps" in page.locator("#differences").inner_text()
    names = page.evaluate("() => document.querySelector('#loss .js-plotly-plot').data.map((curve) => curve.name)")
    assert "tiny" in names

    page.locator("#delete:not([disabled])").click()
    page.locator("#delete-yes").click()
    expect(page.locator("#runs")).not_to_contain_text("long")
    assert not (app.runs_dir / "long").exists()
    expect(page.locator("#run-status")).to_contain_text("tiny")


def test_wrong_settings_are_told_in_words(page, app):
    opened(page, app, "Train")
    page.locator("#set-lora_r input, #set-lora_r textarea").press_sequentially("many")
    page.locator("#start").click()
    expect(page.locator(".toast-body")).to_contain_text("lora_r")
    title = page.evaluate("getComputedStyle(document.querySelector('.toast-title'), '::after').content")
    assert title == '"That did not work"'  # in the page's language, where Gradio says "Error"
    expect(page.locator("#badge")).to_contain_text("lora_r")
    opened(page, app, "Train")  # again: what was typed is there
    expect(page.locator("#set-lora_r input, #set-lora_r textarea")).to_have_value(re.compile("^many"))


def test_an_adapter_is_merged_handed_on_and_taken_in_again(page, app, trained, tmp_path):
    on_a_phone(page, app, "adapters")
    card = page.locator("#adapters .cr-card[data-name=tiny]")
    expect(card).to_contain_text("4 / 8")
    page.locator("#merge:not([disabled])").click()
    expect(page.locator("#merge-progress")).to_contain_text(ZH("merge.verified", x="", tensors="")[:6], timeout=TRAIN)
    expect(page.locator("#pack-merged")).to_contain_text(re.compile(r"\(30\.\d MB\)"))
    page.locator("#pack-adapter").click()
    with page.expect_download() as coming:
        page.locator("#adapter-file a[download]").first.click()
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= set(zipfile.ZipFile(path).namelist())

    upload(page, "#import-adapter", path)
    expect(page.locator("#merge-progress")).to_contain_text(ZH("adapters.imported", name="tiny-2"))
    page.locator("#adapter-use").click()
    expect(page.locator("#adapters .cr-card[data-name=tiny-2]")).to_contain_text(ZH("adapters.in_use"))

    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as packed:
        packed.writestr("adapter_config.json", json.dumps({"peft_type": "LORA", "r": 4}))
        packed.writestr("pytorch_model.bin", b"x")
    upload(page, "#import-adapter", bad)
    expect(page.locator("#merge-progress")).to_contain_text("pytorch_model.bin")

    page.locator("#adapters .cr-card[data-name=tiny-2]").click()
    page.locator("#adapter-delete").click()
    page.locator("#adapter-delete-yes").click()
    expect(page.locator("#adapters .cr-card")).to_have_count(1)
    assert (app.runs_dir / "tiny").exists()


def test_base_against_adapter_on_uploaded_meshes(page, app, trained, tmp_path):
    box = "\n".join(f"v {x} {y} {z}" for x in (0, 40) for y in (0, 20) for z in (0, 8))
    sides = ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))
    faces = [corner for a, b, c, d in sides for corner in ((a, b, c), (a, c, d))]
    with zipfile.ZipFile(tmp_path / "parts.zip", "w") as packed:
        packed.writestr("parts/plate.obj", box + "\n" + "\n".join("f " + " ".join(map(str, face)) for face in faces))
        packed.writestr("parts/broken.obj", "v 0 0 0")
    on_a_phone(page, app, "train")
    expect(page.locator("#run-status .cr-pill")).to_have_text(ENDED, timeout=TRAIN)
    on_a_phone(page, app, "evaluate")
    page.locator("#evaluate-source").get_by_text(ZH("evaluate.upload")).click()
    page.locator("#evaluate-files input[type=file]").set_input_files(tmp_path / "parts.zip")
    expect(page.locator("#evaluate-files")).to_contain_text("parts")
    page.locator("#evaluate-models").get_by_text("tiny", exact=True).click()
    slide(page, "#evaluate-fit", 1)
    page.locator("#evaluate").click()
    expect(page.locator("#evaluate")).to_be_disabled()
    on_a_phone(page, app, "evaluate")  # the page is closed, and opened again: the evaluation goes on
    expect(page.locator("#evaluation tbody tr")).to_have_count(2, timeout=TRAIN)
    expect(page.locator("#evaluate-parts img")).to_have_count(3)  # the true part, and what each model made of it
    scores = [float(cell) for cell in page.locator("#evaluation tbody td:nth-child(6)").all_inner_texts()]
    assert min(scores) > 0.5
    expect(page.get_by_text(ZH("evaluate.skipped", n=1))).to_be_visible()
    expect(page.locator("#quoted")).to_contain_text(ZH("quoted.title"))


@pytest.mark.parametrize(("size", "language"), [("wide", "en"), ("narrow", "zh")])
def test_every_tab_in_both_sizes_and_languages(browser, app, trained, size, language):
    words, (width, height) = Words(language), SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
    page, broken = context.new_page(), []
    page.set_default_timeout(180 * SECONDS)
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(app.url + ("/" if language == "en" else "/zh"))
    places = {"reconstruct": "#numbers .cr-lead", "batch": "#batch-go"}
    places |= {"train": "#run-status", "evaluate": "#quoted", "adapters": "#adapters"}
    for tab, place in places.items():
        page.get_by_role("tab", name=words(f"tab.{tab}"), exact=True).click()
        if tab == "train":
            expect(page.locator("#run-status .cr-pill")).to_have_text(ENDED, timeout=TRAIN)
        expect(page.locator(place)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        unlabelled = page.evaluate(
            "() => [...document.querySelectorAll('button, input, textarea')]"
            ".filter((field) => field.checkVisibility())"
            ".filter((field) => !(field.innerText?.trim() || field.ariaLabel || field.title || field.labels?.length))"
            ".map((field) => field.outerHTML)"
        )
        assert unlabelled == []
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        assert page.evaluate(LOOK) == []
    picked = page.locator("#adapters .cr-card").first
    expect(picked).to_be_visible()
    picked.focus()
    page.keyboard.press("Enter")
    expect(picked).to_have_attribute("aria-selected", "true")
    context.close()
    assert broken == []


def test_runs_and_evaluations_survive_a_restart_of_the_app(browser, app, trained):
    page = browser.new_page(locale="en-US")
    opened(page, app, "Evaluate")
    fill(page, "#evaluate-limit", 4)
    slide(page, "#evaluate-fit", 1)
    page.locator("#evaluate").click()
    expect(page.locator("#evaluate-cancel")).to_be_enabled()  # it is at work
    page.goto("about:blank")
    app.stop()
    app.start()
    opened(page, app, "Train")
    expect(page.locator("#run-status")).to_contain_text("tiny")
    expect(page.locator("#runs tr[aria-selected=true]")).to_contain_text("4 / 4")
    expect(page.locator("#film img")).to_have_count(12)

    opened(page, app, "Evaluate")  # it went on while there was no app
    expect(page.locator("#evaluation tbody td:nth-child(2)")).to_have_text("4", timeout=TRAIN)
    expect(page.locator("#evaluate-of")).to_contain_text("invent:brackets: up to 4 parts")

    fill(page, "#evaluate-limit", 12)  # what was scored before a cancel is there, and the rest can be scored
    slide(page, "#evaluate-fit", 1)
    page.locator("#evaluate").click()
    page.wait_for_function("/[1-9] \\/ 12/.test(document.querySelector('#evaluate-progress').innerText)")
    page.locator("#evaluate-cancel").click()
    expect(page.locator("#evaluate-progress")).to_contain_text("Cut off before its end")
    expect(page.locator("#evaluation tbody td:nth-child(2)")).not_to_have_text("12")
    page.locator("#evaluate-go-on").click()
    expect(page.locator("#evaluation tbody td:nth-child(2)")).to_have_text("12", timeout=TRAIN)
    expect(page.locator("#evaluate-of")).to_contain_text("invent:brackets: up to 12 parts")
    expect(page.locator("#evaluate-go-on")).to_be_hidden()
    page.close()
