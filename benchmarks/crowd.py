"""Twenty people at once: python -m benchmarks.crowd [--quick] [--store sqlite postgres] [--overlap 1 3].

Scripted annotators, each with a sign-in, a labelling session and an outbox of their own, in a process beside the
server: they fetch the questions and pictures a browser would fetch, think, answer and wait for the acknowledgement.
Every answer's time from sending to acknowledged is kept; afterwards it is counted whether a question was handed to two
people, an image twice to one person or to more people than the overlap asks, whether anybody saw a lock of the store,
and whether every answer is in it. A PostgreSQL server of its own is started where no --database is named.
"""

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import func, insert, select, update

from annotator.services.tasks import Band
from annotator.settings import Settings
from annotator.terms import TaskKind
from annotator.web.signing import page_token
from annotator.workspace import Workspace
from benchmarks import million, postgres, report
from benchmarks.serving import app
from data_samples.scenes import write_scenes
from db.models import Submission, Task

PEOPLE = 20
TAGS = 24
AHEAD = 12
THINK_SECONDS = (0.3, 0.9)  # quick people: 0.6 s a picture
IMAGES, SCENES = 60_000, 300
QUICK_IMAGES = 6_000
STORES = ("sqlite", "postgres")
LOCKED = re.compile("lock|busy|serialize|Internal Server Error", re.IGNORECASE)


@dataclass
class Person:
    """One scripted annotator, what they waited for, and what they did."""

    name: str
    rng: random.Random
    client: str = field(default_factory=lambda: uuid.uuid4().hex)
    seq: int = 0
    acknowledge: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    handed: dict[int, int] = field(default_factory=dict)
    """Image by question."""

    async def work(self, base: str, token: str, until: float) -> None:
        limits = httpx.Limits(max_connections=6)  # as a browser
        async with httpx.AsyncClient(base_url=base, timeout=30, limits=limits) as http:
            (await http.post("/api/sign-in", json={"token": token})).raise_for_status()
            begun = await http.post("/api/sessions/begin", json={"mode": "label"})
            session = begun.json()["session"]
            queue: list[dict[str, Any]] = []
            while time.monotonic() < until:
                if len(queue) <= AHEAD // 2:
                    await self._refill(http, queue)
                if not queue:
                    await asyncio.sleep(0.5)
                    continue
                question = queue.pop(0)
                await asyncio.sleep(self.rng.uniform(*THINK_SECONDS))
                await self._answer(http, question, session)

    async def _refill(self, http: httpx.AsyncClient, queue: list[dict[str, Any]]) -> None:
        have = [question["task"] for question in queue]
        try:
            response = await http.post("/api/claim", json={"tag": None, "count": AHEAD - len(queue), "have": have})
        except httpx.TransportError as error:
            self.refused[f"questions: {type(error).__name__}"] += 1
            return
        if response.status_code != 200:
            self.refused[response.text[:80]] += 1
            return
        fresh = response.json()["questions"]
        queue += fresh
        self.handed.update((one["task"], one["image"]) for one in fresh)
        await asyncio.gather(*(self._look(http, one["image"]) for one in fresh))

    async def _look(self, http: httpx.AsyncClient, row: int) -> None:
        """Fetch a picture; as a browser, again where the server had just closed an idle connection."""
        for _ in range(3):
            try:
                response = await http.get(f"/api/pictures/1280/{row}")
            except httpx.TransportError as error:
                self.refused[f"picture: {type(error).__name__}"] += 1
                continue
            if response.status_code != 200:
                self.refused[f"picture: {response.status_code}"] += 1
            return

    async def _answer(self, http: httpx.AsyncClient, question: dict[str, Any], session: int) -> None:
        self.seq += 1
        labels = [[question["image"], one["tag"], int(self.rng.random() < 0.1)] for one in question["suggestions"]]
        answer = {
            "seq": self.seq, "labels": labels, "tasks": [question["task"]], "seconds": 0.6, "mode": "label",
            "session": session,
        }  # fmt: skip
        while True:
            began = time.monotonic()
            try:
                response = await http.post("/api/answers", json={"client": self.client, "answers": [answer]})
            except httpx.TransportError as error:
                self.refused[f"answer: {type(error).__name__}"] += 1
                continue
            if response.status_code == 200 and response.json()["acked"] >= self.seq:
                break
            self.refused[response.text[:80]] += 1
            await asyncio.sleep(0.25)
        self.acknowledge.append(time.monotonic() - began)


async def crowd(base: str, tokens: dict[str, str], seconds: float) -> list[Person]:
    people = [Person(name, random.Random(place)) for place, name in enumerate(tokens)]
    until = time.monotonic() + seconds
    await asyncio.gather(*(person.work(base, tokens[person.name], until) for person in people))
    return people


def run(workspace: Workspace, people: int, seconds: float, overlap: int = 1) -> dict[str, Any]:
    """Let `people` work for `seconds`; what they held, waited for, and what the store says afterwards."""
    names = [f"person {number}" for number in range(people)]
    with app(workspace.folder) as server:
        tokens = {name: page_token(workspace, name) for name in names}
        found = asyncio.run(crowd(server.base, tokens, seconds))
    waits = [wait for person in found for wait in person.acknowledge]
    handed = Counter(task for person in found for task in person.handed)
    refused: Counter[str] = sum((person.refused for person in found), Counter())
    people_on = Counter(image for person in found for image in set(person.handed.values()))
    return {
        "store": workspace.engine.dialect.name,
        "overlap": overlap,
        "people": people,
        "minutes": round(seconds / 60, 1),
        "answers": len(waits),
        "answers_per_s": round(len(waits) / seconds, 1),
        "acknowledge_median_ms": round(1000 * float(np.median(waits)), 1),
        "acknowledge_p95_ms": round(1000 * float(np.percentile(waits, 95)), 1),
        "handed_out": len(handed),
        "handed_out_twice": sum(count - 1 for count in handed.values()),
        "image_twice_to_one_person": sum(len(one.handed) - len(set(one.handed.values())) for one in found),
        "most_people_on_an_image": max(people_on.values(), default=0),
        "images_by_people": {str(count): number for count, number in sorted(Counter(people_on.values()).items())},
        "lock_errors": sum(number for words, number in refused.items() if LOCKED.search(words)),
        "refused": dict(refused),
        **_stored(workspace, found),
    }


def _stored(workspace: Workspace, people: list[Person]) -> dict[str, Any]:
    clients = [person.client for person in people]
    with workspace.reading() as session:
        stored = session.scalar(select(func.count(Submission.id)).where(Submission.client.in_(clients))) or 0
    acknowledged = sum(len(person.acknowledge) for person in people)
    return {"stored": stored, "lost": max(0, acknowledged - stored), "doubled": max(0, stored - acknowledged)}


def make(folder: Path, images: int, database: str | None = None, overlap: int = 1) -> Workspace:
    """Rows for many images that show a few hundred drawn scenes: rows are what a crowd wears out, not pixels.

    Half of the images are asked about, each of `overlap` people.
    """
    write_scenes(folder / "scenes", min(images, SCENES), seed=4)
    photos = sorted((folder / "scenes" / "images").iterdir())
    settings = Settings(device="cpu", database=database)
    made = million.make(folder / "workspace", photos, images, TAGS, images // 2, 0, answered=0, settings=settings)
    made.change_project(overlap=overlap)
    with made.transaction() as session:
        asked = session.execute(select(Task.image_row, Task.position, Task.reason).order_by(Task.position)).all()
        # The copies stand close behind: people meet on the same images within the minutes that are measured.
        start = Band.PICK.position(0)
        session.execute(update(Task).values(position=start + (Task.position - start) * overlap))
        copies = [
            {
                "kind": TaskKind.PICK, "image_row": row, "position": start + (position - start) * overlap + copy,
                "reason": reason,
            }
            for row, position, reason in asked for copy in range(1, overlap)
        ]  # fmt: skip
        if copies:
            session.execute(insert(Task), copies)
    return made


@contextmanager
def store(name: str, database: str | None) -> Iterator[str | None]:
    """The URL of an empty database, None for SQLite."""
    if name == "sqlite":
        yield None
    elif database is not None:
        yield database
    else:
        with postgres.server() as url:
            yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute each")
    parser.add_argument("--seconds", type=float, help="of work of each run; default: ten minutes")
    parser.add_argument("--store", nargs="+", choices=STORES, default=["sqlite"])
    parser.add_argument("--database", help="the URL of an empty PostgreSQL database, for one run")
    parser.add_argument("--overlap", nargs="+", type=int, default=[1])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    seconds = options.seconds or (30 if options.quick else 600)
    images = QUICK_IMAGES if seconds <= 60 else IMAGES
    found = []
    for name in options.store:
        for overlap in options.overlap:
            with (
                tempfile.TemporaryDirectory() as folder,
                store(name, options.database) as url,
                make(Path(folder), images, url, overlap) as workspace,
            ):
                found.append(run(workspace, PEOPLE, seconds, overlap))
    report.show("A crowd", [{**one, "refused": json.dumps(one["refused"])} for one in found])
    report.write(options.json, found)


if __name__ == "__main__":
    main()
