/** The one stylesheet: system fonts, light and dark, readable on a phone. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --ground: #f6f7fb; --surface: #fff; --text: #1b1f2a; --muted: #59607a; --line: #dfe3ee;
  --accent: #4338ca; --on-accent: #fff; --tint: #eef0ff; --code: #f1f3f9;
  --bad: #b42318; --bad-tint: #fef1f0; --good: #0b6b43; --good-tint: #ebf8f1;
}
.op { --accent: #0f766e; --tint: #e8f6f4; }
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12141c; --surface: #1b1e29; --text: #e9ebf3; --muted: #a5acc4; --line: #323747;
    --accent: #a5b0ff; --on-accent: #15182a; --tint: #25294a; --code: #141722;
    --bad: #ff9d92; --bad-tint: #3a1f1e; --good: #7edcae; --good-tint: #17332a;
  }
  .op { --accent: #5fd3c6; --on-accent: #0c211f; --tint: #17322f; }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
header { background: var(--surface); border-bottom: 1px solid var(--line); border-top: 4px solid var(--accent); }
header div, main, footer p { width: 100%; max-width: 46rem; margin: 0 auto; padding: 0 1.25rem; }
header div { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; min-height: 3.75rem; padding-block: .5rem; }
nav { display: flex; gap: .75rem; align-items: center; margin-left: auto; }
main { flex: 1; padding-block: 2rem 3rem; }
footer { border-top: 1px solid var(--line); color: var(--muted); font-size: .875rem; }
footer p { padding-block: 1rem; margin: 0 auto; }
.op :is(header div, main, footer p) { max-width: 30rem; }

.brand { display: inline-flex; align-items: center; gap: .6rem; color: var(--text); font-weight: 650; text-decoration: none; }
.mark { display: inline-grid; place-items: center; min-width: 2rem; height: 2rem; padding: 0 .4rem; border-radius: .5rem; background: var(--accent); color: var(--on-accent); font-size: .95rem; }
h1 { font-size: clamp(1.6rem, 5vw, 2.1rem); line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .75rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; color: var(--muted); }
h1, h2 { text-wrap: balance; }
p { margin: 0 0 1rem; }
.lead { font-size: 1.1rem; color: var(--muted); }
.muted { color: var(--muted); font-size: .9rem; }
a { color: var(--accent); }
a, button, input, summary { border-radius: .5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

.card { background: var(--surface); border: 1px solid var(--line); border-radius: .9rem; padding: 1.5rem; margin: 0 0 1.25rem; box-shadow: 0 1px 2px rgb(0 0 0 / .05); }
.card > :last-child { margin-bottom: 0; }
.note { border-radius: .7rem; padding: .75rem 1rem; margin: 0 0 1.25rem; border: 1px solid; }
.note.good { color: var(--good); background: var(--good-tint); }
.note.bad { color: var(--bad); background: var(--bad-tint); }

button, .button {
  display: inline-block; font: inherit; font-weight: 600; line-height: 1.3; text-align: center; text-decoration: none;
  padding: .7rem 1.25rem; border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); cursor: pointer;
}
button:hover, .button:hover { filter: brightness(1.1); }
button.quiet, .button.quiet { background: transparent; color: var(--accent); border-color: var(--line); }
button.quiet:hover, .button.quiet:hover { filter: none; border-color: var(--accent); background: var(--tint); }
nav button, nav .button { padding: .45rem .9rem; font-size: .925rem; }
nav form { margin: 0; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
.actions form { margin: 0; }
form + .actions { margin-top: 0; }
.actions.intro { margin-bottom: 2rem; }

label { display: block; font-weight: 600; margin-bottom: .3rem; }
input { width: 100%; font: inherit; padding: .65rem .8rem; margin-bottom: 1rem; color: inherit; background: var(--ground); border: 1px solid var(--muted); }
input[aria-invalid] { border-color: var(--bad); }
.error { color: var(--bad); font-weight: 600; }

ol, ul { padding-left: 1.3rem; margin: 0 0 1rem; }
li { margin-bottom: .6rem; }
li:last-child { margin-bottom: 0; }
li::marker { color: var(--accent); font-weight: 700; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
code { background: var(--code); padding: .1em .35em; border-radius: .3em; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem; margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { padding: 0; background: none; }
table { width: 100%; border-collapse: collapse; margin: 0 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .55rem 0; border-top: 1px solid var(--line); }
th { width: 13rem; padding-right: 1rem; font-weight: 600; }
td { overflow-wrap: anywhere; white-space: pre-wrap; }
tbody tr:first-child > * { border-top: 0; }
thead th { font-size: .875rem; color: var(--muted); font-weight: 600; border: 0; padding-top: 0; }
@media (max-width: 34rem) {
  main { padding-block: 1.5rem 2rem; }
  .card { padding: 1.15rem; }
  .claims tr, .claims th, .claims td { display: block; width: auto; }
  .claims th { padding-bottom: 0; color: var(--muted); font-size: .875rem; }
  .claims td { border: 0; padding-top: 0; }
}
`
