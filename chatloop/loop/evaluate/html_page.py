"""The look of the report: one style sheet, a shell without any script, and a few HTML pieces.

Everything that is text goes through `text`, `label` or `quote`, which escape it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from chatloop.core.types import OOS
from chatloop.loop.evaluate.metrics import Share

_MOST_CHARS = 180

CSS = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #ffffff; --ink: #20262f;
  --soft: #5d6673; --line: #e5e2dc; --track: #eceae5; --fill: #7f93d8; --strong: #3d55bd;
  --good: #17725f; --good-bg: #e4f2ee; --bad: #a33b32; --bad-bg: #f9e9e6; }
@media (prefers-color-scheme: dark) { :root { --paper: #13171d; --card: #1a2028; --ink: #e2e6ec;
  --soft: #9ca6b4; --line: #2c343f; --track: #29303a; --fill: #5d72c4; --strong: #a4b4ff;
  --good: #7ed0ba; --good-bg: #17332d; --bad: #f0a097; --bad-bg: #3b211f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 66rem; margin: 0 auto; padding: 3.5rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 .4rem; }
h2 { font-size: 1.3rem; line-height: 1.3; letter-spacing: -.01em; margin: 0 0 .35rem; }
h3 { font-size: 1rem; margin: 0 0 .6rem; }
section { margin-top: 3.4rem; }
p { margin: 0 0 .8rem; max-width: 44rem; }
.soft, small { color: var(--soft); }
small { font-size: .84rem; }
p > small { display: block; line-height: 1.5; }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; }
ul, ol { list-style: none; margin: 1.1rem 0 0; padding: 0; }
.tiles { display: grid; gap: .8rem; margin-top: 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.05rem; display: flex; flex-direction: column; }
.tile b { font-size: 1.7rem; font-weight: 640; line-height: 1.3; letter-spacing: -.02em; }
.promise { background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--strong); border-radius: 12px; padding: 1.2rem 1.4rem; }
.promise p:first-child { font-size: 1.12rem; line-height: 1.55; }
dl { display: grid; gap: .55rem 1.6rem; margin: 1rem 0 0;
  grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
dt { color: var(--soft); font-size: .84rem; } dd { margin: 0; }
.two { display: grid; gap: 2.4rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.two > * { min-width: 0; }
.bars { columns: 2; column-gap: 2.6rem; }
.row { display: grid; grid-template-columns: 1fr auto; gap: 0 .8rem; padding: .34rem 0;
  break-inside: avoid; line-height: 1.4; }
.row .bar { grid-column: 1 / -1; }
.slices .row { grid-template-columns: 13rem 1fr 1fr; gap: .2rem 1.6rem; padding: .7rem 0;
  border-top: 1px solid var(--line); align-items: center; }
.slices .row > * { min-width: 0; } .slices small { display: block; }
.bar { width: 100%; display: block; overflow: visible; margin-top: .15rem; }
.track { fill: var(--track); } .fill { fill: var(--fill); }
.span { stroke: var(--ink); stroke-width: 1.3; opacity: .75; }
.plot { width: 100%; max-width: 31rem; height: auto; display: block; margin-top: .8rem; }
.grid { stroke: var(--line); } .guide { stroke: var(--soft); stroke-dasharray: 4 4; }
.curve { fill: none; stroke: var(--strong); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--strong); stroke: var(--paper); stroke-width: 1.5; }
.hollow { fill: var(--paper); stroke: var(--strong); stroke-width: 2.2; }
.plot text { fill: var(--soft); font-size: 11.5px; }
.cards { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(18.5rem, 1fr)); }
.cards > li { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.05rem; break-inside: avoid; }
.plain > li { margin-bottom: .8rem; }
q { quotes: none; display: block; border-left: 2px solid var(--line); padding-left: .7rem;
  margin-top: .5rem; font-size: .94rem; }
.chip { display: inline-block; border-radius: 99px; padding: 0 .65rem; font-size: .8rem;
  line-height: 1.65; background: var(--track); color: var(--soft); white-space: nowrap; }
.chip.good { background: var(--good-bg); color: var(--good); }
.chip.bad { background: var(--bad-bg); color: var(--bad); }
footer { margin-top: 4rem; padding-top: 1.2rem; border-top: 1px solid var(--line);
  font-size: .86rem; color: var(--soft); }
@media (max-width: 46rem) { main { padding-top: 2rem; } section { margin-top: 2.6rem; }
  h1 { font-size: 1.6rem; } .bars { columns: 1; } .tiles { grid-template-columns: 1fr 1fr; }
  dl { grid-template-columns: 1fr 1fr; }
  .tile { padding: .7rem .8rem; } .tile b { font-size: 1.4rem; }
  .slices .row { grid-template-columns: 1fr; } .plot text { font-size: 13px; } }
@media print { :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000;
  --soft: #444; --line: #ccc; --track: #eee; --fill: #9aa9dd; --strong: #2b3f9e; --good: #0b5345;
  --good-bg: #fff; --bad: #8a251d; --bad-bg: #fff; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  section { margin-top: 1.6rem; } h2, h3 { break-after: avoid; } .plot { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def shell(title: str, body: str) -> str:
    """Return the whole page. It fetches nothing and runs nothing."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{CSS}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def text(value: object) -> str:
    """Return `value` as escaped text."""
    return escape(str(value))


def label(name: str) -> str:
    """Return an intent's name in plain words, escaped."""
    return "out of scope" if name == OOS else text(name.replace("_", " "))


def quote(message: str) -> str:
    """Return a message as a quotation on one line, escaped, cut when it is long."""
    flat = " ".join(message.split())
    return f"<q>{text(flat if len(flat) <= _MOST_CHARS else flat[:_MOST_CHARS] + '…')}</q>"


def percent(share: float) -> str:
    """Return a share in percent with one digit after the point."""
    return f"{100 * share:.1f} %"


def interval(share: Share) -> str:
    """Return the interval and the count of a share, small."""
    if not share.n:
        return "<small>no rows</small>"
    return f"<small>{100 * share.low:.0f} to {100 * share.high:.0f} %, n = {share.n}</small>"


def chip(words: str, kind: str = "") -> str:
    """Return a small mark; `kind` is `good`, `bad` or nothing."""
    return f'<span class="chip {kind}">{text(words)}</span>'


def section(title: str, how_to_read: str, *body: str) -> str:
    """Return a part of the page; `how_to_read` is trusted HTML of ours."""
    return f'<section><h2>{title}</h2><p class="soft">{how_to_read}</p>{"".join(body)}</section>'


def listing(items: Sequence[str], kind: str) -> str:
    """Return ready items as a list."""
    return f'<ul class="{kind}">{"".join(f"<li>{item}</li>" for item in items)}</ul>'
