"""Painters of the stage: sky, sun, moon, clouds, mountains, hills, sea, ground, road, fence, falling snow.

They take the same arguments as the painters of things, and work in canvas pixels where that is easier.
"""

import math

import numpy as np

from data_samples.canvas import Brush, Colour, Point, mix, vary
from data_samples.things import SNOW


def sky(b: Brush, rng: np.random.Generator) -> None:
    c = b.canvas
    c.gradient(((0, 0), (c.width, 0), (c.width, c.height), (0, c.height)), (*c.light.sky, c.light.sky[-1]))
    if b.night:
        for x, y, bright in zip(
            rng.uniform(0, c.width, 50), rng.uniform(0, b.y, 50), rng.uniform(40, 230, 50), strict=True
        ):
            c.veil_ellipse(x - 1.2, y - 1.2, x + 1.2, y + 1.2, (255, 255, 240), int(bright))


def sun(b: Brush, rng: np.random.Generator) -> None:
    colour = (255, 206, 120) if b.y > 0.48 * b.canvas.setting.horizon else (255, 246, 196)
    b.canvas.glow(b.x, b.y, b.size * float(rng.uniform(6, 9)), colour, 0.9)
    b.canvas.ellipse(b.x - b.size, b.y - b.size, b.x + b.size, b.y + b.size, mix(colour, (255, 255, 250), 0.3))


def moon(b: Brush, rng: np.random.Generator) -> None:
    colour = (244, 242, 222)
    b.canvas.glow(b.x, b.y, b.size * 4, (190, 200, 230), 0.5)
    turn = np.linspace(-math.pi / 2, math.pi / 2, 14)
    fullness = float(rng.choice((-0.45, 0.2, 1.0, 1.0)))
    bright = [(math.cos(t), math.sin(t)) for t in turn] + [(-fullness * math.cos(t), math.sin(t)) for t in turn[::-1]]
    tilt = float(rng.uniform(-0.6, 0.6))
    points = [
        (
            b.x + b.size * (x * math.cos(tilt) - y * math.sin(tilt)),
            b.y + b.size * (x * math.sin(tilt) + y * math.cos(tilt)),
        )
        for x, y in bright
    ]
    b.canvas.polygon(points, colour)
    for x, y, r in ((0.35, -0.3, 0.18), (0.45, 0.3, 0.12), (0.2, 0.55, 0.09)):
        cx, cy, r = b.x + x * b.size, b.y + y * b.size, r * b.size
        if fullness > 0:
            b.canvas.veil_ellipse(cx - r, cy - r, cx + r, cy + r, (120, 124, 140), 70)


def cloud(b: Brush, rng: np.random.Generator) -> None:
    bright = b.canvas.light.cloud
    dark = mix(bright, b.canvas.light.sky[0], 0.35)
    puffs = sorted(zip(rng.uniform(-0.9, 0.9, 7).tolist(), rng.uniform(0.28, 0.5, 7).tolist(), strict=True))
    for colour, lift in ((dark, 0.0), (bright, 0.1)):
        for x, r in puffs:
            r *= 1.15 - 0.6 * abs(x)
            cx, cy, size = b.x + x * b.size, b.y - (0.75 * r + lift) * b.size, r * b.size
            b.canvas.ellipse(cx - 1.25 * size, cy - size, cx + 1.25 * size, cy + size * (1 - 2 * lift), colour)


def mountains(b: Brush, rng: np.random.Generator) -> None:
    """Pointed peaks on the horizon; `size` is the height of the highest."""
    rock = vary(((112, 116, 134), (134, 112, 100), (92, 108, 116))[int(rng.integers(3))], rng)
    count = int(rng.integers(2, 6))
    middles = b.x + (np.arange(count) - (count - 1) / 2) * b.size * rng.uniform(0.8, 1.2, count)
    for middle, share in sorted(
        zip(middles.tolist(), rng.uniform(0.5, 1, count).tolist(), strict=True), key=lambda p: -p[1]
    ):
        _peak(b, middle, b.size * share, mix(rock, (255, 255, 255), float(rng.uniform(0, 0.12))), rng)


def _peak(b: Brush, middle: float, height: float, rock: Colour, rng: np.random.Generator) -> None:
    left, right = _ridge(middle, b.y, -height, height, rng), _ridge(middle, b.y, height, height, rng)
    b.canvas.polygon([*left, *right[::-1]], b.shade(rock))
    spine = [
        (middle + float(rng.uniform(-0.1, 0.12)) * height * (1 - k / 3), y) for k, (_, y) in enumerate(left[1:4][::-1])
    ]
    b.canvas.veil([(middle, b.y - height), *spine[::-1], *right[::-1]][:9], (0, 0, 40), 46)
    if b.snow:
        (lx, ly), (rx, ry) = left[-3], right[-3]
        cap = [left[-1], left[-2], (lx, ly), (middle - 0.1 * height, ly - 0.05 * height), (middle, ly + 0.05 * height)]
        b.canvas.polygon([*cap, (middle + 0.1 * height, ry - 0.05 * height), (rx, ry), right[-2]], b.shade(SNOW))


def _ridge(middle: float, base: float, reach: float, height: float, rng: np.random.Generator) -> list[Point]:
    """From the foot up to the peak, six points with a rough edge."""
    steps = np.linspace(0, 1, 6)
    rough = rng.uniform(-0.06, 0.06, 6) * (steps > 0) * (steps < 1)
    return [
        (middle + reach * (1 - t + r), base - height * t) for t, r in zip(steps.tolist(), rough.tolist(), strict=True)
    ]


def hills(b: Brush, rng: np.random.Generator) -> None:
    """Rounded hills: no mountains."""
    width = b.canvas.width
    colour = SNOW if b.snow else vary(b.canvas.setting.ground[0], rng)
    for step in range(int(rng.integers(1, 4))):
        wave, start, tall = rng.uniform(0.6, 1.8), rng.uniform(0, 6.3), b.size * (1 - 0.28 * step)
        xs = np.linspace(0, width, 25)
        ys = b.y - tall * (0.55 + 0.45 * np.sin(start + wave * xs / 100))
        edge = list(zip(xs.tolist(), ys.tolist(), strict=True))
        b.canvas.polygon([(0, b.y + 2), *edge, (width, b.y + 2)], b.shade(mix(colour, (40, 70, 60), 0.3 - 0.12 * step)))


def sea(b: Brush, rng: np.random.Generator) -> None:
    c, horizon = b.canvas, b.y
    water = ((38, 112, 150), (52, 132, 148), (44, 92, 132), (86, 120, 134))[int(rng.integers(4))]
    near, far = b.shade(vary(water, rng)), mix(b.shade(water), c.light.sky[-1], 0.5)
    c.gradient(
        ((0, horizon), (c.width, horizon), (c.width, c.height), (0, c.height)), (far, near, mix(near, (0, 0, 20), 0.15))
    )
    count = int(rng.integers(50, 130))
    crest = mix(near, c.light.sky[-1], 0.6)
    for x, t in zip(rng.uniform(0, c.width, count).tolist(), (rng.random(count) ** 1.5).tolist(), strict=True):
        y, half = horizon + 3 + t * (c.height - horizon), 5 + 26 * t
        c.veil_line(((x - half, y), (x - half / 3, y - 1.5), (x + half, y)), 1 + 2 * t, crest, 120)


def glitter(b: Brush, rng: np.random.Generator) -> None:
    """Path of light that sun or moon throw on the sea."""
    for t in rng.random(46).tolist():
        y = b.y + 3 + t * b.size
        x, half = b.x + float(rng.normal(0, 7 + 16 * t)), 4 + 14 * t
        b.canvas.veil_line(((x - half, y), (x + half, y)), 2, (255, 246, 214), 150)


def ground(b: Brush, rng: np.random.Generator) -> None:
    c, setting = b.canvas, b.canvas.setting
    xs = np.linspace(0, c.width, 17).tolist()
    edge = [(x, setting.land_top(x)) for x in xs]
    if setting.shore is not None:
        c.veil(
            [(x, y - 9) for x, y in edge] + [(x, y + 4) for x, y in edge[::-1]],
            c.light.shade((250, 252, 255), 0.3),
            130,
        )
    far, near = setting.ground
    colours = (
        c.light.shade(far, 0.2 if setting.snow else 1.0 if setting.shore is None else 0.4),
        c.light.shade(mix(far, near, 0.6), 0.4),
        c.light.shade(near, 0),
    )
    c.gradient([*edge, (c.width, c.height), (0, c.height)], colours)
    texture = float(rng.random())
    if setting.ploughed:
        _furrows(b, rng)
    elif texture < 0.85:
        _tufts(b, rng)


def _tufts(b: Brush, rng: np.random.Generator) -> None:
    c, setting = b.canvas, b.canvas.setting
    count = int(rng.integers(30, 90))
    dark = c.light.shade(mix(setting.ground[1], (30, 50, 30), 0.4), 0)
    for x, t in zip(rng.uniform(0, c.width, count).tolist(), rng.random(count).tolist(), strict=True):
        top = setting.land_top(x)
        y = top + 4 + t * (c.height - top)
        reach = 2 + 9 * setting.nearness(y)
        c.veil_line(((x - reach, y - reach * 0.8), (x, y), (x + reach, y - reach * 0.7)), 1 + reach / 5, dark, 64)


def _furrows(b: Brush, rng: np.random.Generator) -> None:
    """Ploughed lines that run to the horizon, as a road would."""
    c, setting = b.canvas, b.canvas.setting
    middle = float(rng.uniform(0, c.width))
    dark = c.light.shade(mix(setting.ground[1], (50, 40, 30), 0.5), 0)
    for spread in np.linspace(-3, 3, 22).tolist():
        foot = middle + spread * c.width * 0.7
        c.veil([(middle + spread * 14, setting.horizon + 3), (foot, c.height), (foot + 26, c.height)], dark, 80)


def pond(b: Brush, rng: np.random.Generator) -> None:
    """Water that is no sea."""
    half, tall = b.size * 1.6, b.size * 0.3
    water = mix(b.shade(vary((70, 126, 150), rng)), b.canvas.light.sky[-1], 0.4)
    b.canvas.ellipse(b.x - half, b.y - tall, b.x + half, b.y + tall, mix(water, (60, 60, 50), 0.4))
    b.canvas.ellipse(b.x - half + 3, b.y - tall + 3, b.x + half - 3, b.y + tall, water)


def road(b: Brush, rng: np.random.Generator) -> None:
    c, setting = b.canvas, b.canvas.setting
    if setting.road is None:
        return
    asphalt = mix(vary((108, 108, 114), rng), SNOW, 0.2 if setting.snow else 0.0)
    left, right, lines = [], [], []
    for y in np.linspace(b.y, min(c.height, b.y + b.size), 13).tolist():
        span = setting.road(y)
        if span is not None:
            left.append((span[0], y))
            right.append((span[1], y))
            lines.append(((span[0] + span[1]) / 2, y))
    c.gradient([*left, *right[::-1]], (b.shade(asphalt), c.light.shade(asphalt, 0)))
    mark = c.light.shade((244, 240, 222), 0.2)
    if left[-1][0] < -c.width:
        _dashes_across(b, mark)
        return
    for (x0, y0), (x1, y1) in zip(lines[2::2], lines[3::2], strict=False):
        half = 1 + 5 * setting.nearness(y1)
        c.polygon(((x0 - half * 0.6, y0), (x0 + half * 0.6, y0), (x1 + half, y1), (x1 - half, y1)), mark)


def _dashes_across(b: Brush, mark: Colour) -> None:
    middle, tall = b.y + b.size * 0.5, max(1.0, b.size * 0.03)
    step = b.size * 1.1
    for number in range(int(b.canvas.width / step) + 2):
        x = b.x + number * step
        b.canvas.polygon(
            ((x, middle - tall), (x + step / 2, middle - tall), (x + step / 2, middle + tall), (x, middle + tall)), mark
        )


def fence(b: Brush, rng: np.random.Generator) -> None:
    """Posts and rails, 8 to 18 times as long as high."""
    wood = vary(((238, 236, 228), (140, 104, 72), (96, 90, 88))[int(rng.integers(3))], rng)
    pickets = rng.random() < 0.5
    step = 0.34 if pickets else 0.95
    count = int(rng.uniform(8, 18) / step)
    end = (count - 1) * step / 2
    for height in (0.3, 0.68):
        b.line(((-end, height), (end, height)), 0.1, mix(wood, (20, 20, 30), 0.15))
    for number in range(count):
        x, half = number * step - end, 0.09 if pickets else 0.075
        b.box(x - half, 0, x + half, 0.9, wood)
        if pickets:
            b.poly(((x - half, 0.9), (x + half, 0.9), (x, 1)), wood)


def snowfall(b: Brush, rng: np.random.Generator) -> None:
    c = b.canvas
    count = int(b.size)
    sizes = rng.uniform(1.0, 3.4, count).tolist()
    for x, y, r in zip(
        rng.uniform(0, c.width, count).tolist(), rng.uniform(0, c.height, count).tolist(), sizes, strict=True
    ):
        c.veil_ellipse(x - r, y - r, x + r, y + r, (250, 252, 255), 190)
