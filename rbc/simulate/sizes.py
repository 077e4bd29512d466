"""The sessions of each size of a simulated data set; part of the frozen table of world.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One session to be written. `labelled` is all, spans or none."""

    name: str
    minutes: float
    stamps: bool
    labelled: str
    annotators: int = 1
    unscored: tuple[str, ...] = ()

    @property
    def animal(self) -> str:
        return self.name.split("D")[0]


@dataclass(frozen=True)
class Size:
    sessions: tuple[Plan, ...]
    longest_median_s: float = 1000.0
    """Bout medians above it are cut: short sessions must show every behaviour."""
    evenness: float = 1.0
    """Weights of the bout process are raised to this power."""
    longest_lead_s: float = 1000.0
    span_min: tuple[float, float] = (2.5, 4.0)


_LARGE = tuple(
    Plan(
        f"{sex}{n}D{day}_{arena}", 10.0, (n + day) % 2 == 0,
        "all" if f"{sex}{n}" in ("F5", "M4", "F6", "M5", "M6") else ("none" if (n + day) % 3 == 0 else "spans"),
        2 if n % 5 == 0 else 1,
    )
    for sex in "FM" for n in range(1, 21) for day, arena in ((1 + n % 3, "indoor"), (5 + n % 2, "outdoor"))
)
SIZES = {
    "tiny": Size(
        (
            Plan("F1D1_indoor", 1.7, True, "spans"), Plan("F1D3_outdoor", 1.6, False, "spans", 2),
            Plan("F2D2_indoor", 1.6, False, "none"), Plan("M1D1_outdoor", 1.7, True, "spans", 1, ("aiming",)),
            Plan("F5D2_indoor", 1.7, False, "all"), Plan("F6D1_indoor", 1.7, True, "all", 2),
        ),
        longest_median_s=1.6, evenness=0.3, longest_lead_s=10.0, span_min=(1.2, 1.5),
    ),
    "default": Size(
        (
            Plan("F1D1_indoor", 6.0, True, "spans"), Plan("F1D4_outdoor", 5.0, False, "spans"),
            Plan("F2D2_indoor", 40.0, True, "spans"), Plan("F2D5_outdoor", 5.0, False, "none"),
            Plan("F3D1_indoor", 6.0, True, "spans", 1, ("aiming", "stand_up")),
            Plan("F3D5_outdoor", 5.0, False, "spans", 2), Plan("F4D3_indoor", 7.0, False, "spans"),
            Plan("M1D1_indoor", 5.0, True, "spans", 2), Plan("M1D2_outdoor", 4.0, True, "none"),
            Plan("M2D3_outdoor", 6.0, False, "spans", 1, ("turn_left", "turn_right")),
            Plan("M3D4_indoor", 8.0, True, "none"),
            Plan("F5D2_indoor", 8.0, True, "all", 2), Plan("F5D6_outdoor", 7.0, False, "all"),
            Plan("M4D3_outdoor", 8.0, True, "all"),
            Plan("F6D2_indoor", 7.0, False, "all", 2), Plan("F6D5_outdoor", 7.0, True, "all"),
            Plan("M5D1_indoor", 8.0, True, "all"), Plan("M6D4_outdoor", 8.0, False, "all"),
        ),
    ),
    "large": Size(_LARGE),
}
