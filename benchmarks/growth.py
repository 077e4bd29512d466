"""Time and memory against the length of a session and the number of sessions, drawn."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

HOURS = {"10min": 1 / 6, "1h": 1.0, "4h": 4.0, "24h": 24.0}
TITLES = "time for one session", "peak memory for one session", "time for several sessions"


def growth_page(done: dict) -> str:
    """HTML of what `benchmarks.throughput` measured: seconds and MiB by hours of recording, seconds by sessions; time
    with a line through nothing and the longest."""
    hours = sorted((HOURS[name], name) for name in done["seconds"])
    length, sessions = [h for h, _ in hours], [int(n) for n in done["sessions_s"]]
    seconds = [done["seconds"][name] for _, name in hours]
    memory, several = [done["memory_mib"][name] for _, name in hours], list(done["sessions_s"].values())
    drawn = make_subplots(1, 3, subplot_titles=TITLES, horizontal_spacing=0.08)
    for column, (x, y) in enumerate(((length, seconds), (length, memory), (sessions, several)), start=1):
        drawn.add_trace(go.Scatter(x=x, y=y, mode="lines+markers", name="measured", line_color="#1f77b4",
                                   showlegend=column == 1), 1, column)
        if y is not memory:
            drawn.add_trace(go.Scatter(x=[0, x[-1]], y=[0, y[-1]], mode="lines", name="linear", line_color="#999",
                                       line_dash="dot", showlegend=column == 1), 1, column)
    for column, title in enumerate(("hours of recording", "hours of recording", "sessions of 4.5 minutes"), start=1):
        drawn.update_xaxes(title_text=title, rangemode="tozero", row=1, col=column)
        drawn.update_yaxes(title_text="MiB" if column == 2 else "seconds", rangemode="tozero", row=1, col=column)
    drawn.update_layout(template="plotly_white", width=1200, height=420, title=f"Deciding recordings: {done['device']}")
    return drawn.to_html(include_plotlyjs=True, div_id="growth")
