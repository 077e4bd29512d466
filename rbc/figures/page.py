"""HTML pages that hold plotly.js, their data and a few lines of script: they open offline, and the same data give the
same bytes."""

import html
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
from plotly.offline import get_plotlyjs

STYLE = """
body { font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #222; margin: 14px 22px; }
h1 { font-size: 20px; margin: 0 0 2px; } p { margin: 2px 0; color: #555; max-width: 1150px; }
.bar { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; margin: 8px 0 2px; }
select { font: inherit; padding: 2px 4px; } b.state { font-weight: 600; }
"""


def page(title: str, notes: Sequence[str], controls: str, data: dict, script: str) -> str:
    """HTML text of one page: title, notes, a bar of controls and the plot `<div id="plot">`.

    `script` (JavaScript) finds `data` as the constant `DATA` and the global `Plotly`. `notes` are plain text,
    `controls` is HTML.
    """
    notes_html = "\n".join(f"<p>{html.escape(note)}</p>" for note in notes)
    # "</" would end the script element early
    payload = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
<script>{get_plotlyjs()}</script>
</head>
<body>
<h1>{html.escape(title)}</h1>
{notes_html}
<div class="bar">{controls}</div>
<div id="plot"></div>
<script>
const DATA = {payload};
{script}
</script>
</body>
</html>
"""


def defined(definitions: Mapping[str, str]) -> str:
    """HTML of the behaviours that have a definition, which shows where one points at the name; '' where none has."""
    names = [f'<abbr title="{html.escape(text)}">{html.escape(name)}</abbr>'
             for name, text in definitions.items() if text]  # fmt: skip
    return f"<span>what is meant (point at a name): {', '.join(names)}</span>" if names else ""


def rounded(values: np.ndarray, digits: int) -> list:
    """The values as nested lists of numbers with `digits` decimals (0: integers); None where not finite."""
    if np.ndim(values) > 1:
        return [rounded(row, digits) for row in values]
    number = round if digits else lambda value, _: int(round(value))
    return [number(value, digits) if math.isfinite(value) else None for value in np.asarray(values, "f8").tolist()]


def clock_text(time_s: float) -> str:
    """Time as minutes and seconds, `m:ss.s`."""
    tenths = round(time_s * 10)
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 600}:{abs(tenths) % 600 / 10:04.1f}"
