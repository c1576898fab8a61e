"""The page of a batch: a line for each scan, the worst first, with links to its files beside it. It opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cadrecode.figures import short
from cadrecode.report.shell import whole_page
from cadrecode.ui.batch.items import BatchItem
from cadrecode.ui.draw import html
from cadrecode.ui.words.text import Words


def index_page(rows: Sequence[BatchItem], unit: str, words: Words) -> str:
    """The page, for a file beside the folders of the scans."""
    headers = "".join(f"<th>{escape(words(f'batch.{key}'))}</th>" for key in ("name", "verdict", "within", "why"))
    lines = "".join(_line(row, unit, words) for row in rows)
    title = words("batch.title")
    table = f"<table><tr><th></th>{headers}</tr>{lines}</table>"
    return whole_page(title, f"<h1>{escape(title)}</h1>{table}", words.language)


def _line(row: BatchItem, unit: str, words: Words) -> str:
    name, links = escape(row.name), ""
    if row.folder is not None:
        files = sorted(path.name for path in row.folder.iterdir())
        report = next((file for file in files if file.endswith("_report.html")), None)
        if report is not None:
            name = f'<a href="{escape(f"{row.folder.name}/{report}")}">{name}</a>'
        links = " ".join(
            f'<a href="{escape(f"{row.folder.name}/{file}")}">.{escape(file.rpartition(".")[2])}</a>'
            for file in files
            if file.endswith((".step", ".py", ".stl", ".3mf"))
        )
    picture = f'<img src="{row.picture}" alt="" width="80">' if row.picture else ""
    verdict = escape(words.said(row.verdict) or words(f"row.{row.state}"))
    return (
        f"<tr><td>{picture}</td><td>{name}<br>{links}</td><td>{verdict}</td>"
        f"<td>{escape(within(row, unit, words))}</td><td>{escape(remark(row, words))}</td></tr>"
    )


def within(row: BatchItem, unit: str, words: Words) -> str:
    """ "98.4 % within 0.5 mm"; a dash for what is not rebuilt."""
    if row.within is None:
        return "–"
    factor, unit = html.shown_in(unit)
    tolerance = f"{short(factor * row.tolerance)} {unit}"
    return words("batch.share", share=html.percent(row.within), x=tolerance)


def remark(row: BatchItem, words: Words) -> str:
    """The remarks on a scan: its failure, missing parts, doubts."""
    return " ".join(filter(None, (words.said(row.why), row.hint)))
