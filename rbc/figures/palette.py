"""One colour per behaviour, the same in every figure.

The twelve behaviours of the built-in world keep theirs whatever else is shown. The twelve stay apart (OKLab distance
above 0.09) for normal sight, deuteranopia and protanopia; twenty stay apart for normal sight. Greys are left to frames
without one behaviour.
"""

from collections.abc import Sequence

KNOWN = {
    "walk": "#066fae", "jump": "#e00000", "aiming": "#e47311", "scratch": "#620c52", "rearing": "#11a273",
    "stand_up": "#97f54f", "still": "#492ea0", "eating": "#d6b40e", "grooming": "#f56dad", "local_search": "#4bafe6",
    "turn_left": "#9b2e4e", "turn_right": "#9748f5",
}
SPARE = ("#3dddc6", "#7a6b01", "#f59a8c", "#064b27", "#c026a8", "#f5cb8e", "#212432", "#ad6350")
SEVERAL, NONE, NOT_SCORED = "#555555", "#9a9a9a", "#d4d4d4"


def palette(behaviours: Sequence[str]) -> dict[str, str]:
    """Colour (#rrggbb) of each behaviour, by name, in the order given.

    Unknown names take the spare colours in alphabetical order, then those of known behaviours that are absent, then
    lighter shades: the same set of names gives the same colours in any order.
    """
    unknown = sorted(set(behaviours) - set(KNOWN))
    free = [*SPARE, *(colour for name, colour in KNOWN.items() if name not in behaviours)]
    lighter = [1 - 0.6**k for k in range(1 + len(unknown) // max(1, len(free)))]
    shades = [blend(colour, "#ffffff", share) for share in lighter for colour in free]
    colours = KNOWN | dict(zip(unknown, shades))
    return {name: colours[name] for name in behaviours}


def blend(colour: str, other: str, share: float) -> str:
    """Colour that lies `share` (0 to 1) of the way from `colour` to `other`, all #rrggbb."""
    channels = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)
