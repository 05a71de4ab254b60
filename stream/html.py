"""The frame of a self-contained HTML page: no script, nothing loaded from anywhere."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8884; --authentic: #1b7f5c; --suspicious: #b7791f; --manipulated: #c1352b;
  --uncertain: #6b7280; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid var(--line); }
figure { display: inline-block; margin: .5rem .5rem .5rem 0; }
figcaption, .note { font-size: .85rem; opacity: .8; }
img, svg { max-width: 100%; height: auto; }
code { font-size: .85rem; overflow-wrap: anywhere; }
.verdict { font-size: 1.4rem; font-weight: 700; }
.authentic { color: var(--authentic); } .suspicious { color: var(--suspicious); }
.manipulated { color: var(--manipulated); } .uncertain { color: var(--uncertain); }
@media print {
  @page { margin: 16mm 14mm; }
  :root { color-scheme: light; }
  body { max-width: none; margin: 0; font-size: 11pt; }
  table { display: table; }
  figure, tr, svg { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; }
}
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, body: str) -> str:
    """A whole page around `body`, which must be escaped already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
