"""Label Studio: a list of tasks with annotations of people and predictions of models; also its short form JSON_MIN.

Choices and boxes say that their tag is present. Choices called `absent` or `unknown` (from_name) say so, and lists
`absent` and `cannot_tell` among a task's data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems, collected
from annotator.importers.labels.entries import distinct, kept
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.labels.json_stream import elements
from annotator.importers.labels.shares import LISTED, listed, scaled
from annotator.records import Record, RecordBox, RecordLabel, Records, RecordScore
from annotator.terms import LabelState

CHOICES = ("choices", "labels", "rectanglelabels")
PICTURE = ("file", "image", "img", "url", "picture")


def open_label_studio(path: Path, problems: Problems) -> Records:
    """Raises EntryError where no task can be used."""
    names = Names()

    def read() -> Iterator[Record]:
        for element in elements(path):
            if element.key:
                what = f"is an object with {checks.quoted(element.key)}; export the tasks as 'JSON', which is a list"
                raise problems.whole(what, element.where)
            try:
                yield _task(element.value, names, problems, element.where)
            except ValueError as error:
                problems.add(element.where, error)

    return refuse_empty(collected(problems, names, read), problems)


def _task(value: Any, names: Names, problems: Problems, where: str) -> Record:
    task = checks.thing(value, "the task")
    data = checks.thing(task.get("data", task), "'data'")
    key = next((key for key in PICTURE if key in data), PICTURE[0])
    found = _Found(names, problems, where)
    for place, said in enumerate(checks.many(task.get("annotations", task.get("completions")), "'annotations'")):
        found.annotation(said, f"{where}, annotations[{place}]")
    for place, said in enumerate(checks.many(task.get("predictions"), "'predictions'")):
        found.prediction(said, f"{where}, predictions[{place}]")
    if "data" in task:
        listing = {name: data.get(name) for name in ("absent", "cannot_tell")}
        found.labels += listed(listing, names, problems, f"{where}, data")
    else:
        found.short(task, key)
    meta = checks.thing(task.get("meta") or {}, "'meta'")
    labels = distinct(tuple(found.labels), names, problems, where)
    decisions = kept(meta, "decisions", lambda item: _decision(item, names), problems, f"{where}, meta")
    told = {(label.tag, label.state): label for label in decisions}
    return Record(
        checks.file_name(picture_of(checks.file_name(checks.needed(data, key)))),
        checks.sha256(data.get("sha256")),
        found.width,
        found.height,
        checks.split(meta.get("split", data.get("split"))),
        tuple(told.get((one.tag, one.state), one) for one in labels),
        tuple(found.scores.values()),
        tuple(found.boxes),
    )


def _decision(item: Any, names: Names) -> RecordLabel:
    """Who or what decided a label: an item of the task's `meta.decisions`."""
    if not isinstance(item, list) or len(item) != 5:
        raise ValueError(f"is {checks.quoted(item)}; write [tag, state, origin, by, at]")
    tag, state, origin, by, at = item
    return RecordLabel(
        names.place(tag), checks.state(state), checks.origin(origin), checks.text(by, "'by'"), checks.seconds(at)
    )


def picture_of(address: str) -> str:
    """The file behind an address of Label Studio: of its local files the path, of an upload the name it had.

    >>> picture_of("/data/local-files/?d=shots/a%20b.jpg"), picture_of("/data/upload/3/1a2b3c4d-cat.jpg")
    ('shots/a b.jpg', 'cat.jpg')
    """
    if "/data/local-files/" in address:
        try:
            asked = parse_qs(urlsplit(address).query).get("d")
        except ValueError as error:
            raise ValueError(f"the address {checks.quoted(address)} is none ({error}); correct it") from error
        if asked:
            return asked[0]
    if address.startswith("/data/upload/"):
        name = unquote(address.rpartition("/")[2])
        start, dash, rest = name.partition("-")
        return rest if dash and len(start) == 8 and rest else name
    return address


class _Found:
    """What a task's annotations and predictions say."""

    def __init__(self, names: Names, problems: Problems, where: str) -> None:
        self.names, self.problems, self.where = names, problems, where
        self.labels: list[RecordLabel] = []
        self.scores: dict[int, RecordScore] = {}
        self.boxes: list[RecordBox] = []
        self.width = self.height = 0

    def annotation(self, value: Any, where: str) -> None:
        try:
            said = checks.thing(value, "the annotation")
            by, at = _person(said.get("completed_by")), checks.seconds(_time(said.get("created_at")))
        except ValueError as error:
            self.problems.add(where, error)
            return
        if said.get("was_cancelled"):
            return
        for tag, state, _ in self._results(said, where):
            self.labels.append(RecordLabel(tag, state, by=by, at=at))

    def prediction(self, value: Any, where: str) -> None:
        try:
            said = checks.thing(value, "the prediction")
            of_all, model = said.get("score"), checks.text(said.get("model_version"), "'model_version'")
        except ValueError as error:
            self.problems.add(where, error)
            return
        boxes = len(self.boxes)
        for tag, state, own in self._results(said, where):
            score = of_all if own is None else own
            try:
                likely = 1.0 if score is None else checks.probability(score)
            except ValueError as error:
                self.problems.add(where, error)
                continue
            if state == LabelState.NEGATIVE:
                likely = 1 - likely
            if tag not in self.scores or self.scores[tag].score < likely:
                self.scores[tag] = RecordScore(tag, likely, model)
        del self.boxes[boxes:]  # a box that nobody confirmed is none

    def short(self, task: dict[str, Any], picture: str) -> None:
        """JSON_MIN: the answers are members of the task itself: a text, or an object with `choices`."""
        for key, value in task.items():
            if key in ("choice", "choices", "label", "labels", *LISTED) and key != picture:
                items = value.get("choices") if isinstance(value, dict) else value
                for item in [items] if isinstance(items, str) else checks.many(items, repr(key)):
                    self._label(item, LISTED.get(key, LabelState.POSITIVE), f"{self.where}, {key}")

    def _results(self, said: dict[str, Any], where: str) -> Iterator[tuple[int, LabelState, Any]]:
        """(tag, state, score) of each result that names tags; boxes are noted on the way."""
        try:
            results = checks.many(said.get("result"), "'result'")
        except ValueError as error:
            self.problems.add(where, error)
            return
        for place, item in enumerate(results):
            at = f"{where}, result[{place}]"
            try:
                result = checks.thing(item, "the result")
                value = checks.thing(result.get("value", {}), "'value'")
                kind = result.get("type")
                if kind in CHOICES:
                    checks.needed(value, kind)
                chosen = next((checks.many(value[key], repr(key)) for key in CHOICES if key in value), [])
                state = LISTED.get(checks.text(result.get("from_name"), "'from_name'"), LabelState.POSITIVE)
                tags = [self.names.place(tag) for tag in chosen]
                self._size(result)
                if "x" in value:
                    self._box(value, tags)
            except ValueError as error:
                self.problems.add(at, error)
                continue
            for tag in tags:
                yield tag, state, result.get("score")

    def _label(self, name: Any, state: LabelState, where: str) -> None:
        try:
            self.labels.append(RecordLabel(self.names.place(name), state))
        except ValueError as error:
            self.problems.add(where, error)

    def _size(self, result: dict[str, Any]) -> None:
        if result.get("original_width") and result.get("original_height"):
            self.width = checks.whole(result["original_width"], "'original_width'")
            self.height = checks.whole(result["original_height"], "'original_height'")

    def _box(self, value: dict[str, Any], tags: list[int]) -> None:
        percents = checks.box([checks.needed(value, side) for side in ("x", "y", "width", "height")])
        left, top, width, height = (percent / 100 for percent in percents)
        boxes = [scaled(tag, (left, top, width, height), self.width, self.height) for tag in tags]
        self.boxes += [box for box in boxes if box is not None]


def _person(value: Any) -> str:
    """Who completed an annotation: Label Studio names a number, or an object with an address."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"Label Studio {value}"
    return checks.text(value, "'completed_by'")


def _time(value: Any) -> Any:
    """Exports of a database write a number of milliseconds."""
    return value / 1000 if isinstance(value, int) and value > 1 << 33 else value
