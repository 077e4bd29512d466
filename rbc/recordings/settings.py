"""What align_data is told; one for all sessions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    behaviours: tuple[str, ...]
    keypoints: tuple[str, ...]
    rate_hz: float
    min_likelihood: float
    max_gap_s: float
    min_clock_correlation: float
    body_axis: tuple[str, str]
    head_axis: tuple[str, str]
