"""Painters of what carries no tag: it fills the scene and is easily taken for something that does."""

from itertools import pairwise

import numpy as np

from data_samples.canvas import Brush, mix, vary
from data_samples.things import LEAVES, PAINTS, SNOW, WALLS, pick


def bush(b: Brush, rng: np.random.Generator) -> None:
    leaf = mix(pick(LEAVES, rng), SNOW, 0.55 if b.snow else 0.0)
    b.shadow(0.8)
    for x, y, r in ((-0.5, 0.36, 0.36), (0.5, 0.34, 0.34), (0, 0.5, 0.5)):
        b.oval(x, y, r * 1.2, r, mix(leaf, (20, 40, 50), 0.25))
        b.oval(x - 0.06, y + 0.06, r, r * 0.85, leaf)
    b.oval(-0.2, 0.66, 0.2, 0.14, SNOW if b.snow else mix(leaf, (255, 250, 200), 0.18))


def rock(b: Brush, rng: np.random.Generator) -> None:
    stone = mix(vary((132, 128, 126), rng), (70, 66, 64), float(rng.uniform(0, 0.7)))
    top = float(rng.uniform(-0.3, 0.3))
    b.shadow(0.9)
    b.poly(((-0.9, 0), (-0.7, 0.5), (top, 1), (0.6, 0.72), (0.95, 0)), stone)
    b.dark_side(((top * 0.4, 0), (top, 1), (0.6, 0.72), (0.95, 0)), 70)
    if b.snow:
        b.poly(((-0.5, 0.66), (top, 1), (0.5, 0.78), (0.1, 0.7)), SNOW)


def flowers(b: Brush, rng: np.random.Generator) -> None:
    petal = pick(PAINTS, rng)
    for x, y in zip(rng.uniform(-1.2, 1.2, 7).tolist(), rng.uniform(0.5, 1, 7).tolist(), strict=True):
        b.line(((x, 0), (x, y)), 0.08, (80, 130, 70))
        b.oval(x, y, 0.2, 0.2, petal)
        b.oval(x, y, 0.08, 0.08, (246, 206, 70))


def hay_bale(b: Brush, rng: np.random.Generator) -> None:
    straw = vary((214, 178, 92), rng)
    b.shadow(0.7)
    b.box(-0.2, 0, 0.5, 1, mix(straw, (60, 40, 20), 0.2))
    b.oval(0.5, 0.5, 0.22, 0.5, mix(straw, (60, 40, 20), 0.2))
    for r, share in ((0.5, 0.0), (0.34, 0.25), (0.18, 0.0)):
        b.oval(-0.2, 0.5, r, r, mix(straw, (90, 60, 20), share))


def street_lamp(b: Brush, rng: np.random.Generator) -> None:
    b.shadow(0.08)
    b.line(((0, 0), (0, 0.95), (0.16, 0.98)), 0.03, vary((70, 74, 80), rng))
    b.lamp(0.1, 0.93, 0.24, 0.98, (255, 232, 170))
    if b.night:
        b.canvas.glow(*b.at(0.17, 0.94), b.size * 0.3, (255, 226, 150), 0.8)


def signpost(b: Brush, rng: np.random.Generator) -> None:
    b.shadow(0.14)
    b.line(((0, 0), (0, 0.9)), 0.06, (120, 110, 100))
    face = pick(PAINTS, rng)
    if rng.random() < 0.5:
        b.oval(0, 0.8, 0.2, 0.2, face)
        b.oval(0, 0.8, 0.12, 0.12, (246, 246, 240))
    else:
        b.poly(((-0.3, 0.66), (0.22, 0.66), (0.34, 0.78), (0.22, 0.9), (-0.3, 0.9)), face)


def parasol(b: Brush, rng: np.random.Generator) -> None:
    first, second = pick(PAINTS, rng), (248, 246, 240)
    b.shadow(0.5)
    b.line(((0, 0), (0, 0.9)), 0.04, (150, 130, 110))
    rim = np.linspace(-0.6, 0.6, 7).tolist()
    for number, (left, right) in enumerate(pairwise(rim)):
        b.poly(
            ((left, 0.62), (right, 0.62), (right * 0.55, 0.88), (0, 1), (left * 0.55, 0.88)),
            second if number % 2 else first,
        )


def crates(b: Brush, rng: np.random.Generator) -> None:
    wood = vary((176, 132, 84), rng)
    b.shadow(0.8)
    for x, y in ((-0.75, 0.0), (0.0, 0.0), (-0.4, 0.5)):
        b.box(x, y, x + 0.7, y + 0.5, wood)
        b.line(((x, y), (x + 0.7, y + 0.5)), 0.06, mix(wood, (40, 20, 10), 0.35))
        b.line(((x, y + 0.02), (x + 0.7, y + 0.02)), 0.06, mix(wood, (40, 20, 10), 0.35))


def billboard(b: Brush, rng: np.random.Generator) -> None:
    """A board with plain shapes in any colour."""
    b.shadow(0.6)
    for x in (-0.4, 0.4):
        b.line(((x, 0), (x, 0.5)), 0.06, (96, 90, 88))
    b.box(-0.75, 0.38, 0.75, 1, pick(PAINTS, rng))
    for x, y, r in zip(rng.uniform(-0.6, 0.4, 3), rng.uniform(0.45, 0.75, 3), rng.uniform(0.08, 0.2, 3), strict=True):
        b.box(float(x), float(y), float(x + r * 1.5), float(y + r), pick(PAINTS, rng))


def silo(b: Brush, rng: np.random.Generator) -> None:
    metal = pick(WALLS, rng)
    b.shadow(0.2)
    b.box(-0.15, 0, 0.15, 0.86, metal)
    b.oval(0, 0.86, 0.15, 0.13, mix(metal, (80, 90, 110), 0.3))
    b.dark_side(((0.04, 0), (0.15, 0), (0.15, 0.86), (0.04, 0.86)), 60)
    for y in (0.25, 0.5, 0.75):
        b.line(((-0.15, y), (0.15, y)), 0.015, mix(metal, (40, 40, 50), 0.4))


def kite(b: Brush, rng: np.random.Generator) -> None:
    first, second = pick(PAINTS, rng), pick(PAINTS, rng)
    b.poly(((0, 1), (0.34, 0.62), (0, 0.2), (-0.34, 0.62)), first)
    b.poly(((0, 1), (0.34, 0.62), (0, 0.62)), second)
    b.line(((0, 0.2), (0.1, 0.1), (-0.06, -0.1), (0.08, -0.3)), 0.03, first)


def aeroplane(b: Brush, rng: np.random.Generator) -> None:
    body = vary((222, 226, 232), rng)
    b.poly(((-1.3, 0.42), (1.0, 0.36), (1.3, 0.5), (1.0, 0.64), (-1.2, 0.56)), body)
    b.poly(((-1.3, 0.5), (-1.45, 1), (-1.2, 1), (-0.9, 0.54)), pick(PAINTS, rng))
    b.poly(((0.2, 0.46), (-0.5, 0.05), (-0.75, 0.05), (-0.2, 0.46)), mix(body, (40, 50, 80), 0.3))


def buoy(b: Brush, rng: np.random.Generator) -> None:
    b.poly(((-0.45, 0), (0.45, 0), (0.15, 0.9), (-0.15, 0.9)), pick(PAINTS[:3], rng))
    b.box(-0.34, 0.3, 0.34, 0.5, (248, 246, 240))
    b.lamp(-0.1, 0.85, 0.1, 1, (255, 236, 150))
