"""The tables behind the scenes: which kinds of things there are, and what is likely in which kind of place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data_samples import backdrop, clutter, things
from data_samples.canvas import Brush, Colour

Painter = Callable[[Brush, np.random.Generator], None]


@dataclass(frozen=True)
class Kind:
    """One kind of thing: its painter, the tags it makes true, its height at the horizon and at the lower border."""

    painter: Painter
    tags: tuple[str, ...] = ()
    far: float = 0.0
    near: float = 0.0
    half_width: float = 0.5
    pixels: int = 0
    """Output pixels that have to be seen before the tags are true; 0: as given for small things, see `scenes`."""


KINDS: dict[str, Kind] = {
    "sky": Kind(backdrop.sky),
    "night sky": Kind(backdrop.sky, ("night",), pixels=2000),
    "sun": Kind(backdrop.sun, ("sun",), half_width=1.0),
    "moon": Kind(backdrop.moon, ("moon",), half_width=1.0),
    "cloud": Kind(backdrop.cloud, ("cloud",), half_width=1.6),
    "mountains": Kind(backdrop.mountains, ("mountain",), pixels=900),
    "hills": Kind(backdrop.hills),
    "sea": Kind(backdrop.sea, ("sea",), pixels=2000),
    "glitter": Kind(backdrop.glitter),
    "ground": Kind(backdrop.ground),
    "snowy ground": Kind(backdrop.ground, ("snow",), pixels=2000),
    "road": Kind(backdrop.road, ("road",), pixels=900),
    "snowfall": Kind(backdrop.snowfall),
    "fence": Kind(backdrop.fence, ("fence",), 60, 120, 9.0, pixels=700),
    "leafy tree": Kind(things.leafy_tree, ("tree",), 80, 350, 0.35),
    "conifer": Kind(things.conifer, ("tree",), 80, 340, 0.3),
    "poplar": Kind(things.poplar, ("tree",), 90, 350, 0.2),
    "palm": Kind(things.palm, ("tree",), 80, 320, 0.35),
    "house front": Kind(things.house_front, ("house",), 90, 260, 0.55),
    "house side": Kind(things.house_side, ("house",), 80, 230, 0.85),
    "tower block": Kind(things.tower_block, ("building",), 130, 380, 0.3),
    "lighthouse": Kind(things.lighthouse, ("lighthouse",), 190, 380, 0.2),
    "car side": Kind(things.car_side, ("car",), 50, 120, 1.45),
    "car facing": Kind(things.car_facing, ("car",), 60, 150, 0.7),
    "bus": Kind(things.bus, ("vehicle",), 46, 150, 1.4),
    "sailing boat": Kind(things.sailing_boat, ("boat",), 120, 300, 0.45),
    "motor boat": Kind(things.motor_boat, ("boat",), 50, 120, 1.1),
    "ship": Kind(things.ship, ("boat",), 50, 110, 1.5),
    "balloon": Kind(things.balloon, ("balloon",), 150, 260, 0.35),
    "person": Kind(things.person, ("person",), 120, 270, 0.2),
    "dog": Kind(things.dog, ("dog",), 84, 175, 1.0),
    "sheep": Kind(things.sheep, ("animal",), 70, 150, 0.75),
    "flying bird": Kind(things.flying_bird, ("bird",), 34, 64, 1.0, pixels=28),
    "standing bird": Kind(things.standing_bird, ("bird",), 50, 130, 0.7),
    "pond": Kind(backdrop.pond, (), 26, 90, 1.6),
    "bush": Kind(clutter.bush, (), 18, 90, 0.9),
    "rock": Kind(clutter.rock, (), 14, 80, 0.9),
    "flowers": Kind(clutter.flowers, (), 10, 50, 1.2),
    "hay bale": Kind(clutter.hay_bale, (), 22, 90, 0.7),
    "street lamp": Kind(clutter.street_lamp, (), 80, 330, 0.2),
    "signpost": Kind(clutter.signpost, (), 40, 170, 0.3),
    "parasol": Kind(clutter.parasol, (), 50, 190, 0.6),
    "crates": Kind(clutter.crates, (), 22, 90, 0.8),
    "billboard": Kind(clutter.billboard, (), 50, 190, 0.75),
    "silo": Kind(clutter.silo, (), 90, 290, 0.2),
    "kite": Kind(clutter.kite, (), 40, 110, 0.4),
    "aeroplane": Kind(clutter.aeroplane, (), 14, 34, 1.4),
    "buoy": Kind(clutter.buoy, (), 14, 60, 0.5),
}


GRASS: tuple[Colour, Colour] = ((150, 186, 108), (100, 150, 66))
MEADOW: tuple[Colour, Colour] = ((142, 170, 96), (120, 140, 66))
STRAW: tuple[Colour, Colour] = ((222, 202, 132), (200, 170, 90))
EARTH: tuple[Colour, Colour] = ((198, 162, 102), (158, 118, 66))
LAVENDER: tuple[Colour, Colour] = ((172, 152, 192), (132, 108, 168))
PAVED: tuple[Colour, Colour] = ((188, 186, 184), (160, 158, 156))
STONY: tuple[Colour, Colour] = ((162, 164, 146), (128, 132, 112))
SAND: tuple[Colour, Colour] = ((240, 226, 188), (228, 206, 156))
SNOWFIELD: tuple[Colour, Colour] = ((222, 232, 244), (240, 245, 251))

GROUPS: dict[str, tuple[tuple[str, ...], int]] = {
    "house": (("house front", "house front", "house side"), 4),
    "tower block": (("tower block",), 3),
    "lighthouse": (("lighthouse",), 1),
    "tree": (("leafy tree", "leafy tree", "poplar", "conifer"), 4),
    "conifer": (("conifer",), 5),
    "palm": (("palm",), 3),
    "boat": (("sailing boat", "sailing boat", "motor boat", "ship"), 4),
    "stranded boat": (("sailing boat", "motor boat"), 1),
    "parked car": (("car side", "car facing"), 1),
    "person": (("person",), 4),
    "dog": (("dog",), 3),
    "sheep": (("sheep",), 4),
    "standing bird": (("standing bird",), 2),
}
"""What stands together: one of these kinds at a time, and up to how many."""


@dataclass(frozen=True)
class Place:
    """A kind of place: how often it comes up, its looks, and what is to be met there how often."""

    share: float
    grounds: tuple[tuple[Colour, Colour], ...]
    chances: Mapping[str, float]
    """Of a group of `GROUPS`, or of ploughed, road, cars, fence, mountains, hills, snow, flock, balloon."""
    clutter: tuple[str, ...] = ()
    sea: str = ""
    """"shore", "open" (no land) or none."""


PLACES: dict[str, Place] = {
    "open sea": Place(
        0.1, (SAND,), {"boat": 0.8, "flock": 0.7, "mountains": 0.15, "lighthouse": 0.05}, ("buoy", "rock"), "open"
    ),
    "beach": Place(
        0.13,
        (SAND, SAND, SAND, STRAW),
        {
            "boat": 0.3,
            "person": 0.85,
            "palm": 0.55,
            "dog": 0.06,
            "flock": 0.1,
            "lighthouse": 0.05,
            "stranded boat": 0.04,
        },
        ("rock", "parasol", "parasol", "bush", "signpost"),
        "shore",
    ),
    "harbour": Place(
        0.09,
        (PAVED, PAVED, STONY),
        {"boat": 0.95, "flock": 0.8, "lighthouse": 0.16, "house": 0.3, "person": 0.06, "road": 0.2, "cars": 0.4},
        ("crates", "crates", "street lamp", "rock", "signpost"),
        "shore",
    ),
    "street": Place(
        0.17,
        (PAVED, GRASS, MEADOW),
        {"road": 1, "cars": 0.85, "house": 0.45, "tower block": 0.35, "tree": 0.3, "person": 0.1, "snow": 0.1},
        ("street lamp", "street lamp", "signpost", "billboard", "bush"),
    ),
    "village": Place(
        0.13,
        (GRASS, GRASS, MEADOW, EARTH),
        {
            "house": 1,
            "fence": 0.65,
            "tree": 0.5,
            "road": 0.2,
            "cars": 0.5,
            "parked car": 0.06,
            "stranded boat": 0.03,
            "dog": 0.05,
            "snow": 0.25,
            "hills": 0.6,
        },
        ("bush", "flowers", "street lamp", "pond", "signpost"),
    ),
    "park": Place(
        0.13,
        (GRASS, GRASS, MEADOW),
        {
            "tree": 0.95,
            "person": 0.7,
            "dog": 0.6,
            "standing bird": 0.12,
            "flock": 0.04,
            "balloon": 0.05,
            "snow": 0.06,
            "fence": 0.05,
        },
        ("bush", "flowers", "pond", "street lamp", "kite"),
    ),
    "farm": Place(
        0.1,
        (STRAW, STRAW, EARTH, LAVENDER),
        {
            "sheep": 0.6,
            "ploughed": 0.6,
            "fence": 0.8,
            "tree": 0.25,
            "house": 0.25,
            "balloon": 0.08,
            "flock": 0.05,
            "hills": 0.6,
            "stranded boat": 0.06,
            "snow": 0.04,
        },
        ("hay bale", "hay bale", "silo", "bush", "kite"),
    ),
    "mountains": Place(
        0.1,
        (STONY, MEADOW),
        {
            "mountains": 1,
            "conifer": 0.7,
            "snow": 0.55,
            "house": 0.12,
            "road": 0.2,
            "cars": 0.4,
            "balloon": 0.04,
            "hills": 0.3,
        },
        ("rock", "rock", "bush", "signpost"),
    ),
    "anywhere": Place(
        0.05,
        (GRASS, EARTH, LAVENDER, STRAW),
        {
            "tree": 0.2,
            "house": 0.15,
            "person": 0.2,
            "fence": 0.15,
            "flock": 0.2,
            "road": 0.2,
            "cars": 0.5,
            "mountains": 0.25,
            "dog": 0.1,
            "parked car": 0.1,
            "hills": 0.5,
            "snow": 0.15,
        },
        ("billboard", "rock", "bush", "hay bale", "crates", "aeroplane"),
    ),
}
