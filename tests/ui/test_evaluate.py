"""The Evaluate tab's handlers."""

import json

import pytest

from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.ui.tabs import evaluate as tab
from cadrecode.ui.text import Words

EN = Words("en")


def evaluated(services, typist, **options):
    said = []
    reports = tab.evaluate(
        "invent:plates", ["base:embedded"], services, lambda *p: said.append(p), lambda: False, limit=3,
        generate=typist.generate, **options,
    )  # fmt: skip
    return reports, said


def test_one_row_a_model_with_failures_counted(services, typist):
    reports, said = evaluated(services, typist)
    ((name, scored),) = reports
    assert (name, scored["n"]) == ("embedded", 3)
    assert said[0] == ("loading", 0, 1)
    assert said[-1] == ("embedded", 3, 3)
    (row,) = tab.rows(reports, EN)
    assert row[:3] == [
        "embedded base",
        "3",
        "0 %" if scored["invalid_ratio"] == 0 else f"{100 * scored['invalid_ratio']:.0f} %",
    ]
    assert row[4] == "–"  # a single sample has no best
    (written,) = json.loads(tab.write_report(reports, services).read_text())
    assert written["model"] == "embedded"
    assert len(written["shapes"]) == 3


def test_the_best_of_several_stands_apart_from_the_single_sample(services, typist):
    reports, _ = evaluated(services, typist, candidates=3)
    (row,) = tab.rows(reports, EN)
    assert float(row[4]) == pytest.approx(reports[0][1]["median_iou"], abs=5e-4)
    assert float(row[3]) == pytest.approx(reports[0][1]["single_median_iou"], abs=5e-4)


def test_nothing_chosen_or_no_path_is_told(services):
    with pytest.raises(CadrecodeError, match="at least one model"):
        tab.evaluate("invent:plates", [], services, lambda *p: None, lambda: False)
    with pytest.raises(DatasetError, match="Give a folder"):
        tab.targets_of(tab.OWN, "plates", None)
    assert tab.targets_of(tab.INVENTED, "plates", None) == "invent:plates"
