"""The part on screen as one page that opens anywhere: pictures, numbers, dimensions, program. Nothing is fetched."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from cadrecode import __version__, pictures
from cadrecode.part import Part
from cadrecode.report.shell import whole_page
from cadrecode.scoring.deviation import colours
from cadrecode.ui.draw import html
from cadrecode.ui.reconstruct import dimensions
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words

PIXELS = 420


def write_page(path: Path, work: Work, words: Words, validity: str = "") -> Path:
    """Write the page.

    Args:
        validity: Whether the solid is valid in OpenCASCADE, in words.
    """
    part = work.shown
    told = () if work.scan is None else (*work.scan.warnings, *(work.rebuilt.remarks if work.rebuilt else ()))
    warnings = [words.said(warning) for warning in told]
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
    path.write_text(whole_page(work.name, "".join(body), words.language), encoding="utf-8")
    return path


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
    factor, unit = html.shown_in(unit)
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
