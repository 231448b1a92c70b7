"""What a scene is painted on: a picture at twice its size and, beside it, which thing owns each pixel."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]

OVERSAMPLE = 2
"""Everything is painted this many times larger and averaged down: smooth edges without an anti-aliasing painter."""


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Colour between `a` (share 0) and `b` (share 1)."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def vary(colour: Colour, rng: np.random.Generator, spread: int = 14) -> Colour:
    """`colour` moved by up to `spread` in each channel."""
    r, g, b = rng.integers(-spread, spread + 1, 3).tolist()
    return _clip(colour[0] + r), _clip(colour[1] + g), _clip(colour[2] + b)


def _clip(value: float) -> int:
    return 0 if value < 0 else 255 if value > 255 else round(value)


def _glow() -> Image.Image:
    """Soft disc of 256 x 256 pixels, 255 in the middle and 0 from the inscribed circle on."""
    middle = np.arange(256, dtype=np.float32) - 127.5
    distance = np.hypot(middle[:, None], middle[None, :]) / 127.5
    return Image.fromarray((255 * np.clip(1 - distance, 0, 1) ** 2).astype(np.uint8))


_GLOW = _glow()


@dataclass(frozen=True)
class Light:
    """How a scene is lit. Colours are given as in plain daylight; `shade` turns them into those of the scene."""

    night: bool
    ambient: tuple[float, float, float]
    sky: tuple[Colour, ...]
    """From the top of the picture to the horizon."""
    cloud: Colour
    thickness: float
    """Share of the horizon's colour that lies over things at the horizon: 0.2 clear, 0.7 fog."""

    def shade(self, colour: Colour, depth: float) -> Colour:
        """`colour` under this light; `depth` is 0 close by and 1 at the horizon."""
        r, g, b = self.ambient
        lit = (_clip(colour[0] * r), _clip(colour[1] * g), _clip(colour[2] * b))
        return mix(lit, self.sky[-1], self.thickness * depth)


Road = Callable[[float], tuple[float, float] | None]
"""From a height y to the left and right edge of the road there, None where there is none."""


@dataclass(frozen=True)
class Setting:
    """The stage of a scene, before anything stands on it; lengths in canvas pixels, y grows downwards."""

    width: int
    height: int
    horizon: float
    light: Light
    snow: bool
    ground: tuple[Colour, Colour]
    """At the horizon and close by."""
    ploughed: bool
    shore: tuple[float, float] | None
    """Where the sea ends at the left and right border; None without sea."""
    road: Road | None

    def land_top(self, x: float) -> float:
        """Height at which the land begins at `x`."""
        if self.shore is None:
            return self.horizon
        left, right = self.shore
        return left + (right - left) * x / self.width + 7 * math.sin(x / 70)

    def nearness(self, y: float) -> float:
        """0 at the horizon, 1 at the lower border."""
        return min(1.0, max(0.0, (y - self.horizon) / (self.height - self.horizon)))


class Canvas:
    """A picture and its owner mask; `number` is the thing that owns what is painted next."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.width, self.height, self.light = setting.width, setting.height, setting.light
        self.image = Image.new("RGB", (self.width, self.height))
        self.owners = Image.new("L", (self.width, self.height))
        self.number = 0
        self._paint = ImageDraw.Draw(self.image, "RGBA")
        self._own = ImageDraw.Draw(self.owners)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self._paint.polygon(points, fill=colour)
        self._own.polygon(points, fill=self.number)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        if x1 - x0 >= 1 and y1 - y0 >= 1:
            self._paint.ellipse((x0, y0, x1, y1), fill=colour)
            self._own.ellipse((x0, y0, x1, y1), fill=self.number)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        thick = max(1, round(width))
        self._paint.line(points, fill=colour, width=thick, joint="curve")
        self._own.line(points, fill=self.number, width=thick, joint="curve")

    def gradient(self, points: Sequence[Point], colours: Sequence[Colour]) -> None:
        """Polygon filled from its highest to its lowest point with `colours`, evenly spaced."""
        top = max(0, int(min(y for _, y in points)))
        bottom = min(self.height, int(max(y for _, y in points)) + 1)
        if bottom <= top:
            return
        stops = np.linspace(0, bottom - top, len(colours))
        rows = np.arange(bottom - top)
        column = np.stack([np.interp(rows, stops, [c[i] for c in colours]) for i in range(3)], axis=-1)
        strip = Image.fromarray(column[:, None, :].round().astype(np.uint8)).resize(
            (self.width, bottom - top), Image.Resampling.NEAREST
        )
        mask = Image.new("L", (self.width, bottom - top))
        ImageDraw.Draw(mask).polygon([(x, y - top) for x, y in points], fill=255)
        self.image.paste(strip, (0, top), mask)
        self.owners.paste(self.number, (0, top, self.width, bottom), mask)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Soft light around a point. It lies over things and owns nothing."""
        size = max(2, int(2 * radius))
        mask = _GLOW.resize((size, size), Image.Resampling.BILINEAR).point(lambda value: value * strength)
        self.image.paste(colour, (int(x - radius), int(y - radius)), mask)

    def veil(self, points: Sequence[Point], colour: Colour, alpha: int) -> None:
        """See-through polygon (`alpha` 0 to 255): shadows, light. It owns nothing."""
        self._paint.polygon(points, fill=(*colour, alpha))

    def veil_ellipse(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, alpha: int) -> None:
        if x1 > x0 and y1 > y0:
            self._paint.ellipse((x0, y0, x1, y1), fill=(*colour, alpha))

    def veil_line(self, points: Sequence[Point], width: float, colour: Colour, alpha: int) -> None:
        self._paint.line(points, fill=(*colour, alpha), width=max(1, round(width)))


@dataclass(frozen=True)
class Brush:
    """Paints one thing in its own units: x to the right (left if `flip`), y up, (0, 0) where it touches the ground,
    1 is its height."""

    canvas: Canvas
    x: float
    y: float
    size: float
    flip: bool = False
    depth: float = 0.0

    @property
    def snow(self) -> bool:
        return self.canvas.setting.snow

    @property
    def night(self) -> bool:
        return self.canvas.light.night

    def at(self, x: float, y: float) -> Point:
        return self.x + (-x if self.flip else x) * self.size, self.y - y * self.size

    def shade(self, colour: Colour) -> Colour:
        return self.canvas.light.shade(colour, self.depth)

    def poly(self, points: Sequence[Point], colour: Colour) -> None:
        self.canvas.polygon([self.at(x, y) for x, y in points], self.shade(colour))

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.poly(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Ellipse around (x, y)."""
        cx, cy = self.at(x, y)
        rx, ry = rx * self.size, ry * self.size
        self.canvas.ellipse(cx - rx, cy - ry, cx + rx, cy + ry, self.shade(colour))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        self.canvas.line([self.at(x, y) for x, y in points], width * self.size, self.shade(colour))

    def lamp(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Box that shines at night: a window, a headlight."""
        shine = mix(colour, self.canvas.light.sky[-1], 0.5 * self.canvas.light.thickness * self.depth)
        corners = [self.at(x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
        self.canvas.polygon(corners, shine if self.night else self.shade(colour))

    def dark_side(self, points: Sequence[Point], alpha: int = 34) -> None:
        self.canvas.veil([self.at(x, y) for x, y in points], (0, 0, 30), alpha)

    def light_side(self, points: Sequence[Point], alpha: int = 50) -> None:
        self.canvas.veil([self.at(x, y) for x, y in points], self.shade((255, 250, 235)), alpha)

    def shadow(self, half_width: float) -> None:
        """Soft spot on the ground under the thing."""
        w, h = half_width * self.size, max(1.5, 0.14 * half_width * self.size)
        self.canvas.veil_ellipse(self.x - w, self.y - h, self.x + w, self.y + h, (10, 10, 30), 60)


def photograph(painting: Image.Image, rng: np.random.Generator, night: bool) -> Image.Image:
    """The painting as a camera gives it: averaged down, with exposure, colour cast, blur, dark corners and noise."""
    picture = painting.reduce(OVERSAMPLE)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.1))))
    width, height = picture.size
    exposure = rng.uniform(0.88, 1.1) * (1 + rng.normal(0, 0.022, 3))
    contrast = rng.uniform(0.86, 1.1)
    patches = Image.fromarray(rng.normal(0, 5, (5, 6)).astype(np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    corners = 1 - rng.uniform(0, 0.16) * (x * x + y * y) / 2
    pixels = np.asarray(picture, dtype=np.float32)
    pixels = (pixels - 118) * np.float32(contrast) + 118
    pixels *= exposure.astype(np.float32)
    pixels *= corners.astype(np.float32)[..., None]
    pixels += np.asarray(patches)[..., None]
    grain = rng.uniform(2, 7) if night else rng.uniform(0.8, 5)
    pixels += rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(grain)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
