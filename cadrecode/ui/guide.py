"""The tour of three steps for a new visitor, and the help behind each tab's question mark."""

from __future__ import annotations

from html import escape

import gradio as gr

from cadrecode.ui.words.text import Words

STEPS = ("#cloud-file", "#rebuild", "#dimensions")  # the element that each step of the tour points at

# The tour in the browser, which remembers that a person has seen it.
TOUR = """
const KEY = 'cadrecode_tour', box = element.querySelector('.cr-tour');
const steps = [...box.querySelectorAll('p')], [next, end] = box.querySelectorAll('button');
let at = 0;
const light = document.head.appendChild(document.createElement('style'));  // the page removes classes from its elements
const point = (on) => { light.textContent = on
  ? `${on} { outline: 3px solid var(--cr-accent); outline-offset: 3px; border-radius: 8px; }` : ''; };
const show = (step) => {
  at = step;
  box.hidden = false;
  steps.forEach((text, i) => text.hidden = i !== at);
  next.textContent = at === steps.length - 1 ? next.dataset.done : next.dataset.next;
  end.hidden = at === steps.length - 1;
  point(steps[at].dataset.at);
  document.querySelector(steps[at].dataset.at)?.scrollIntoView({block: 'nearest'});
};
const close = () => { box.hidden = true; point(null); localStorage.setItem(KEY, 'seen'); };
next.addEventListener('click', () => at === steps.length - 1 ? close() : show(at + 1));
end.addEventListener('click', close);
document.addEventListener('keydown', ({key}) => { if (key === 'Escape' && !box.hidden) close(); });
document.addEventListener('click', (event) => {
  if (event.target.closest('.cr-tour-again')) { show(0); next.focus(); }
});
if (!localStorage.getItem(KEY)) show(0);
"""


def tour(words: Words) -> gr.HTML:
    """The tour above a tab, shown once in each browser. It is in the page's flow and covers nothing."""
    steps = "".join(
        f'<p data-at="{at}" hidden><b>{words("tour.step", n=n)}</b> {escape(words(f"tour.{n}"))}</p>'
        for n, at in enumerate(STEPS, 1)
    )
    onward = f'data-next="{words("tour.next")}" data-done="{words("tour.done")}"'
    buttons = (
        f'<button type="button" class="cr-go" {onward}></button><button type="button">{words("tour.end")}</button>'
    )
    name = f'aria-label="{words("tour.title")}" aria-live="polite"'
    box = f'<section class="cr-tour" {name} hidden>{steps}{buttons}</section>'
    return gr.HTML(box, js_on_load=TOUR, padding=False, elem_id="tour")


def about(words: Words, tab: str) -> gr.HTML:
    """A question mark that unfolds what a tab is for."""
    title = words("help.about", tab=words(f"tab.{tab}"))
    lines = "".join(f"<p>{escape(line)}</p>" for line in words(f"help.{tab}").split("\n"))
    if tab == "reconstruct":
        lines += f'<p><button type="button" class="cr-tour-again">{words("tour.again")}</button></p>'
    return gr.HTML(
        f'<details class="cr-about"><summary aria-label="{escape(title)}"><b aria-hidden="true">?</b> '
        f"{words('help.open')}</summary><div>{lines}</div></details>",
        padding=False,
        elem_classes="cr-about-place",
    )
