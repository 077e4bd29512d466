"""The movement of every behaviour, as increments on the posture while a bout lasts.

A posture is a dict of arrays (n,) at SIM_RATE_HZ: rates vx, vy m/s and yaw rad/s; lift, surge, bob, steps in m; angles
in rad; held, leg_* between 0 and 1. A movement sees its own piece `p` of them (views), the time `u` since the
bout began (s) and the smooth weight `w` of the bout, 0 to 1, and adds to the views.
"""

import numpy as np

from rbc.simulate.behaviour import Bout
from rbc.simulate.rat import DEG, MM, Rat, bump, smooth_step
from rbc.simulate.world import GRAVITY, MOTION


def _sniff(p: dict, w: np.ndarray, u: np.ndarray, rat: Rat, strength: float = 1.0) -> None:
    phase, size = rat.rhythm("local_search", "sniff", u), strength * rat.deg("local_search", "sniff_deg")
    p["head_pitch"] += w * size * np.sin(phase)
    p["bob"] += w * 0.25 * MM * strength * np.cos(phase)


def _pace(p: dict, w: np.ndarray, phase: np.ndarray, step: float) -> None:
    """Diagonal pairs of feet step together."""
    for name, shift in (("paw_left", 0.0), ("hind_right", 0.3), ("paw_right", np.pi), ("hind_left", np.pi + 0.3)):
        p[name] += w * step * np.sin(phase + shift)


def walk(p, u, w, bout: Bout, rat: Rat) -> None:
    # faster means more strides: 7 cm/s walks at 2 Hz, 32 cm/s at 4 Hz, beyond that the rat gallops
    low, high = MOTION["walk"]["stride"]
    rate = np.clip(low + (bout.speed - 0.07) / 0.25 * (high - low) + 0.25 * rat.rng.standard_normal(), low, high)
    gallop = bout.speed > 0.38
    rate = rat.draw("walk", "fast_stride") if gallop else rate
    phase = rat.phase(rate * rat.tempo, u)
    vigour = 0.6 + 0.4 * np.clip(bout.speed / 0.2, 0.0, 1.5)
    beat = phase if gallop else 2 * phase
    bob = vigour * rat.mm("walk", "bob")
    p["lift"] += w * bob * (np.sin(beat) + 0.18 * np.sin(2 * beat + 0.7) + 0.06 * np.sin(3 * beat + 2.0))
    p["surge"] += w * vigour * rat.mm("walk", "surge") * np.cos(beat)
    p["roll"] += w * vigour * rat.deg("walk", "roll") * np.sin(phase + 0.4)
    p["bend"] += w * vigour * rat.deg("walk", "yaw") * np.sin(phase)
    head = rat.deg("walk", "head") * vigour
    p["head_pitch"] += w * (rat.deg("walk", "head_pitch") + head * np.sin(beat + 1.0))
    p["head_yaw"] += w * 0.7 * head * np.sin(phase + 2.5)
    p["tail"] += w * 6 * DEG * np.sin(phase)
    _pace(p, w, phase, rat.mm("walk", "step") * min(vigour, 1.2))
    if bout.flag:
        _sniff(p, w, u, rat, 0.7)


def local_search(p, u, w, bout: Bout, rat: Rat) -> None:
    _sniff(p, w, u, rat)
    scan = sum(np.sin(rat.rhythm("local_search", "scan", u)) for _ in range(2)) / 1.4
    p["head_yaw"] += w * rat.deg("local_search", "scan_deg") * scan
    p["bend"] += w * 0.15 * scan
    if bout.flag:  # on the hind legs the nose goes where it likes
        p["head_pitch"] += w * 10 * DEG * np.sin(rat.rhythm("local_search", "scan", u))
        return
    dip = rat.deg("local_search", "head_pitch")
    p["head_pitch"] += w * (dip + 5 * DEG * np.sin(rat.rhythm("local_search", "scan", u)))
    p["pitch"] -= w * 3 * DEG
    phase = rat.rhythm("local_search", "stride", u)
    p["lift"] += w * rat.mm("local_search", "bob") * np.sin(2 * phase)
    p["roll"] += w * 1.5 * DEG * np.sin(phase)
    _pace(p, w * (0.5 + 0.5 * np.sin(0.35 * phase)), phase, rat.mm("local_search", "step"))


def rearing(p, u, w, bout: Bout, rat: Rat) -> None:
    top = min(1.0, 0.55 + 0.5 * bout.length) * rat.deg("rearing", "pitch")
    # up in about 0.4 s and down in about 0.4 s, however long it stays
    rise = min(0.45, 0.45 * bout.length)
    hold = smooth_step(u / rise) * smooth_step((bout.length - u) / rise)
    p["pitch"] += hold * top
    p["lift"] += hold * rat.mm("rearing", "lift")
    p["head_pitch"] += hold * (rat.deg("rearing", "head_pitch") - 0.3 * top)
    sway = rat.rhythm("rearing", "sway", u)
    p["pitch"] += hold * rat.deg("rearing", "sway_deg") * np.sin(sway)
    p["roll"] += hold * rat.deg("rearing", "sway_deg") * np.sin(0.8 * sway + 1.0)
    p["head_yaw"] += hold * 8 * DEG * np.sin(rat.phase(0.5, u))
    p["held"] += hold * 0.9


def stand_up(p, u, w, bout: Bout, rat: Rat) -> None:
    up = smooth_step(u / (0.45 * bout.length)) * smooth_step((bout.length - u) / (0.5 * bout.length))
    p["pitch"] += up * rat.deg("stand_up", "pitch")
    p["lift"] += up * rat.mm("stand_up", "lift")
    p["head_pitch"] += up * (rat.deg("stand_up", "head_pitch") - 10 * DEG)
    p["held"] += up * 0.8


def still(p, u, w, bout: Bout, rat: Rat) -> None:
    breath = rat.rhythm("still", "breath", u)
    p["pitch"] += w * rat.deg("still", "breath_deg") * np.sin(breath)
    p["bob"] += w * rat.mm("still", "breath_mm") * np.sin(breath + 0.5)
    sink = smooth_step(u / 3.0) * w
    p["lift"] += sink * rat.mm("still", "lift")
    p["head_pitch"] += sink * rat.deg("still", "head_pitch")
    if rat.rng.random() < 0.25:  # some sit and sniff
        _sniff(p, w, u, rat, 0.35)


def aiming(p, u, w, bout: Bout, rat: Rat) -> None:
    bob = rat.rhythm("aiming", "bob", u)
    p["head_pitch"] += w * (rat.deg("aiming", "head_pitch") + rat.deg("aiming", "bob_deg") * np.sin(bob))
    p["bob"] += w * 1.5 * MM * np.sin(bob)
    p["pitch"] += w * rat.deg("aiming", "crouch")
    p["surge"] -= w * rat.mm("aiming", "back")
    p["head_yaw"] += w * rat.deg("aiming", "yaw")


def scratch(p, u, w, bout: Bout, rat: Rat) -> None:
    side, phase = rat.side(), rat.rhythm("scratch", "rate", u)
    # a scratch is a train of volleys with short rests
    volley = w * (0.55 + 0.45 * np.tanh(3.0 * (np.sin(rat.phase(0.8, u)) + 0.4)))
    p["roll"] += w * side * rat.deg("scratch", "roll")
    p["head_yaw"] += w * side * rat.deg("scratch", "head_yaw")
    p["head_roll"] += w * side * rat.deg("scratch", "head_roll")
    p["bend"] += w * side * 14 * DEG
    shake = rat.deg("scratch", "shake_deg")
    p["head_roll"] += volley * shake * np.sin(phase)
    p["head_pitch"] += volley * 0.5 * shake * np.sin(phase + 0.8)
    p["roll"] += volley * 0.6 * shake * np.sin(phase + 0.5)
    p["bob"] += volley * 0.8 * MM * np.sin(phase + 1.1)
    p["leg_left" if side > 0 else "leg_right"] += w
    p["leg_shake"] += volley * rat.mm("scratch", "leg") * np.sin(phase)


def eating(p, u, w, bout: Bout, rat: Rat) -> None:
    sit = smooth_step(u / 0.5) * smooth_step((bout.length - u) / 0.5)
    p["pitch"] += sit * rat.deg("eating", "pitch")
    p["lift"] -= sit * 6 * MM
    p["head_pitch"] += sit * rat.deg("eating", "head_pitch")
    p["held"] += sit
    chew = rat.rhythm("eating", "chew", u)
    # chewing pauses while the rat turns the food
    chewing = w * (0.6 + 0.4 * np.tanh(3.0 * (np.sin(rat.phase(0.35, u)) + 0.5)))
    size = rat.deg("eating", "chew_deg")
    p["head_pitch"] += chewing * size * (np.sin(chew) + 0.3 * np.sin(2 * chew + 0.4))
    p["bob"] += chewing * 0.4 * MM * np.sin(chew + 0.9)
    bite = np.maximum(np.sin(rat.rhythm("eating", "bite", u)), 0.0) ** 6
    p["head_pitch"] -= w * rat.deg("eating", "bite_deg") * bite
    p["stroke"] += w * 3 * MM * np.sin(rat.phase(1.2, u))


def grooming(p, u, w, bout: Bout, rat: Rat) -> None:
    sit = smooth_step(u / 0.5) * smooth_step((bout.length - u) / 0.5)
    p["pitch"] += sit * rat.deg("grooming", "pitch")
    p["lift"] -= sit * 5 * MM
    p["head_pitch"] += sit * 0.6 * rat.deg("grooming", "head_pitch")
    begin, face = 0.0, True  # paws and face first, then the body, in turns
    while begin < bout.length:
        length = min(rat.draw("grooming", "phase"), bout.length - begin)
        part = smooth_step((u - begin) / 0.25 + 0.5) * smooth_step((begin + length - u) / 0.25 + 0.5) * w
        if face:
            phase, size = rat.rhythm("grooming", "stroke", u), rat.deg("grooming", "stroke_deg")
            p["head_pitch"] += part * (size * np.sin(phase) - 8 * DEG)
            p["head_roll"] += part * 0.4 * size * np.sin(0.5 * phase)
            p["bob"] += part * 0.8 * MM * np.sin(phase + 0.6)
            p["pitch"] += part * 0.12 * size * np.sin(phase + 1.0)
            p["held"] += part
            p["stroke"] += part * 12 * MM * np.sin(phase)
        else:
            side, phase, size = rat.side(), rat.rhythm("grooming", "lick", u), rat.deg("grooming", "lick_deg")
            turned = part * side * rat.deg("grooming", "bend")
            p["bend"] += turned
            p["head_yaw"] += 1.2 * turned
            p["head_pitch"] += part * size * np.sin(phase)
            p["bob"] += part * 1.2 * MM * np.sin(phase + 0.6)
            p["roll"] += part * side * 6 * DEG
            p["held"] += part * 0.4
        begin, face = begin + length, not face or rat.rng.random() < 0.3


def jump(p, u, w, bout: Bout, rat: Rat) -> None:
    # push for `push`, fly for `flight`, land for `push`: up and down are the same, so the rat ends where it began
    push = min(rat.draw("jump", "push_s"), 0.35 * bout.length)
    flight = bout.length - 2 * push
    speed = 0.5 * GRAVITY * flight
    up = np.clip(u, 0.0, push)
    air = np.clip(u - push, 0.0, flight)
    down = np.clip(u - push - flight, 0.0, push)
    p["lift"] += 0.5 * speed / push * (up**2 + down**2) + speed * (air - down) - 0.5 * GRAVITY * air**2
    arc = smooth_step(u / (0.5 * bout.length)) * smooth_step((bout.length - u) / (0.5 * bout.length))
    p["pitch"] += arc * rat.deg("jump", "nose_up")
    for name, way in (("paw_left", 1), ("paw_right", 1), ("hind_left", -1), ("hind_right", -1)):
        p[name] += arc * way * 15 * MM


def turn(p, u, w, bout: Bout, rat: Rat) -> None:
    lead = rat.draw("turn", "head_lead") * bout.turn
    first = bump(u + 0.10, bout.length) * bout.length / 1.875
    p["head_yaw"] += lead * first
    p["bend"] += rat.draw("turn", "bend") * bout.turn * first
    _pace(p, w, rat.phase(3.0 * rat.tempo, u), 10 * MM)
    p["roll"] -= w * 2.5 * DEG * np.sign(bout.turn)


def digging(p, u, w, bout: Bout, rat: Rat) -> None:
    phase, size = rat.rhythm("digging", "rate", u), rat.deg("digging", "vibration_deg")
    p["head_pitch"] += w * (rat.deg("digging", "head_pitch") + size * np.sin(phase + 0.5))
    p["pitch"] += w * (-6 * DEG + 0.5 * size * np.sin(phase))
    p["roll"] += w * size * np.sin(0.5 * phase)
    step = rat.mm("digging", "step")
    p["paw_left"] += w * step * np.sin(phase)
    p["paw_right"] += w * step * np.sin(phase + np.pi)
    p["surge"] += w * 0.8 * MM * np.sin(phase)


def drinking(p, u, w, bout: Bout, rat: Rat) -> None:
    p["pitch"] += w * rat.deg("drinking", "pitch")
    p["head_pitch"] += w * rat.deg("drinking", "head_pitch")
    p["head_pitch"] += w * rat.deg("drinking", "lick_deg") * np.sin(rat.rhythm("drinking", "lick", u))
    p["held"] += 0.3 * w


def shake(p, u, w, bout: Bout, rat: Rat) -> None:
    phase = rat.rhythm("shake", "rate", u)
    p["head_roll"] += w * rat.deg("shake", "head_deg") * np.sin(phase)
    p["roll"] += w * rat.deg("shake", "trunk_deg") * np.sin(phase - 0.9)


def shuffle(p, u, w, bout: Bout, rat: Rat) -> None:
    p["head_yaw"] += w * rat.deg("shuffle", "head_yaw")
    p["head_pitch"] += w * rat.deg("shuffle", "head_pitch")
    p["bend"] += w * rat.deg("shuffle", "bend")
    p["lift"] += w * rat.mm("shuffle", "lift")
    _pace(p, w, rat.phase(1.8, u), 6 * MM)


MOVEMENTS = {
    "walk": walk, "jump": jump, "aiming": aiming, "scratch": scratch, "rearing": rearing, "stand_up": stand_up,
    "still": still, "eating": eating, "grooming": grooming, "local_search": local_search, "turn_left": turn,
    "turn_right": turn, "digging": digging, "drinking": drinking, "shake": shake, "shuffle": shuffle,
}
