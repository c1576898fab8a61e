"""The part on screen as one page that opens anywhere: pictures, numbers, dimensions, program. Nothing is fetched."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from cadrecode import __version__, pictures
from cadrecode.part import Part
from cadrecode.scoring.deviation import colours
from cadrecode.ui.draw import html
from cadrecode.ui.reconstruct import dimensions
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words

PIXELS = 420
STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#1e2937;max-width:900px;
margin:24px auto;padding:0 16px}h1{font-size:22px;margin:0}h2{font-size:16px;margin:24px 0 6px}
figure{display:inline-block;margin:0 12px 0 0;max-width:48%}
img{max-width:100%;border:1px solid #e3e7ed;border-radius:8px}
figcaption,.small{font-size:13px;color:#5b6675}.lead{font-size:26px;font-weight:600;margin:12px 0 0}
table{border-collapse:collapse}td,th{padding:3px 14px 3px 0;text-align:left;
border-bottom:1px solid #e3e7ed;font-weight:400}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bar{display:inline-block;width:120px;height:10px;
border-radius:3px;background:linear-gradient(90deg,rgb(59 76 192),rgb(240 240 240),rgb(180 4 38));margin:0 8px}
pre{background:#f6f7f9;padding:12px;border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}
li{color:#8a4b08}@media print{pre{font-size:10px}}"""


def write_page(path: Path, work: Work, words: Words, validity: str = "") -> Path:
    """Write the page.

    Args:
        validity: Whether the solid is valid in OpenCASCADE, in words.
    """
    part = work.shown
    warnings = () if work.scan is None else [words.said(warning) for warning in work.scan.warnings]
    body = [
        f"<h1>{escape(work.name)}</h1>",
        f'<p class="small">cadrecode {__version__} · {datetime.now():%Y-%m-%d %H:%M}'
        f"{f' · {escape(work.rebuilt.model)}' if work.rebuilt else ''}</p>",
        _pictures(work, part, words),
        _lead(work, part, words),
        _table(words("page.numbers"), _numbers(work, part, words, validity)),
        f"<ul>{''.join(f'<li>{escape(warning)}</li>' for warning in warnings)}</ul>" if warnings else "",
        _table(words("dimensions.title"), _dimensions(part, work.unit, words)),
        f"<h2>{escape(words('program.title'))}</h2><pre>{escape(part.program.strip())}</pre>",
    ]
    path.write_text(whole_page(escape(work.name), "".join(body), words), encoding="utf-8")
    return path


def whole_page(title: str, body: str, words: Words) -> str:
    """A page that opens anywhere. Title and body are HTML."""
    language = {"en": "en", "zh": "zh-CN"}[words.language]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _pictures(work: Work, part: Part, words: Words) -> str:
    drawn = [(pictures.small_picture((part.vertices, part.faces), pixels=PIXELS), words("result.title"))]
    if part.deviation is not None:
        shades = colours(part.deviation.signed, work.tolerance_shown)
        cloud = pictures.small_picture(None, part.deviation.points, colours=shades, pixels=PIXELS)
        drawn.append((cloud, words("page.deviation")))
    return "".join(
        f'<figure><img alt="{escape(caption)}" src="{pictures.data_address(image)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for image, caption in drawn
    )


def _lead(work: Work, part: Part, words: Words) -> str:
    verdict = ""
    if part.assessment is not None:
        sentences = [words.said(part.assessment.text)]
        sentences += [words.said(entry["text"]) for entry in part.assessment.report(work.unit)["unexplained"]]
        verdict = f'<p class="lead">{escape(sentences[0])}</p>' + "".join(
            f"<p>{escape(text)}</p>" for text in sentences[1:]
        )
    if part.deviation is None:
        return verdict
    end = html.length(work.tolerance_shown, work.unit)
    return verdict + (
        f'<p class="{"small" if verdict else "lead"}">{html.length(part.deviation.mean, work.unit)} '
        f'<span class="small">{escape(words("result.mean"))}</span></p><p class="small">'
        f'{escape(words("legend.inside", x=end))}<span class="bar"></span>{escape(words("legend.outside", x=end))}</p>'
    )


def _numbers(work: Work, part: Part, words: Words, validity: str) -> list[tuple[str, str]]:
    unit = work.unit
    rows = [(words("page.size"), html.lengths(part.size, unit))]
    if work.scan is not None:
        rows.append((words("page.points"), f"{len(work.scan.points):,}"))
    if part.deviation is not None:
        figures = part.deviation
        rows += [
            (words("page.p95"), html.length(figures.p95, unit)),
            (words("page.max"), html.length(figures.max, unit)),
            (words("page.bias"), html.length(figures.bias, unit)),
        ]
    if part.distance is not None:
        rows.append((words("page.distance"), html.length(part.distance, unit)))
    if part.distance_before is not None:
        rows.append((words("page.before"), html.length(part.distance_before, unit)))
    if validity:
        rows.append((words("page.solid"), validity))
    return rows


def _dimensions(part: Part, unit: str, words: Words) -> list[tuple[str, str]]:
    sizes, _ = dimensions.named(part)
    factor, unit = html.shown(unit)
    return [
        (words.dimension(size.name), f"{size.value:.6g} °" if size.is_angle else f"{factor * size.value:.6g} {unit}")
        for size in sizes
    ]


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{escape(value)}</td></tr>' for name, value in rows
    )
    return f"<h2>{escape(title)}</h2><table>{lines}</table>"
