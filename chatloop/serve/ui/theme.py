"""How the page looks: one Gradio theme and one CSS string, system fonts, light and dark.

Nothing is fetched: no web font, no icon set. Colours are variables with a value for each mode.
"""

from __future__ import annotations

import gradio as gr

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Return Gradio's Soft theme in calm colours with fonts of the system."""
    made: gr.themes.Base = gr.themes.Soft(
        primary_hue="indigo",
        secondary_hue="indigo",
        neutral_hue="slate",
        radius_size="lg",
        font=[gr.themes.Font(name) for name in _FONTS],
        font_mono=[gr.themes.Font(name) for name in _MONO],
    ).set(
        block_label_background_fill="transparent",
        block_title_background_fill="transparent",
        block_title_background_fill_dark="transparent",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_title_padding="0",
        block_shadow="none",
        block_shadow_dark="none",
        button_secondary_shadow="none",
        body_background_fill="#f7f8fb",
        body_background_fill_dark="#0f1520",
    )
    return made


# The icon of the browser's tab, inline, so that nothing is asked for.
HEAD = (
    '<link rel="icon" href="data:image/svg+xml,'
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Cpath d='M4 6a4 4 0 0 1 4-4h16a4 4 0 0 1 4 4v13a4 4 0 0 1-4 4H13l-7 7v-7.5A4 4 0 0 1 4 19z'"
    " fill='%234f6bed'/%3E%3C/svg%3E"
    '">'
)


CSS = """
:root {
  --cl-ink: #1d2433; --cl-soft: #5b6579; --cl-line: #dfe3ec; --cl-card: #ffffff;
  --cl-good: #0b7a6b; --cl-good-bg: #e3f5f1; --cl-blue: #3949c6; --cl-blue-bg: #e9ecfd;
  --cl-warn: #97500b; --cl-warn-bg: #fdf0df; --cl-bad: #b42334; --cl-bad-bg: #fdebed;
  --cl-grey-bg: #eef1f6;
}
.dark {
  --cl-ink: #e8ecf5; --cl-soft: #a6b0c3; --cl-line: #333d50; --cl-card: #1a2233;
  --cl-good: #5cd6c2; --cl-good-bg: #12352f; --cl-blue: #aab6ff; --cl-blue-bg: #232c55;
  --cl-warn: #f2b56d; --cl-warn-bg: #3d2a12; --cl-bad: #ff9aa6; --cl-bad-bg: #431a22;
  --cl-grey-bg: #273043;
}
.gradio-container { color: var(--cl-ink); }
.gradio-container .fillable { padding: 0 !important; }
.gradio-container main.contain { width: 100%; max-width: 1168px; margin: 0 auto !important;
  padding: 22px 24px 40px; box-sizing: border-box; }
.gradio-container .html-container { padding: 0 !important; }
.cl-top { align-items: baseline !important; justify-content: space-between; gap: 4px 24px; }
.cl-top > * { flex: 0 1 auto !important; width: auto !important; min-width: 0 !important; }
.cl-head h1 { font-size: 1.4rem; font-weight: 680; letter-spacing: -0.01em; margin: 0; }

.cl-status { display: flex; align-items: center; gap: 9px; color: var(--cl-soft);
  font-size: .9rem; line-height: 1.45; min-height: 1.5em; }
.cl-status i { flex: none; width: 9px; height: 9px; border-radius: 50%;
  background: var(--cl-soft); }
.cl-status i.good { background: #17a68f; } .cl-status i.away { background: #e08a2b; }
.cl-status i.bad { background: #d93a4c; }
.cl-status code, .cl-notice code { font-size: .92em; padding: 1px 5px; border-radius: 5px;
  background: var(--cl-grey-bg); color: inherit; }

#tab-chat > .column { max-width: 820px; margin: 0 auto; width: 100%; gap: 12px; }
#chat { border: 1px solid var(--cl-line) !important; border-radius: 16px;
  background: var(--cl-card); }
#chat .bubble-wrap { background: transparent; }
#chat .placeholder-content { justify-content: center; height: 100%; }
#chat .placeholder { flex: none; height: auto; padding: 8px 16px 0; text-align: center; }
#chat .message-wrap { padding-top: 34px; }
#chat .message .prose { opacity: 1; }
#chat .placeholder p { color: var(--cl-soft); }
#chat .examples { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; width: 100%;
  max-width: 640px; margin: 0 auto; padding: 16px; box-sizing: border-box; }
#chat .example { padding: 12px 16px; border: 1px solid var(--cl-line); border-radius: 12px;
  background: transparent; min-height: 0; width: 100%; text-align: left; }
#chat .example:hover, #chat .example:focus-visible { background: var(--cl-blue-bg);
  border-color: var(--cl-blue); }
#chat .example-content, #chat .example-text-content { padding: 0; margin: 0; }
#chat .example-text { font-size: .93rem; color: var(--cl-ink); }
#chat .bot.message, #chat .user.message { padding: 13px 17px; border-radius: 14px;
  box-shadow: none; }
#chat .bot.message { background: var(--cl-grey-bg); border: 0; }
#chat .user.message { background: var(--cl-blue-bg); border: 0; }
#chat .message, #chat .message p, #chat .message li { color: var(--cl-ink); }
#chat .message p:last-of-type { margin-bottom: 0; }
#chat .bot .cl-chip { background: var(--cl-card); }
#chat .bot .cl-chip.approved { background: var(--cl-good-bg); }
#chat .bot .cl-chip.llm { background: var(--cl-blue-bg); }
#chat .bot .cl-chip.away, #chat .bot .cl-chip.masked { background: var(--cl-warn-bg); }
#chat .message { font-size: 1rem; line-height: 1.6; overflow-wrap: anywhere; }
.cl-badge { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 12px; }
.cl-chip { display: inline-block; padding: 1px 9px; border-radius: 999px; font-size: .78rem;
  line-height: 1.6; background: var(--cl-grey-bg); color: var(--cl-soft); }
.cl-chip.approved { background: var(--cl-good-bg); color: var(--cl-good); }
.cl-chip.llm { background: var(--cl-blue-bg); color: var(--cl-blue); }
.cl-chip.away, .cl-chip.masked { background: var(--cl-warn-bg); color: var(--cl-warn); }
.cl-sources { margin-top: 10px; font-size: .88rem; color: var(--cl-soft); }
.cl-sources a { color: var(--cl-blue) !important; text-decoration: underline;
  text-underline-offset: 2px; }
.cl-person { display: inline-flex; flex-direction: column; margin-top: 12px; padding: 10px 14px;
  border: 1px solid var(--cl-line); border-left: 3px solid var(--cl-good); border-radius: 10px;
  background: var(--cl-card); color: var(--cl-ink); font-size: .93rem; line-height: 1.5; }
.cl-person b { color: inherit; } .cl-person small { color: var(--cl-soft); }
.gradio-container:has(#stop) #chat .top-panel { display: none; }
.cl-typing { color: var(--cl-soft); animation: cl-breathe 1.4s ease-in-out infinite; }
@keyframes cl-breathe { 50% { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .cl-typing { animation: none; } }
.cl-fine, .cl-fine p { font-size: .85rem; color: var(--cl-soft); margin: 0; }
.cl-suggestions { gap: 8px !important; flex-wrap: wrap; }
.cl-suggestions:not(:has(button:not(.hidden))) { display: none; }
.cl-suggestions button { flex: 0 1 auto !important; width: auto; border-radius: 999px;
  font-weight: 500; font-size: .92rem; white-space: normal; text-align: left; padding: 8px 16px;
  min-height: 40px; background: var(--cl-card); border: 1px solid var(--cl-blue);
  color: var(--cl-blue); }
.cl-suggestions button:hover { background: var(--cl-blue-bg); }
.cl-ask { gap: 10px !important; flex-wrap: nowrap !important; align-items: stretch; }
.cl-ask #stop { background: var(--cl-bad-bg) !important; color: var(--cl-bad) !important;
  border: 1px solid var(--cl-bad) !important; box-shadow: none; }
.cl-ask textarea { font-size: 1rem; border: 1px solid var(--cl-line) !important;
  border-radius: 12px; padding: 12px 14px; background: var(--cl-card); color: var(--cl-ink); }
button.secondary:hover { background: var(--cl-blue-bg) !important;
  color: var(--cl-ink) !important; }
button.secondary, button.stop { border: 1px solid var(--cl-line) !important; }
#label .wrap:has(input), .gr-accordion textarea { border: 1px solid var(--cl-line) !important;
  border-radius: 10px; }
.cl-plot { border: 1px solid var(--cl-line) !important; border-radius: 14px !important;
  background: var(--cl-card) !important; }
.gr-accordion { border: 1px solid var(--cl-line) !important; border-radius: 14px !important;
  background: var(--cl-card) !important; }

.cl-why { margin-top: 14px; color: var(--cl-ink); }
.cl-why small { color: var(--cl-soft); font-size: .76rem; margin-left: 3px; }
.cl-why span small { color: inherit; opacity: .85; }
.cl-why div { line-height: 2; } .cl-why span { padding: 2px 5px; border-radius: 6px; }
.cl-why .for { background: rgba(18, 165, 148, calc(.08 + .42 * var(--cl-strength))); }
.cl-why .against { background: rgba(217, 58, 76, calc(.08 + .42 * var(--cl-strength))); }

.cl-bar button { white-space: nowrap; }
.cl-bar { align-items: center; gap: 12px; }
.cl-tiles { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(138px, 1fr)); }
.cl-tile { display: flex; flex-direction: column; gap: 2px; padding: 14px 15px;
  border: 1px solid var(--cl-line); border-radius: 14px; background: var(--cl-card); }
.cl-tile span { font-size: .82rem; white-space: nowrap; color: var(--cl-soft); }
.cl-tile b { font-size: 1.65rem; font-weight: 660; line-height: 1.25; color: var(--cl-ink);
  font-variant-numeric: tabular-nums; }
.cl-tile small { font-size: .78rem; color: var(--cl-soft); min-height: 1.2em; }

.cl-table { overflow-x: auto; border: 1px solid var(--cl-line); border-radius: 14px;
  background: var(--cl-card); }
.cl-table table { width: 100%; border-collapse: collapse; font-size: .93rem; margin: 0;
  border: 0 !important; color: var(--cl-ink); }
.cl-table tr { border: 0 !important; background: transparent !important; }
.cl-table th, .cl-table td { text-align: left; padding: 11px 16px; white-space: nowrap;
  border: 0 !important;
  border-bottom: 1px solid var(--cl-line) !important; font-variant-numeric: tabular-nums; }
.cl-table th { font-weight: 560; font-size: .82rem; color: var(--cl-soft); }
.cl-table tbody tr:last-child td { border-bottom: 0 !important; }
.cl-table td small { color: var(--cl-soft); margin-left: 6px; }

.cl-notice { padding: 14px 18px; border-radius: 14px; line-height: 1.55; font-size: .95rem;
  background: var(--cl-grey-bg); color: var(--cl-ink); }
.cl-notice.good { background: var(--cl-good-bg); } .cl-notice.bad { background: var(--cl-bad-bg); }
.cl-notice b { color: inherit; } .cl-notice p { margin: 4px 0 0; color: inherit; }
.cl-share { float: right; font-variant-numeric: tabular-nums; }
.cl-progress { height: 8px; border-radius: 4px; margin-top: 10px; overflow: hidden;
  background: var(--cl-line); }
.cl-progress i { display: block; height: 100%; border-radius: 4px; background: #4f6bed;
  transition: width .4s; }
.cl-check { display: flex; gap: 10px; margin-top: 10px; }
.cl-check i { flex: none; font-style: normal; font-weight: 700; width: 1.1em; }
.cl-check.pass i { color: var(--cl-good); } .cl-check.fail i { color: var(--cl-bad); }
.cl-confirm { padding: 16px 18px; gap: 10px; border: 1px solid var(--cl-line);
  border-radius: 14px; background: var(--cl-card); }
.cl-confirm button { flex: 0 0 auto !important; width: auto; padding: 8px 16px; }

@media (max-width: 640px) {
  .gradio-container main.contain { padding: 14px 12px 28px; }
  #tab-chat:has(.cl-suggestions button:not(.hidden)) #chat {
    height: clamp(260px, calc(100dvh - 490px), 720px) !important; }
  #chat .examples { grid-template-columns: 1fr; gap: 8px; padding: 8px 12px; }
  #chat .example { padding: 9px 14px; }
  .cl-table thead { display: none; }
  .cl-table tr { display: block; padding: 10px 14px;
    border-bottom: 1px solid var(--cl-line) !important; }
  .cl-table td { display: flex; justify-content: space-between; align-items: center; gap: 10px;
    padding: 3px 0; border: 0 !important; }
  .cl-table td:not(:first-child)::before { content: attr(data-name); color: var(--cl-soft);
    font-size: .85rem; margin-right: auto; }
  #chat .placeholder h3 { margin-top: 4px; }
  .cl-tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
  .cl-tile { padding: 12px 14px; } .cl-tile b { font-size: 1.35rem; }
}
"""
