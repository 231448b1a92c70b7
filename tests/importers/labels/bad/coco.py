"""COCO, COCO as other programs write it, and LVIS: kinds that all three share, and those of each."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.importers.labels.bad.any_file import BEYOND, BOXES, NAMES, SCORES, SIZES, TAGS, any_json, of
from tests.importers.labels.bad.base import Bad, Kinds, put, swapped, text, without
from tests.importers.labels.bad.good import coco_good, coco_plain_good, lvis_good

Make = Callable[[], dict[str, Any]]


def _shared(make: Make) -> Kinds:
    return {**_whole(make), **_images(make), **_annotations(make)}


def _whole(make: Make) -> Kinds:
    set_ = partial(put, make)
    doubled = text(make())[:-1] + b', "images": []}'
    return {
        "no images": Bad(without(make, "images"), "no images.*found: 'annotations', 'categories'", whole=True),
        "no categories": Bad(without(make, "categories"), "no categories.*found: 'images'", whole=True),
        "images are an object": Bad(
            set_("images", {"1": {}}), "'images' is no list but an object", "images", whole=True
        ),
        "images are text": Bad(set_("images", "all"), "'images' is no list but 'all'", "images", whole=True),
        "annotations are nothing": Bad(set_("annotations", None), "'annotations' is no list but None", whole=True),
        "annotations are an object": Bad(set_("annotations", {}), "'annotations' is no list but an object", whole=True),
        "categories are names": Bad(set_("categories", ["cat"]), "no categories.*entry is 'cat'|is 'cat'", whole=True),
        "categories are text": Bad(set_("categories", "cat"), "'categories' is no list but 'cat'", whole=True),
        "images twice": Bad(doubled, "member 'images' a second time", "images", whole=True),
        "all images are bad": Bad(set_("images", [{"id": "x"}]), "'x'", whole=True),
    }


def _images(make: Make) -> Kinds:
    image = partial(put, make, "images", 1)
    at = r"images\[1\]"
    return {
        "image without an id": Bad(without(make, "images", 1, "id"), "no key 'id'; keys found: .*width", at),
        "image id is text": Bad(image("id", "2"), "'id' is '2'", at),
        "image id is a fraction": Bad(image("id", 2.5), "'id' is 2.5", at),
        "image id is NaN": Bad(image("id", float("nan")), "'id' is nan", at),
        "image id is negative": Bad(image("id", -2), "'id' is -2", at),
        "image id is huge": Bad(image("id", 1 << 70), "'id' is 118", at),
        "image id twice": Bad(image("id", 1), "id 1 belongs to an earlier image", at),
        "a key twice": Bad(swapped(text(make()), '"id": 2, "width"' if make is lvis_good else '"id": 2, "file_name"',
                                   '"id": 2, "id": 3, "file_name"'), "key 'id' twice", at),
        "image is a number": Bad(put(make, "images", 1, 3), "entry is 3|image is 3", at),
        "bad sha256": Bad(image("sha256", "xyz"), "sha256 is 'xyz'", at),
        "bad split": Bad(image("split", "often"), "split is 'often'", at),
        **of(NAMES, partial(image, "coco_url" if make is lvis_good else "file_name"), at),
        **of(SIZES, partial(image, "width"), at),
    }  # fmt: skip


def _annotations(make: Make) -> Kinds:
    said, category = partial(put, make, "annotations", 1), partial(put, make, "categories", 2)
    at = r"annotations\[1\]"
    return {
        "category id twice": Bad(category("id", 8), "id 8 belongs to an earlier category", r"categories\[2\]"),
        "synonyms are text": Bad(category("synonyms", "cow"), "'synonyms' is 'cow'", r"categories\[2\]"),
        "unknown image": Bad(said("image_id", 99), "id 99", at),
        "unknown category": Bad(said("category_id", 99), "id 99", at),
        "annotation is text": Bad(put(make, "annotations", 1, "x"), "annotation is 'x'", at),
        "annotation without an image": Bad(without(make, "annotations", 1, "image_id"), "no key 'image_id'", at),
        "bad origin": Bad(said("origin", 5), "origin is 5", at),
        **of(TAGS, partial(category, "name"), r"categories\[2\]"),
        **of(SCORES, partial(said, "score"), at),
        **of(BOXES | BEYOND, partial(put, make, "annotations", 0, "bbox"), r"annotations\[0\]"),
    }


def _image_level(make: Make) -> Kinds:
    first = partial(put, make, "images", 0)
    at = r"images\[0\]"
    return {
        "unknown absent category": Bad(first("neg_category_ids", [99]), "id 99", at),
        "unknown unclear category": Bad(first("not_exhaustive_category_ids", [98]), "id 98", at),
        "absent and present": Bad(first("neg_category_ids", [7]), "category 7 has an annotation too", at),
        "absent is no list": Bad(first("neg_category_ids", 8), "'neg_category_ids' is 8", at),
        "absent are names": Bad(first("neg_category_ids", ["dog"]), r"neg_category_ids\[0\] is 'dog'", at),
    }


COCO: dict[str, Kinds] = {
    "coco": {
        **any_json("coco"),
        **_shared(coco_good),
        **_image_level(coco_good),
        "bad decision": Bad(
            put(coco_good, "images", 0, "decisions", [[8, "human"]]), "a list of 2", r"\[0\], decisions"
        ),
        "decision without a label": Bad(
            put(coco_good, "images", 1, "decisions", [[7, "human", "", 0]]),
            "category 7 has no label",
            r"\[1\], decisions",
        ),
    },
    "coco_plain": {**any_json("coco_plain"), **_shared(coco_plain_good)},
    "lvis": {**any_json("lvis"), **_shared(lvis_good), **_image_level(lvis_good)},
}
