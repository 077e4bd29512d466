"""Events of Caltech Behavior Annotator text: streams S1, S2, … of start frame, end frame (from 1), type."""

import re
from pathlib import Path

from rbc.recordings.boris import Event

NOTHING = "base"  # the tool's word for no behaviour


def read(path: Path, lines: list[str], rate_hz: float) -> tuple[list[Event], list[str], list[str]]:
    """Bouts of all streams in s of video time, what is wrong with the file, and the behaviours it is configured for."""
    problems, bouts, configured, section = [], [], [], ""
    if not rate_hz > 0:
        problems.append(f"{path}: counts frames, but pose_rate_hz is empty; needs frames per second")
        rate_hz = 1.0
    for line, text in enumerate(lines, start=1):
        fields = text.split(None, 2)
        if text.strip() == "Configuration file:":
            section = "configuration"
        elif re.match(r"S\d+:", text.strip()):
            section = "stream"
        elif not fields or set(text.strip()) == {"-"} or not section:
            continue
        elif section == "configuration":
            configured.append(" ".join(text.split()[:-1]) or fields[0])
        elif len(fields) < 3 or not all(re.fullmatch(r"\d{1,12}", frame) for frame in fields[:2]):
            problems.append(f"{path}: line {line}: {text.strip()!r}; needs start frame, end frame, behaviour")
        elif not 1 <= int(fields[0]) <= int(fields[1]):
            problems.append(f"{path}: line {line}: frames {fields[0]} to {fields[1]}; needs 1 <= start <= end")
        elif fields[2].strip() != NOTHING:
            bouts.append((fields[2].strip(), (int(fields[0]) - 1) / rate_hz, int(fields[1]) / rate_hz, line))
    if section != "stream":
        problems.append(f"{path}: missing stream 'S1:' with start, end and type")
    return bouts, problems, [name for name in configured if name != NOTHING]
