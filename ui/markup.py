"""HTML from untrusted text. Every value passes through `text`; nothing else makes HTML from strings.

Two readers have to be kept from taking text for code: the browser's HTML parser, and
gradio's templates, which run ``${...}`` as JavaScript. `gr.HTML` therefore gets finished
markup as its value, under a template that only shows the value.
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

# A click or Enter on anything with data-event tells Python its data-* attributes.
_CLICKS = """
element.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-event]');
  if (!hit || !element.contains(hit)) return;
  event.preventDefault();
  const { event: name, ...data } = hit.dataset;
  if (%s.includes(name)) trigger(name, data);
});
"""


# When something else is shown in a panel above the visible part of the page, go there. The panel
# may be in a view that is only about to be shown, or not even made before its first content.
_COME_TO_TOP = """
const comeToTop = () => {
  let tries = 60;
  const come = () => {
    const { top, height } = element.getBoundingClientRect();
    if (height > 0 && top < 0) element.scrollIntoView({ block: 'start' });
    if (height === 0 && (tries -= 1) > 0) requestAnimationFrame(come);
  };
  requestAnimationFrame(come);
};
watch('value', comeToTop);
if (props.value) comeToTop();
"""

# While a search runs, what it will replace is marked as busy; a lost answer does not leave it so for ever.
_BUSY = """
let timer = 0;
const answers = () => document.querySelector('%s');
const busy = (is) => {
  clearTimeout(timer);
  [element, answers()].forEach((each) => each && each.setAttribute('aria-busy', String(is)));
  if (is) timer = setTimeout(busy, 15000, false);
};
document.addEventListener('insitu-search', () => busy(true));
watch('value', () => busy(false));
element.addEventListener('click', (event) => {
  if (event.target.closest('.jump')) answers().scrollIntoView({ block: 'start', behavior: 'smooth' });
});
"""


def text(value: object) -> str:
    """A value as HTML text, safe in elements and in quoted attributes."""
    return html.escape(str(value), quote=True)


def panel(
    value: str = "",
    *,
    events: tuple[str, ...] = (),
    come_to_top: bool = False,
    busy: str = "",
    script: str = "",
    **layout: Any,
) -> gr.HTML:
    """A place for markup. Elements with ``data-event="name"`` fire the event `name` when activated.

    Args:
        value: finished markup; see the module.
        events: names of the events.
        come_to_top: scroll to the panel when its content changes above the visible part.
        busy: CSS selector of what to mark as busy from a search's start until this panel changes;
            a click on anything of the class `jump` in this panel goes there.
        script: JavaScript to run once, when the panel is first shown.
        layout: of `gr.HTML`.
    """
    names = "[" + ", ".join(f"'{name}'" for name in events) + "]"
    script += (_CLICKS % names if events else "") + (_COME_TO_TOP if come_to_top else "")
    script += _BUSY % busy if busy else ""
    return gr.HTML(
        value=value,
        html_template="${value}",
        js_on_load=script or None,
        apply_default_css=False,
        **layout,
    )


def note(message: str, kind: str = "info", turn: int = 0) -> str:
    """One sentence for the visitor; kind is "info", "warning" or "error"."""
    if not message:
        return ""
    role = "alert" if kind == "error" else "status"
    return f'<p class="note note-{text(kind)}" role="{role}" data-turn="{turn:d}">{text(message)}</p>'


def found(message: str, label: str, turn: int) -> str:
    """Like `note`, with a button that goes to what was found where that may be out of sight."""
    return (
        f'<p class="note note-info" role="status" data-turn="{turn:d}">{text(message)} '
        f'<button type="button" class="jump">{text(label)}</button></p>'
    )
