"""What one scene contains and where it stands: chance decides the place, the light, the stage and the cast."""

from dataclasses import dataclass, field

import numpy as np

from data_samples.canvas import Colour, Light, Road, Setting, vary
from data_samples.kinds import GROUPS, KINDS, PLACES, SNOWFIELD, Place

# What is painted later lies in front; within a layer the lower one does.
SKY, HEAVENLY, CLOUDS, PEAKS, HILLS, WATER, AFLOAT, LAND, STREET, STANDING, FLYING, FALLING = range(12)


@dataclass(frozen=True)
class Thing:
    """One thing of the cast. `seed` gives its own variations, the same whenever it is painted."""

    kind: str
    layer: int
    x: float
    y: float
    size: float
    flip: bool
    depth: float
    seed: int


@dataclass
class Cast:
    """The things of one scene while they are chosen."""

    setting: Setting
    place: Place
    rng: np.random.Generator
    things: list[Thing] = field(default_factory=list)

    def add(self, kind: str, layer: int, x: float, y: float, size: float, depth: float = 0.0) -> None:
        rng = self.rng
        self.things.append(Thing(kind, layer, x, y, size, rng.random() < 0.5, depth, int(rng.integers(2**32))))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def meets(self, group: str) -> bool:
        """True as often as the place holds things of the group."""
        return self.chance(self.place.chances.get(group, 0.0))

    def one_of(self, *names: str) -> str:
        return names[int(self.rng.integers(len(names)))]

    def stand(self, kind: str, afloat: bool = False) -> None:
        """Puts the thing on the land (or the sea) where there is room; leaves it out where there is none."""
        for _ in range(8):
            x = float(self.rng.uniform(0.06, 0.94)) * self.setting.width
            y = self._foot(x, afloat)
            if y is None:
                continue
            size = self.size_at(kind, y)
            half = KINDS[kind].half_width * size
            x = float(np.clip(x, 0.7 * half, self.setting.width - 0.7 * half))
            if self._is_free(x, y, half):
                self.add(kind, AFLOAT if afloat else STANDING, x, y, size, 1 - self.setting.nearness(y))
                return

    def size_at(self, kind: str, y: float) -> float:
        info, t = KINDS[kind], self.setting.nearness(y)
        return (info.far + (info.near - info.far) * t) * float(self.rng.uniform(0.85, 1.2))

    def _foot(self, x: float, afloat: bool) -> float | None:
        s = self.setting
        land = s.land_top(x)
        top, bottom = (s.horizon + 5, min(land - 14, s.height - 8.0)) if afloat else (land + 6, s.height - 4.0)
        if bottom - top < 8:
            return None
        return top + (bottom - top) * float(self.rng.beta(1.2, 1.3))

    def _is_free(self, x: float, y: float, half: float) -> bool:
        """Off the road, and not in one place with a thing of nearly the same distance."""
        span = self.setting.road(y) if self.setting.road else None
        if span and span[0] - half < x < span[1] + half:
            return False
        return not any(
            abs(x - t.x) < 0.75 * (half + KINDS[t.kind].half_width * t.size) and abs(y - t.y) < 60
            for t in self.things
            if t.layer in (AFLOAT, STANDING)
        )


def draw_scene(rng: np.random.Generator) -> tuple[Setting, list[Thing]]:
    """Stage and cast of a scene, in painting order."""
    places = list(PLACES.values())
    place = places[int(rng.choice(len(places), p=[p.share for p in places]))]
    hour = ("day", "dusk", "night")[int(rng.choice(3, p=(0.64, 0.18, 0.18)))]
    snow = bool(rng.random() < place.chances.get("snow", 0.0))
    if snow and hour == "dusk":
        hour = "day"  # under a red sky, snow cannot be told from sand
    setting = _setting(rng, place, hour, snow)
    cast = Cast(setting, place, rng)
    _heavens(cast, hour)
    _stage(cast)
    for group, (kinds, most) in GROUPS.items():
        if cast.meets(group):
            for _ in range(int(rng.integers(1, most + 1))):
                cast.stand(cast.one_of(*kinds), afloat=group == "boat")
    _rows(cast)
    _air(cast)
    for _ in range(int(rng.integers(0, 3))):
        _clutter(cast, cast.one_of(*place.clutter))
    return setting, sorted(cast.things, key=lambda t: (t.layer, t.y))


def _setting(rng: np.random.Generator, place: Place, hour: str, snow: bool) -> Setting:
    width, height = (480, 640) if rng.random() < 0.15 else (640, 480)
    horizon = height * float(rng.uniform(0.4, 0.55))
    shore = None
    if place.sea:
        depth = 1.5 if place.sea == "open" else float(rng.uniform(0.3, 0.65))
        middle, slant = horizon + depth * (height - horizon), float(rng.uniform(-45, 45))
        shore = (middle - slant, middle + slant)
    far, near = SNOWFIELD if snow else place.grounds[int(rng.integers(len(place.grounds)))]
    land = max(shore) if shore else horizon
    road = _road(rng, width, height, land) if rng.random() < place.chances.get("road", 0.0) else None
    ground = (vary(far, rng, 8), vary(near, rng, 8))
    ploughed = bool(rng.random() < place.chances.get("ploughed", 0.0))
    return Setting(width, height, horizon, _light(rng, hour), snow, ground, ploughed, shore, road)


def _light(rng: np.random.Generator, hour: str) -> Light:
    thickness = float(rng.uniform(0.6, 0.82)) if rng.random() < 0.15 else float(rng.uniform(0.1, 0.4))
    skies: dict[str, tuple[tuple[Colour, ...], ...]] = {
        "day": (
            ((78, 148, 220), (150, 198, 238), (214, 234, 246)),
            ((110, 170, 214), (176, 212, 230), (232, 236, 228)),
            ((172, 186, 198), (198, 208, 214), (222, 226, 228)),
            ((120, 190, 214), (190, 222, 220), (246, 232, 208)),
        ),
        "dusk": (
            ((70, 74, 130), (206, 118, 128), (252, 190, 120)),
            ((92, 92, 150), (226, 150, 150), (252, 214, 170)),
            ((104, 70, 112), (222, 104, 84), (250, 170, 86)),
        ),
        "night": (((10, 16, 42), (22, 34, 70), (44, 60, 98)), ((8, 10, 26), (20, 24, 48), (52, 48, 74))),
    }
    ambients = {"day": (1.0, 1.0, 1.0), "dusk": (0.9, 0.74, 0.74), "night": (0.46, 0.5, 0.68)}
    options = skies[hour]
    colours = tuple(vary(c, rng, 8) for c in options[int(rng.integers(len(options)))])
    r, g, b = (value * float(rng.uniform(0.97, 1.03)) for value in ambients[hour])
    cloud = {"day": (252, 253, 255), "dusk": (246, 196, 184), "night": (64, 76, 108)}[hour]
    return Light(hour == "night", (r, g, b), colours, cloud, thickness)


def _road(rng: np.random.Generator, width: int, height: int, land: float) -> Road | None:
    room = height - land
    if room < 90:
        return None
    if room < 0.4 * height or rng.random() < 0.5:
        top = land + room * float(rng.uniform(0.3, 0.55))
        tall = 46 + 0.3 * (top - land)

        def across(y: float) -> tuple[float, float] | None:
            return (-2.0 * width, 3.0 * width) if top <= y <= top + tall else None

        return across
    goal, foot = width * float(rng.uniform(0.25, 0.75)), width * float(rng.uniform(0.3, 0.7))
    half, bend = width * float(rng.uniform(0.22, 0.34)), width * float(rng.uniform(-0.3, 0.3))

    def away(y: float) -> tuple[float, float] | None:
        t = (y - land) / room
        if t < 0:
            return None
        middle = goal + (foot - goal) * t + bend * t * (1 - t)
        return middle - 3 - half * t, middle + 3 + half * t

    return away


def _heavens(cast: Cast, hour: str) -> None:
    s, rng = cast.setting, cast.rng
    cast.add("night sky" if hour == "night" else "sky", SKY, 0, s.horizon, 1)
    x = s.width * float(rng.uniform(0.1, 0.9))
    light = {"day": ("sun", 0.48), "dusk": ("sun", 0.6), "night": ("moon", 0.7)}[hour]
    if hour == "dusk" and cast.chance(0.2):
        light = ("moon", 0.9)
    if cast.chance(light[1]):
        low, high = (0.5, 0.98) if hour == "dusk" and light[0] == "sun" else (0.12, 0.7)
        cast.add(light[0], HEAVENLY, x, s.horizon * float(rng.uniform(low, high)), float(rng.uniform(28, 44)))
        if s.shore is not None:
            cast.add("glitter", WATER, x, s.horizon + 0.5, s.height - s.horizon)
    if cast.chance(0.5):
        for _ in range(int(rng.integers(1, 6))):
            y = s.horizon * float(rng.uniform(0.2, 0.85))
            cast.add("cloud", CLOUDS, s.width * float(rng.uniform(0.05, 0.95)), y, float(rng.uniform(56, 120)))


def _stage(cast: Cast) -> None:
    s, rng = cast.setting, cast.rng
    if cast.meets("mountains") or cast.chance(0.1):
        x, depth = s.width * float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.4, 0.9))
        cast.add("mountains", PEAKS, x, s.horizon + 1, s.horizon * float(rng.uniform(0.4, 0.75)), depth)
    if cast.meets("hills") or cast.chance(0.2):
        cast.add("hills", HILLS, 0, s.horizon, s.horizon * float(rng.uniform(0.1, 0.32)), float(rng.uniform(0.5, 0.9)))
    if s.shore is not None:
        cast.add("sea", WATER, 0, s.horizon, 1)
    if s.shore is None or min(s.shore) < s.height:
        cast.add("snowy ground" if s.snow else "ground", LAND, 0, s.horizon, 1)
    if s.snow and (s.light.night or cast.chance(0.7)):  # at night the flakes tell snow from pale stone
        cast.add("snowfall", FALLING, 0, 0, float(rng.uniform(60, 260)))


def _rows(cast: Cast) -> None:
    """Road with its cars, and fence."""
    s, rng = cast.setting, cast.rng
    if s.road is not None:
        rows = [y for y in range(int(s.horizon), s.height) if s.road(y)]
        cast.add("road", STREET, 0, rows[0], rows[-1] - rows[0] + 1, 1 - s.nearness(rows[0]))
        if cast.meets("cars"):
            for _ in range(int(rng.integers(1, 5))):
                _drive(cast, s.road)
    if cast.meets("fence"):
        top = s.land_top(s.width / 2) + 20
        y = top + (s.height - top) * float(rng.uniform(0.2, 0.95))
        if y < s.height - 3 and (s.road is None or s.road(y) is None):
            x = s.width * float(rng.uniform(0.25, 0.75))
            cast.add("fence", STANDING, x, y, cast.size_at("fence", y), 1 - s.nearness(y))


def _drive(cast: Cast, road: Road) -> None:
    s, rng = cast.setting, cast.rng
    rows = [y for y in range(int(s.horizon), s.height - 3) if road(y)]
    y = float(rows[int(len(rows) * rng.uniform(0.3, 0.98))])
    span = road(y)
    if span is None:
        return
    bus = cast.chance(0.35)
    if span[0] < 0 and span[1] > s.width:
        x, size = s.width * float(rng.uniform(0.1, 0.9)), len(rows) * float(rng.uniform(0.7, 1.0))
        cast.add("bus" if bus else "car side", STANDING, x, y, size * (1.4 if bus else 1), 1 - s.nearness(y))
        return
    half = (span[1] - span[0]) / 2
    x = span[0] + half * (0.5 if cast.chance(0.5) else 1.5)
    cast.add("car facing", STANDING, x, y, min(180.0, half * float(rng.uniform(0.55, 0.75))), 1 - s.nearness(y))


def _air(cast: Cast) -> None:
    if cast.meets("flock"):
        _flock(cast)
    if not cast.setting.light.night and cast.chance(max(0.012, cast.place.chances.get("balloon", 0.0))):
        _fly(cast, "balloon")


def _fly(cast: Cast, kind: str) -> None:
    s, rng, info = cast.setting, cast.rng, KINDS[kind]
    size = float(rng.uniform(info.far, info.near))
    x, y = s.width * float(rng.uniform(0.1, 0.9)), s.horizon * float(rng.uniform(0.1, 0.95)) + size * 0.6
    cast.add(kind, FLYING, x, y, size, float(rng.uniform(0.1, 0.5)))


def _flock(cast: Cast) -> None:
    s, rng = cast.setting, cast.rng
    x, y = s.width * float(rng.uniform(0.2, 0.8)), s.horizon * float(rng.uniform(0.25, 0.75))
    size = float(rng.uniform(KINDS["flying bird"].far, KINDS["flying bird"].near))
    for _ in range(int(rng.integers(2, 10))):
        at_x = float(np.clip(x + rng.normal(0, 0.18) * s.width, 0.06 * s.width, 0.94 * s.width))
        at_y = float(np.clip(y + rng.normal(0, 0.16) * s.horizon, 0.1 * s.height, s.horizon))
        cast.add("flying bird", FLYING, at_x, at_y, size * float(rng.uniform(0.75, 1.25)), 0.3)


def _clutter(cast: Cast, kind: str) -> None:
    if kind == "flowers" and cast.setting.snow:
        return
    if kind in ("kite", "aeroplane"):
        _fly(cast, kind)
    elif cast.place.sea == "open":
        cast.stand(kind, afloat=True)
    else:
        cast.stand(kind)
