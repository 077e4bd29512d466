"""Time and memory against the length of a session and the number of sessions, drawn."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.tiled import HOURS, SESSION_MINUTES


def growth_page(done: dict) -> str:
    """HTML of what `benchmarks.throughput` measured: seconds and MiB by hours of recording, seconds by sessions; time
    with a line through nothing and the longest."""
    names = sorted(done["seconds"], key=HOURS.get)
    length, several = [HOURS[name] for name in names], done["sessions_s"]
    panels = {  # title: (x, its title, y, its title)
        "time for one session": (length, "hours of recording", [done["seconds"][n] for n in names], "seconds"),
        "peak memory for one session": (length, "hours of recording", [done["memory_mib"][n] for n in names], "MiB"),
        "time for several sessions": ([int(n) for n in several], f"sessions of {SESSION_MINUTES} minutes",
                                      list(several.values()), "seconds"),
    }  # fmt: skip
    drawn = make_subplots(1, len(panels), subplot_titles=list(panels), horizontal_spacing=0.08)
    for column, (x, x_title, y, unit) in enumerate(panels.values(), start=1):
        drawn.add_trace(go.Scatter(x=x, y=y, mode="lines+markers", name="measured", line_color="#1f77b4",
                                   showlegend=column == 1), 1, column)
        if unit == "seconds":
            drawn.add_trace(go.Scatter(x=[0, x[-1]], y=[0, y[-1]], mode="lines", name="linear", line_color="#999",
                                       line_dash="dot", showlegend=column == 1), 1, column)
        drawn.update_xaxes(title_text=x_title, rangemode="tozero", row=1, col=column)
        drawn.update_yaxes(title_text=unit, rangemode="tozero", row=1, col=column)
    drawn.update_layout(template="plotly_white", width=1200, height=420, title=f"Deciding recordings: {done['device']}")
    return drawn.to_html(include_plotlyjs=True, div_id="growth")
