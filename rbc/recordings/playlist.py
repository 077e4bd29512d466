"""Where the times of a BORIS export lie in the session's video.

BORIS counts on over the media that a player shows one after the other (github.com/olivierfriard/BORIS, discussion 570)
and adds the observation's time offset; to find a moment in a file it takes both off again (boris/events_snapshots.py).
E events, Q media.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

SLACK_S = 0.5  # containers and trackers differ by a few frames in what they call the end


@dataclass(frozen=True)
class Playlist:
    offset_s: float = 0.0
    media_s: tuple[float, ...] = ()
    """(Q,) durations by BORIS of the media but for the last, in order …"""
    chapters_s: tuple[float, ...] = ()
    """… and of the session's chapters of video that they are."""

    def video_time(self, time_s: np.ndarray) -> np.ndarray:
        """(E,) s of video time at times of the export; a moment after a chapter's last frame is its end."""
        shown = np.asarray(time_s, float) - self.offset_s
        begins, places = (np.cumsum([0.0, *lengths]) for lengths in (self.media_s, self.chapters_s))
        at = np.clip(np.searchsorted(begins, shown, side="right") - 1, 0, None)
        return places[at] + np.minimum(shown - begins[at], np.array([*self.chapters_s, np.inf])[at])


def read_players(sources: Iterable[str]) -> dict[str, list[str]]:
    """Media of each player in order, of cells such as `player #1:a.mp4;b.mp4|player #2:side.mp4`."""
    queues: dict[str, list[str]] = {}
    for source in sources:
        player = ""
        for part in filter(None, map(str.strip, re.split("[;|]", source))):
            named = re.match(r"player #(\d+):(.*)", part, re.IGNORECASE)
            player, file = (named[1], named[2]) if named else (player, part)
            queues.setdefault(player, []).append(file.strip())
    return {player: list(dict.fromkeys(queue)) for player, queue in queues.items()}


def queue_problem(players: dict[str, list[str]], media: list[str], media_s: list[float],
                  chapters_s: tuple[float, ...]) -> str:
    """Why the media of an observation, with their durations, cannot be placed on the session's chapters of video; ''
    where they can."""
    if len(players) > 1:
        return f"{len(players)} players; needs one, whose media are the session's chapters of video"
    if [len(queue) for queue in players.values()] != [len(media)] or np.isfinite(media_s).sum() != len(media):
        return "needs one a file, or 'Source' and 'Media duration (s)' of each: times run on over all of them"
    if len(chapters_s) != len(media):
        return f"the session has {len(chapters_s)} chapters of video; needs as many, in the same order"
    for name, medium, chapter in zip(media, media_s, chapters_s, strict=True):
        if not abs(medium - chapter) <= SLACK_S:
            return f"{name} lasts {medium:g} s, its chapter of video {chapter:.2f} s; needs the same, in the same order"
    return ""
