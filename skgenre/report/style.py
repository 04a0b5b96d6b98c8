"""Style sheet of the page for light and dark mode, printing, and widths from 320 pixels."""

#: Content security policy that prevents scripts and requests, even if escaping failed.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --muted: #5b6675; --line: #dde2e9;
  --page: #ffffff; --panel: #f5f7fa; --accent: #0072b2; --on: #ffffff; --bad: #b3470a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --muted: #9aa5b4; --line: #343c48; --page: #14181e; --panel: #1d232b;
    --accent: #56b4e9; --on: #0c1116; --bad: #f0a06a; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --muted: #444; --line: #bbb; --page: #fff;
    --panel: #fff; --accent: #0072b2; --on: #fff; --bad: #8a3200; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .5rem 0 .9rem; max-width: 44rem; }
.lead { color: var(--muted); }
.note { color: var(--muted); font-size: .9rem; }
.warning { border-left: 4px solid var(--bad); background: var(--panel); padding: .7rem 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr));
  gap: .8rem; margin: 1.4rem 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; min-width: 0; overflow-wrap: anywhere; }
.card b { display: block; font-size: 1.7rem; line-height: 1.25; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.card span { display: block; color: var(--muted); font-size: .86rem; line-height: 1.35; }
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; vertical-align: top; }
th { font-weight: 600; color: var(--muted); font-size: .85rem; }
th:first-child, td:first-child { padding-left: 0; }
td.text, th.text { text-align: left; }
td.long { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; text-align: left; }
tr.worst td { color: var(--bad); font-weight: 600; }
.figures > .scroll { margin: 0; flex: 0 1 auto; max-width: 100%; min-width: 0; }
.figures { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem 1.5rem;
  margin: .8rem 0; }
figure { margin: 0; flex: 1 1 20rem; min-width: 0; max-width: 28.5rem; }
figcaption { color: var(--muted); font-size: .86rem; margin-top: .25rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit !important; }
.mistakes { list-style: none; padding: 0; margin: 1rem 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.mistakes li { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: .75rem .9rem; min-width: 0; break-inside: avoid; }
.mistakes p { margin: 0 0 .5rem; overflow-wrap: anywhere; line-height: 1.4; }
.path { color: var(--muted); font-size: .82rem; }
.timeline rect { fill: var(--accent); }
.timeline text { fill: var(--ink); font-size: 11px; }
.timeline text.on { fill: var(--on); }
@media screen and (prefers-color-scheme: dark) { .timeline text.mid { fill: var(--on); } }
details { margin: .8rem 0; }
summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--muted); font-size: .86rem; }
@media (max-width: 30rem) {
  main { padding: 1.4rem .9rem 3rem; }
  h1 { font-size: 1.5rem; }
  .cards { grid-template-columns: 1fr 1fr; }
  .card b { font-size: 1.35rem; }
  table { font-size: .86rem; }
  th, td { padding: .32rem .4rem; }
}
@media print {
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  body { font-size: 11pt; }
}
"""
