"""Painters of the things that carry a tag: plants, buildings, vehicles, people, animals.

Each takes a `Brush` (the thing is 1 high and stands on (0, 0)) and a generator for its own variations.
"""

import numpy as np

from data_samples.canvas import Brush, Colour, mix, vary

PAINTS: tuple[Colour, ...] = (
    (206, 52, 46), (38, 92, 168), (242, 182, 50), (246, 246, 240), (48, 128, 96), (60, 64, 74), (232, 120, 52),
    (150, 196, 214),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (244, 234, 214),
    (214, 150, 110),
    (176, 88, 70),
    (190, 206, 214),
    (232, 204, 130),
    (160, 170, 150),
)
ROOFS: tuple[Colour, ...] = ((168, 66, 52), (96, 66, 58), (84, 92, 106), (124, 54, 56), (60, 70, 78))
LEAVES: tuple[Colour, ...] = (
    (66, 128, 62),
    (92, 146, 60),
    (52, 104, 66),
    (122, 150, 62),
    (190, 122, 48),
    (176, 82, 44),
)
SKINS: tuple[Colour, ...] = ((246, 206, 176), (224, 172, 134), (164, 110, 78), (104, 70, 52))
SNOW: Colour = (244, 248, 252)
GLASS: Colour = (150, 188, 208)
LAMPLIGHT: Colour = (255, 218, 128)
BARK: Colour = (104, 76, 56)
TYRE: Colour = (38, 38, 44)


def pick(options: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    """One of the colours, slightly varied."""
    return vary(options[int(rng.integers(len(options)))], rng)


# Plants


def leafy_tree(b: Brush, rng: np.random.Generator) -> None:
    leaf = mix(pick(LEAVES, rng), SNOW, 0.6 if b.snow else 0.0)
    b.shadow(0.3)
    b.poly(((-0.06, 0), (0.06, 0), (0.035, 0.5), (-0.035, 0.5)), BARK)
    b.line(((0, 0.3), (0.14, 0.48)), 0.035, BARK)
    b.line(((0, 0.25), (-0.13, 0.46)), 0.03, BARK)
    crown = [(float(x), float(y)) for x, y in zip(rng.uniform(-0.2, 0.2, 6), rng.uniform(0.46, 0.8, 6), strict=True)]
    for x, y in crown:
        b.oval(x + 0.02, y - 0.03, 0.17, 0.15, mix(leaf, (20, 40, 50), 0.3))
    for x, y in crown:
        b.oval(x, y, 0.155, 0.14, leaf)
    for x, y in crown[:4]:
        b.oval(x - 0.05, y + 0.05, 0.07, 0.06, mix(leaf, (255, 250, 200), 0.2))


def conifer(b: Brush, rng: np.random.Generator) -> None:
    leaf = vary((44, 96, 74), rng)
    width = float(rng.uniform(0.2, 0.3))
    b.shadow(width)
    b.box(-0.035, 0, 0.035, 0.2, BARK)
    for step in range(4):
        low, high, half = 0.12 + 0.2 * step, 0.46 + 0.18 * step, width * (1 - 0.21 * step)
        b.poly(((-half, low), (half, low), (0, high)), mix(leaf, (150, 190, 120), 0.06 * step))
        b.dark_side(((0, low), (half, low), (0, high)))
        if b.snow:
            b.poly(((-half * 0.5, (low + high) / 2), (half * 0.1, (low + high) / 2 - 0.02), (0, high)), SNOW)


def poplar(b: Brush, rng: np.random.Generator) -> None:
    leaf = mix(pick(LEAVES[:4], rng), SNOW, 0.5 if b.snow else 0.0)
    b.shadow(0.16)
    b.box(-0.025, 0, 0.025, 0.3, BARK)
    b.oval(0, 0.57, 0.15, 0.43, mix(leaf, (20, 40, 50), 0.25))
    b.oval(-0.025, 0.58, 0.115, 0.4, leaf)
    b.oval(-0.05, 0.62, 0.05, 0.28, mix(leaf, (255, 250, 200), 0.15))


def palm(b: Brush, rng: np.random.Generator) -> None:
    lean = float(rng.uniform(-0.12, 0.12))
    b.shadow(0.2)
    b.line(((0, 0), (lean * 0.3, 0.4), (lean, 0.8)), 0.05, (140, 108, 76))
    leaf = vary((62, 134, 76), rng)
    for reach, drop in (
        (-0.36, 0.62),
        (0.36, 0.62),
        (-0.3, 0.88),
        (0.3, 0.88),
        (-0.16, 0.98),
        (0.16, 0.98),
        (0.12, 0.55),
    ):
        tip = (lean + reach, drop)
        middle = lean + reach * 0.5
        b.poly(((lean, 0.8), (middle, (0.8 + drop) / 2 + 0.12), tip, (middle, (0.8 + drop) / 2 + 0.03)), leaf)


# Buildings


def house_front(b: Brush, rng: np.random.Generator) -> None:
    """Gable towards us, with a door and windows."""
    wall, roof = pick(WALLS, rng), SNOW if b.snow else pick(ROOFS, rng)
    half = float(rng.uniform(0.38, 0.5))
    b.shadow(half * 1.1)
    b.box(half * 0.4, 0.7, half * 0.62, 0.98, mix(wall, (90, 40, 40), 0.5))
    b.poly(((-half, 0), (half, 0), (half, 0.56), (0, 0.96), (-half, 0.56)), wall)
    b.dark_side(((0, 0), (half, 0), (half, 0.56), (0, 0.96)), 20)
    b.line(((-half * 1.15, 0.5), (0, 0.97), (half * 1.15, 0.5)), 0.09, roof)
    b.box(-0.08, 0, 0.08, 0.28, pick(ROOFS, rng))
    for x in (-half * 0.6, half * 0.6):
        _window(b, x, 0.33, 0.08, 0.1)
    _window(b, 0, 0.66, 0.07, 0.08)


def house_side(b: Brush, rng: np.random.Generator) -> None:
    """Long side towards us under a sloping roof."""
    wall, roof = pick(WALLS, rng), SNOW if b.snow else pick(ROOFS, rng)
    half = float(rng.uniform(0.55, 0.85))
    b.shadow(half * 1.05)
    b.box(half * 0.45, 0.7, half * 0.45 + 0.14, 1.0, mix(wall, (90, 40, 40), 0.5))
    b.box(-half, 0, half, 0.52, wall)
    b.dark_side(((-half, 0.46), (half, 0.46), (half, 0.52), (-half, 0.52)), 60)
    b.poly(((-half * 1.08, 0.5), (half * 1.08, 0.5), (half * 0.88, 0.92), (-half * 0.88, 0.92)), roof)
    b.light_side(((-half * 1.08, 0.5), (-half * 0.2, 0.5), (-half * 0.3, 0.92), (-half * 0.88, 0.92)), 26)
    count = 3 if half < 0.7 else 5
    places = np.linspace(-half * 0.76, half * 0.76, count)
    door = int(rng.integers(count))
    for number, x in enumerate(places.tolist()):
        if number == door:
            b.box(x - 0.08, 0, x + 0.08, 0.34, pick(ROOFS, rng))
        else:
            _window(b, x, 0.29, 0.075, 0.09)


def _window(b: Brush, x: float, y: float, rx: float, ry: float) -> None:
    b.box(x - rx - 0.02, y - ry - 0.02, x + rx + 0.02, y + ry + 0.02, (246, 244, 238))
    b.lamp(x - rx, y - ry, x + rx, y + ry, LAMPLIGHT if b.night else GLASS)
    b.line(((x, y - ry), (x, y + ry)), 0.015, (246, 244, 238))


def tower_block(b: Brush, rng: np.random.Generator) -> None:
    """Flat roof and a grid of windows: a building that is no house."""
    wall = vary(((188, 190, 196), (170, 150, 136), (140, 160, 176))[int(rng.integers(3))], rng)
    half = float(rng.uniform(0.18, 0.34))
    b.shadow(half)
    b.box(-half, 0, half, 1, wall)
    b.dark_side(((half * 0.55, 0), (half, 0), (half, 1), (half * 0.55, 1)), 40)
    columns, rows = max(2, round(half * 14)), int(rng.integers(6, 10))
    shining = rng.random((rows, columns)) < 0.5
    for row in range(rows):
        for column in range(columns):
            x, y = -half + 2 * half * (column + 0.5) / columns, 0.08 + 0.88 * row / rows
            pane = LAMPLIGHT if b.night and shining[row, column] else (84, 104, 128)
            b.lamp(x - 0.03, y, x + 0.03, y + 0.055, pane if not b.night or shining[row, column] else (30, 36, 56))


def lighthouse(b: Brush, rng: np.random.Generator) -> None:
    stripe = vary(((200, 44, 44), (40, 70, 130), (50, 50, 58))[int(rng.integers(3))], rng)
    b.oval(0, 0, 0.26, 0.05, (112, 104, 98))
    b.poly(((-0.13, 0), (0.13, 0), (0.075, 0.76), (-0.075, 0.76)), (248, 246, 240))
    for low in (0.1, 0.36, 0.62):
        a, c = 0.13 - 0.072 * low, 0.13 - 0.072 * (low + 0.13)
        b.poly(((-a, low), (a, low), (c, low + 0.13), (-c, low + 0.13)), stripe)
    b.dark_side(((0.03, 0), (0.13, 0), (0.075, 0.76), (0.02, 0.76)), 40)
    b.box(-0.11, 0.75, 0.11, 0.78, (50, 50, 58))
    b.lamp(-0.055, 0.78, 0.055, 0.9, (255, 236, 150))
    b.poly(((-0.085, 0.9), (0.085, 0.9), (0, 1)), stripe)
    if b.night:
        b.light_side(((0.05, 0.84), (1.6, 1.02), (1.6, 0.72)), 90)
        b.canvas.glow(*b.at(0, 0.84), b.size * 0.3, (255, 240, 180), 0.8)


# Vehicles


def car_side(b: Brush, rng: np.random.Generator) -> None:
    paint = pick(PAINTS, rng)
    cabin = float(rng.uniform(-0.15, 0.15))
    b.shadow(1.45)
    b.poly(((cabin - 0.85, 0.58), (cabin + 0.72, 0.58), (cabin + 0.4, 1), (cabin - 0.55, 1)), paint)
    b.poly(((-1.4, 0.2), (1.4, 0.2), (1.42, 0.5), (1.15, 0.62), (-1.25, 0.64), (-1.42, 0.5)), paint)
    b.poly(((cabin - 0.7, 0.62), (cabin - 0.1, 0.62), (cabin - 0.1, 0.93), (cabin - 0.48, 0.93)), GLASS)
    b.poly(((cabin, 0.62), (cabin + 0.58, 0.62), (cabin + 0.36, 0.93), (cabin, 0.93)), GLASS)
    b.dark_side(((-1.4, 0.2), (1.4, 0.2), (1.42, 0.38), (-1.42, 0.38)), 50)
    for x in (-0.85, 0.85):
        b.oval(x, 0.2, 0.27, 0.27, TYRE)
        b.oval(x, 0.2, 0.13, 0.13, (190, 192, 198))
    b.lamp(1.28, 0.42, 1.42, 0.52, (255, 244, 200))
    b.lamp(-1.42, 0.42, -1.3, 0.52, (220, 40, 40))
    if b.night:
        b.light_side(((1.4, 0.47), (3.2, 0.6), (3.2, 0.05)), 70)


def car_facing(b: Brush, rng: np.random.Generator) -> None:
    """Coming towards us or driving away."""
    paint, coming = pick(PAINTS, rng), rng.random() < 0.5
    b.shadow(0.7)
    for x in (-0.5, 0.34):
        b.box(x, 0, x + 0.16, 0.25, TYRE)
    b.poly(((-0.5, 0.56), (0.5, 0.56), (0.38, 1), (-0.38, 1)), paint)
    b.poly(((-0.42, 0.58), (0.42, 0.58), (0.33, 0.92), (-0.33, 0.92)), GLASS)
    b.poly(((-0.62, 0.14), (0.62, 0.14), (0.62, 0.5), (0.52, 0.62), (-0.52, 0.62), (-0.62, 0.5)), paint)
    b.box(-0.2, 0.2, 0.2, 0.3, (236, 236, 230))
    b.dark_side(((-0.62, 0.14), (0.62, 0.14), (0.62, 0.24), (-0.62, 0.24)), 60)
    lamp = (255, 244, 200) if coming else (220, 40, 40)
    for x in (-0.56, 0.36):
        b.lamp(x, 0.36, x + 0.2, 0.48, lamp)
        if b.night:
            b.canvas.glow(*b.at(x + 0.1, 0.42), b.size * 0.4, lamp, 0.7)


def bus(b: Brush, rng: np.random.Generator) -> None:
    paint = pick(PAINTS, rng)
    b.shadow(1.4)
    b.box(-1.35, 0.12, 1.35, 1, paint)
    b.box(-1.35, 0.36, 1.35, 0.44, (246, 246, 240))
    for x in np.linspace(-1.25, 0.83, 6).tolist():
        b.lamp(x, 0.54, x + 0.32, 0.86, LAMPLIGHT if b.night else GLASS)
    for x in (-0.85, 0.9):
        b.oval(x, 0.14, 0.17, 0.17, TYRE)
        b.oval(x, 0.14, 0.08, 0.08, (190, 192, 198))


def sailing_boat(b: Brush, rng: np.random.Generator) -> None:
    sail = (252, 250, 244) if rng.random() < 0.6 else pick(PAINTS, rng)
    _hull(b, 0.42, 0.16, pick(PAINTS, rng))
    b.line(((0, 0.14), (0, 1)), 0.025, (92, 70, 54))
    b.poly(((0.03, 0.22), (0.4, 0.24), (0.03, 0.97)), sail)
    b.poly(((-0.03, 0.24), (-0.3, 0.22), (-0.03, 0.86)), mix(sail, (120, 130, 160), 0.18))


def motor_boat(b: Brush, rng: np.random.Generator) -> None:
    _hull(b, 1.1, 0.5, pick(PAINTS, rng))
    b.poly(((-0.55, 0.48), (0.3, 0.48), (0.16, 0.92), (-0.5, 0.92)), (246, 246, 242))
    for x in (-0.42, -0.14):
        b.lamp(x, 0.6, x + 0.2, 0.8, LAMPLIGHT if b.night else GLASS)
    b.line(((-0.2, 0.9), (-0.2, 1)), 0.05, (60, 60, 66))


def ship(b: Brush, rng: np.random.Generator) -> None:
    _hull(b, 1.5, 0.4, pick(PAINTS, rng))
    b.box(-1.2, 0.38, -0.5, 0.85, (246, 246, 242))
    for x in (-1.1, -0.82):
        b.lamp(x, 0.6, x + 0.18, 0.74, LAMPLIGHT if b.night else GLASS)
    b.box(-0.95, 0.85, -0.7, 1, pick(PAINTS, rng))
    for x in (-0.4, 0.1, 0.6):
        b.box(x, 0.38, x + 0.42, 0.38 + float(rng.uniform(0.12, 0.3)), pick(PAINTS, rng))


def _hull(b: Brush, half: float, height: float, paint: Colour) -> None:
    b.poly(((-half * 0.8, 0), (half * 0.8, 0), (half, height), (-half * 0.95, height)), paint)
    b.poly(
        ((-half * 0.97, height * 0.78), (half * 0.99, height * 0.78), (half, height), (-half, height)), (250, 250, 246)
    )
    b.dark_side(((-half * 0.8, 0), (half * 0.8, 0), (half * 0.86, height * 0.3), (-half * 0.85, height * 0.3)), 70)


def balloon(b: Brush, rng: np.random.Generator) -> None:
    """Hot-air balloon."""
    first, second = pick(PAINTS, rng), pick(PAINTS[:3], rng)
    b.line(((-0.2, 0.42), (-0.06, 0.12)), 0.012, (80, 64, 50))
    b.line(((0.2, 0.42), (0.06, 0.12)), 0.012, (80, 64, 50))
    b.poly(((-0.07, 0), (0.07, 0), (0.08, 0.12), (-0.08, 0.12)), (138, 92, 54))
    b.poly(((-0.31, 0.55), (0.31, 0.55), (0.09, 0.22), (-0.09, 0.22)), first)
    b.oval(0, 0.66, 0.34, 0.34, first)
    b.oval(0, 0.66, 0.21, 0.34, second)
    b.poly(((-0.19, 0.55), (0.19, 0.55), (0.05, 0.22), (-0.05, 0.22)), second)
    b.oval(0, 0.66, 0.08, 0.34, first)
    b.oval(-0.14, 0.78, 0.09, 0.12, mix(first, (255, 255, 255), 0.35))


# People and animals


def person(b: Brush, rng: np.random.Generator) -> None:
    skin, top, legs = pick(SKINS, rng), pick(PAINTS, rng), pick(PAINTS, rng)
    stride = float(rng.uniform(0.03, 0.13))
    b.shadow(0.16)
    b.line(((0.03, 0.47), (stride, 0.02)), 0.085, mix(legs, (20, 20, 40), 0.35))
    b.line(((-0.03, 0.47), (-stride, 0.02)), 0.085, legs)
    if rng.random() < 0.3:
        b.poly(((-0.1, 0.66), (0.1, 0.66), (0.19, 0.26), (-0.19, 0.26)), top)
    b.poly(((-0.1, 0.44), (0.1, 0.44), (0.135, 0.8), (-0.135, 0.8)), top)
    raised = 0.95 if rng.random() < 0.2 else 0.46
    b.line(((-0.12, 0.77), (-0.2, 0.6), (-0.17, 0.46)), 0.055, mix(top, (20, 20, 40), 0.2))
    b.line(((0.12, 0.77), (0.21, 0.62), (0.19 + 0.05 * (raised > 0.5), raised)), 0.055, mix(top, (255, 255, 255), 0.15))
    b.box(-0.03, 0.78, 0.03, 0.85, skin)
    b.oval(0, 0.91, 0.078, 0.09, ((60, 44, 36), (30, 28, 30), (176, 124, 66))[int(rng.integers(3))])
    b.oval(0.015, 0.895, 0.062, 0.072, skin)


def dog(b: Brush, rng: np.random.Generator) -> None:
    coat = pick(((128, 84, 50), (46, 42, 44), (226, 196, 150), (150, 144, 140), (178, 110, 60)), rng)
    dark = mix(coat, (20, 20, 40), 0.35)
    b.shadow(0.75)
    for x, shade in ((-0.48, dark), (0.32, dark), (-0.6, coat), (0.44, coat)):
        b.line(((x, 0.5), (x + 0.02, 0.02)), 0.13, shade)
    b.line(((-0.62, 0.66), (-0.84, 0.82), (-0.88, 1.0)), 0.09, coat)
    b.oval(-0.4, 0.57, 0.29, 0.2, coat)
    b.oval(0.3, 0.59, 0.3, 0.23, coat)
    b.box(-0.4, 0.4, 0.3, 0.77, coat)
    b.poly(((0.3, 0.6), (0.58, 0.6), (0.74, 0.86), (0.5, 0.95)), coat)
    b.oval(0.7, 0.87, 0.19, 0.15, coat)
    b.box(0.7, 0.75, 1.02, 0.89, mix(coat, (255, 255, 255), 0.12))
    b.oval(1.0, 0.86, 0.05, 0.045, (24, 22, 24))
    b.poly(((0.5, 0.97), (0.66, 0.96), (0.58, 0.68), (0.46, 0.74)), dark)
    b.oval(0.78, 0.91, 0.025, 0.03, (24, 22, 24))


def sheep(b: Brush, rng: np.random.Generator) -> None:
    """An animal that has no tag of its own."""
    wool, face = vary((240, 236, 224), rng, 8), pick(((50, 46, 48), (206, 180, 150)), rng)
    b.shadow(0.6)
    for x in (-0.4, -0.2, 0.24, 0.4):
        b.line(((x, 0.4), (x, 0.02)), 0.08, mix(face, (20, 20, 40), 0.2))
    for x, y in ((-0.42, 0.6), (-0.2, 0.76), (0.1, 0.8), (0.36, 0.66), (-0.2, 0.48), (0.16, 0.48), (0, 0.6)):
        b.oval(x, y, 0.26, 0.22, wool)
    b.oval(0.62, 0.72, 0.14, 0.19, face)
    b.poly(((0.5, 0.88), (0.36, 0.8), (0.52, 0.76)), face)


def flying_bird(b: Brush, rng: np.random.Generator) -> None:
    coat = pick(((44, 44, 52), (250, 250, 250), (92, 96, 110)), rng)
    lift = float(rng.uniform(0.2, 0.75))
    for side in (-1, 1):
        b.poly(
            (
                (0, 0.48),
                (side * 0.42, 0.5 + lift * 0.55),
                (side * 1.05, 0.34 + lift * 0.4),
                (side * 0.45, 0.36 + lift * 0.3),
                (0, 0.2),
            ),
            coat,
        )
    b.oval(0.02, 0.34, 0.22, 0.13, mix(coat, (120, 120, 130), 0.2))
    b.oval(0.24, 0.4, 0.1, 0.09, coat)
    b.poly(((0.32, 0.44), (0.46, 0.38), (0.32, 0.34)), (236, 160, 40))


def standing_bird(b: Brush, rng: np.random.Generator) -> None:
    coat = pick(((70, 74, 86), (250, 250, 248), (150, 90, 60), (60, 110, 160)), rng)
    b.shadow(0.35)
    for x in (-0.06, 0.1):
        b.line(((x, 0.4), (x, 0.02)), 0.05, (222, 140, 40))
    b.poly(((-0.3, 0.52), (-0.78, 0.36), (-0.72, 0.5), (-0.3, 0.68)), mix(coat, (20, 20, 30), 0.4))
    b.oval(0, 0.56, 0.42, 0.25, coat)
    b.oval(0.34, 0.84, 0.17, 0.16, coat)
    b.poly(((0.2, 0.5), (0.46, 0.6), (0.48, 0.8), (0.2, 0.84)), coat)
    b.oval(-0.1, 0.58, 0.28, 0.14, mix(coat, (20, 20, 30), 0.35))
    b.poly(((0.48, 0.88), (0.7, 0.8), (0.48, 0.78)), (236, 160, 40))
    b.oval(0.38, 0.88, 0.03, 0.03, (20, 20, 24))
