"""Watching: pictures that appear are taken in; labels arrive at a real receiver, in order, each acknowledged once."""

import hashlib
import hmac
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from annotator.errors import ConflictError, MissingError, UsageError
from annotator.services import embedding, labelling, suggesting, vocabulary, watching
from annotator.services.watching import NAME, SIGNATURE, Plan, Watched, watch
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Image
from tests.services.worlds import make_world

P, N, U = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


class Receiver:
    """A web server that notes what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.headers.append(dict(self.headers))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?key=hidden"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def names(self) -> list[str]:
        return [headers[NAME] for headers in self.headers]

    @property
    def taken(self) -> list[int]:
        """Ids of all labels, as a receiver has them that remembers which deliveries it took."""
        seen: dict[str, list[int]] = {}
        for body in self.bodies:
            said = json.loads(body)
            seen.setdefault(said["delivery"], [label["id"] for label in said["labels"]])
        return [number for numbers in seen.values() for number in numbers]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def world(workspace: Workspace) -> Workspace:
    make_world(workspace, 6)
    return workspace


def turns(count: int, between: Callable[[int], None] = lambda _: None) -> Callable[[], bool]:
    """A pause that ends the watching after `count` turns, and does `between` after each."""
    done = 0

    def pause() -> bool:
        nonlocal done
        done += 1
        between(done)
        return done >= count

    return pause


def seconds() -> Callable[[], float]:
    """A clock of which each look is an hour later: no waiting."""
    at = 0.0

    def clock() -> float:
        nonlocal at
        at += 3600
        return at

    return clock


def run(workspace: Workspace, plan: Plan, count: int = 1, **more: Any) -> Watched:
    return watch(workspace, plan, more.pop("pause", turns(count)), clock=more.pop("clock", seconds()))


def test_new_labels_arrive_with_who_said_what_and_what_is_accepted(world: Workspace, receiver: Receiver) -> None:
    run(world, Plan(webhook=receiver.url))
    labelling.set_labels(world, "anna", [(0, 1, P), (1, 2, U)])
    labelling.set_labels(world, "ben", [(0, 1, N)])
    watched = run(world, Plan(webhook=receiver.url))
    assert (watched.deliveries, watched.labels, watched.failures) == (1, 3, 0)
    labels = json.loads(receiver.bodies[0])["labels"]
    assert [(one["file"], one["tag"], one["by"], one["state"], one["previous"], one["accepted"]) for one in labels] == [
        ("/pictures/0.jpg", "boat", "anna", "positive", None, "unknown"),
        ("/pictures/1.jpg", "car", "anna", "unknown", None, "unknown"),
        ("/pictures/0.jpg", "boat", "ben", "negative", None, "unknown"),
    ]
    assert len(labels[0]["sha256"]) == 64


def test_labels_from_before_are_sent_only_on_request(world: Workspace, receiver: Receiver) -> None:
    labelling.set_labels(world, "anna", [(0, 1, P)])
    assert run(world, Plan(webhook=receiver.url)).labels == 0
    other = receiver.url + "&other"
    assert run(world, Plan(webhook=other, all_labels=True)).labels == 1


def test_what_arrived_is_not_sent_again(world: Workspace, receiver: Receiver) -> None:
    labelling.set_labels(world, "anna", [(0, 1, P)])
    plan = Plan(webhook=receiver.url, all_labels=True)
    assert [run(world, plan, 3).labels, run(world, plan).labels] == [1, 0]
    assert receiver.names == ["1-1"]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 302])
def test_what_is_not_acknowledged_is_sent_again_under_its_name(
    world: Workspace, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status, status]
    labelling.set_labels(world, "anna", [(0, 1, P)])

    def answer(turn: int) -> None:
        if turn == 1:
            labelling.set_labels(world, "anna", [(1, 1, P)])

    watched = run(world, Plan(webhook=receiver.url, all_labels=True), pause=turns(3, answer))
    assert receiver.names == ["1-1", "1-1", "1-1", "2-2"]
    assert len(set(receiver.bodies[:3])) == 1
    assert (watched.failures, watched.labels, watched.problem) == (2, 2, "")


def test_a_restart_after_a_lost_acknowledgement_repeats_the_same_delivery(
    world: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the receiver's answer and writing it down, with new labels before the restart."""
    plan = Plan(webhook=receiver.url, all_labels=True)
    labelling.set_labels(world, "anna", [(0, 1, P), (1, 1, P)])

    class Killed(BaseException):
        pass

    post = watching.Post._post

    def die(self: watching.Post, name: str, body: bytes) -> str:
        post(self, name, body)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(watching.Post, "_post", die)
        with pytest.raises(Killed):
            run(world, plan)
    labelling.set_labels(world, "anna", [(2, 1, P)])
    run(world, plan)
    assert receiver.names == ["1-2", "1-2", "3-3"]
    assert receiver.taken == [1, 2, 3]


def test_many_labels_are_several_deliveries(
    world: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST", 4)
    labelling.set_labels(world, "anna", [(row, tag, P) for row in range(5) for tag in (1, 2)])
    assert run(world, Plan(webhook=receiver.url, all_labels=True)).labels == 10
    assert receiver.names == ["1-4", "5-8", "9-10"]
    assert receiver.taken == list(range(1, 11))


def test_a_receiver_that_is_down_is_asked_less_and_less_often(world: Workspace, receiver: Receiver) -> None:
    url, times, now = receiver.url, list[float](), 0.0
    receiver.answers = [500] * 100
    labelling.set_labels(world, "anna", [(0, 1, P)])

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    def count(_: int) -> None:
        times[len(times) : len(receiver.bodies)] = [now] * (len(receiver.bodies) - len(times))

    watched = run(world, Plan(webhook=url, all_labels=True), pause=turns(1000, count), clock=clock)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert "500" in watched.problem


def test_a_receiver_that_is_not_there_is_told_of_without_the_secret_part(world: Workspace, receiver: Receiver) -> None:
    labelling.set_labels(world, "anna", [(0, 1, P)])
    url = receiver.url.replace("http://", "http://user:word@")
    receiver.server.server_close()
    watched = run(world, Plan(webhook=url, all_labels=True))
    assert "127.0.0.1" in watched.problem
    assert not {"hidden", "word"} & set(watched.problem.replace("=", " ").replace("@", " ").split())


def test_deliveries_are_signed(world: Workspace, receiver: Receiver) -> None:
    labelling.set_labels(world, "anna", [(0, 1, P)])
    run(world, Plan(webhook=receiver.url, secret="key", all_labels=True))
    digest = hmac.new(b"key", receiver.bodies[0], hashlib.sha256).hexdigest()
    assert receiver.headers[0][SIGNATURE] == f"sha256={digest}"


def test_pictures_that_appear_are_taken_in_embedded_and_scored(
    workspace: Workspace, samples: Path, tmp_path: Path
) -> None:
    vocabulary.add_from_file(workspace, samples / "tags.yaml")
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    pictures = sorted((samples / "images").iterdir())
    shutil.copy(pictures[0], incoming)
    assert run(workspace, Plan(folder=incoming)).embedded == 0, "no backbone is in use yet"
    embedding.embed(workspace)

    def copy(turn: int) -> None:
        content = pictures[turn].read_bytes()
        (incoming / pictures[turn].name).write_bytes(content if turn > 1 else content[: len(content) // 2])

    watched = run(workspace, Plan(folder=incoming), pause=turns(4, copy))
    assert (watched.images, watched.embedded, watched.refused) == (2, 2, 1)
    (incoming / pictures[1].name).write_bytes(pictures[1].read_bytes())
    assert run(workspace, Plan(folder=incoming)).images == 2, "the one that is whole now, and the last one copied"
    board = suggesting.current(workspace)
    with workspace.reading() as session:
        assert board is not None
        assert len(board.scores) == session.query(Image).count() == 5


def test_a_plan_that_cannot_be_kept_says_what_would_do(world: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--folder, --webhook"):
        run(world, Plan())
    with pytest.raises(MissingError, match="gone"):
        run(world, Plan(folder=tmp_path / "gone"))
    for url in ("ftp://x/y", "file:///etc/passwd", "example.org", "http://"):
        with pytest.raises(UsageError, match="http"):
            run(world, Plan(webhook=url))


def test_one_watcher_at_a_time(world: Workspace, receiver: Receiver) -> None:
    with FileLock(world.folder / "watch.lock"), pytest.raises(ConflictError, match="another"):
        run(world, Plan(webhook=receiver.url))
