"""Long work in real worker processes: killed, cancelled, failed, told."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from annotator import jobs
from annotator.errors import ForbiddenError, MissingError, UnknownNameError
from annotator.progress import silent
from annotator.services import accounts, labelling, replaying
from annotator.services.embedding import current_backbone
from annotator.services.importing import import_pictures
from annotator.settings import Settings
from annotator.terms import JobState, Role
from annotator.workspace import Workspace
from tests.services.worlds import make_world, whole

COUNT = 400  # several batches: long enough to be killed in the middle of them
PATIENCE = 60.0


@pytest.fixture
def stocked(tmp_path: Path) -> Iterator[Workspace]:
    """Many small pictures, and one decoding thread, so that work takes a while."""
    rng = np.random.default_rng(1)
    (tmp_path / "pictures").mkdir()
    for number in range(COUNT):
        picture = Picture.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize((32, 32))
        picture.save(tmp_path / "pictures" / f"{number:04}.bmp")
    with Workspace.create(tmp_path / "workspace", Settings(device="cpu", workers=1)) as workspace:
        import_pictures(workspace, [tmp_path / "pictures"])
        yield workspace


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts workers, and ends those that still run when the test does."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(workspace: Workspace, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "annotator.cli", "worker", "-w", str(workspace.folder), *options]
        env = {**os.environ, "ANNOTATOR_DEVICE": "cpu", "ANNOTATOR_WORKERS": "1"}
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def wait_for(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"no {what} after {PATIENCE} s")


def job_of(workspace: Workspace, job_id: str) -> jobs.Job:
    return next(job for job in jobs.list_jobs(workspace) if job.id == job_id)


def progress_of(workspace: Workspace, job_id: str) -> int:
    file = workspace.jobs_folder / f"{job_id}.json"
    told = json.loads(file.read_text()) if file.exists() else {}
    return int(told.get("done", 0)) if told.get("what") == "embedding" else 0


def test_without_a_worker_the_command_is_told(workspace: Workspace) -> None:
    assert jobs.list_jobs(workspace) == []
    assert not jobs.worker_is_alive(workspace)
    with pytest.raises(MissingError, match="annotator worker -w"):
        jobs.enqueue(workspace, "embed")
    with pytest.raises(MissingError, match="no job 'x'"):
        jobs.cancel(workspace, "x")


def test_an_unknown_kind_of_job_brings_the_near_one(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'embed'"):
        jobs.enqueue(workspace, "embedd")


def test_who_may_train_may_not_therefore_import(workspace: Workspace) -> None:
    """The worker may do everything, whoever asked it."""
    accounts.add(workspace, "Ada", Role.ADMIN, email="ada@example.org")
    accounts.add(workspace, "Rob", Role.REVIEWER, email="rob@example.org")
    for kind in ("import", "import_labels"):
        with pytest.raises(ForbiddenError, match="Rob may not import"):
            jobs.enqueue(workspace.acting_for("Rob"), kind, paths=["/etc"])
        with pytest.raises(MissingError, match="no worker"):
            jobs.enqueue(workspace.acting_for("Ada"), kind, paths=["/etc"])


def test_the_job_embeds_tiles_where_they_are_asked_for(filled: Workspace) -> None:
    asked = jobs.KINDS["embed"](filled, {"tiles": True}, silent)
    assert (asked["new"], asked["tiles"]["new"]) == (0, 48)
    assert jobs.KINDS["embed"](filled, {}, silent)["tiles"]["images"] == 48


@pytest.mark.slow
def test_jobs_survive_a_killed_worker_and_end_when_told(
    stocked: Workspace, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    """One life of a workspace's jobs, in one test because each worker takes a second to start."""
    first = start(stocked)
    wait_for(lambda: jobs.is_ready(stocked), "ready worker")

    assert jobs.worker_is_alive(stocked)
    embed = jobs.enqueue(stocked, "embed")
    wait_for(lambda: 0 < progress_of(stocked, embed) < COUNT, "progress of the embedding")
    os.kill(first.pid, signal.SIGKILL)
    first.wait(20)
    assert not jobs.worker_is_alive(stocked)
    killed = job_of(stocked, embed)
    assert killed.state == JobState.RUNNING
    assert (killed.kind, killed.total) == ("embed", COUNT)
    assert killed.is_open

    assert jobs.enqueue(stocked, "embed") == embed  # not doubled while it is open
    waiting = jobs.enqueue(stocked, "train")
    other = jobs.enqueue(stocked, "import", paths=[str(stocked.folder / "nowhere")])
    jobs.cancel(stocked, waiting)
    assert job_of(stocked, waiting).state == JobState.CANCELLED

    second = start(stocked, "--once")
    assert second.wait(PATIENCE) == 0
    done = job_of(stocked, embed)
    assert (done.state, done.error) == (JobState.DONE, None)
    assert done.result is not None
    assert done.result["images"] == COUNT
    assert done.result["unreadable"] == []
    vectors = stocked.embeddings(current_backbone(stocked) or "").read()
    assert len(vectors) == COUNT
    assert np.allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)
    imported = job_of(stocked, other)
    assert imported.state == JobState.DONE
    assert imported.result is not None
    assert len(imported.result["refused"]) == 1
    assert job_of(stocked, waiting).state == JobState.CANCELLED

    for file in stocked.folder.joinpath("embeddings").rglob("*.npy"):
        file.unlink()
    again = jobs.enqueue(stocked, "embed")
    failing = jobs.enqueue(stocked, "train")  # the embedding before it is cancelled: there is nothing to train on
    missing = jobs.enqueue(stocked, "embed", backbone="onnx:nowhere.json")
    third = start(stocked, "--once")
    wait_for(lambda: 0 < progress_of(stocked, again) < COUNT, "progress of the second embedding")
    jobs.cancel(stocked, again)
    assert third.wait(PATIENCE) == 0
    assert job_of(stocked, failing).state == JobState.FAILED
    assert "annotator embed -w" in (job_of(stocked, failing).error or "")
    assert job_of(stocked, missing).state == JobState.FAILED
    assert "nowhere.json" in (job_of(stocked, missing).error or "")
    assert job_of(stocked, again).state == JobState.CANCELLED


@pytest.mark.slow
def test_a_replay_runs_in_the_worker_on_processes_of_its_own(
    workspace: Workspace, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    truth = make_world(workspace, 300, noise=0.6)
    labelling.set_labels(workspace, "anna", [label for row in range(240) for label in whole(truth, row)])
    assert start(workspace, "--once").wait(PATIENCE) == 0  # makes the queue
    asked = {"strategies": ["margin"], "heads": [], "losses": [], "seeds": 1, "budget": 20}
    job = jobs.enqueue(workspace, "replay", **asked)
    assert start(workspace, "--once").wait(PATIENCE) == 0
    done = job_of(workspace, job)
    assert (done.state, done.error, done.result) == (JobState.DONE, None, {"recipes": 2})
    report = replaying.latest(workspace)
    assert report is not None
    assert {row["strategy"] for row in report["table"]} == {"random", "margin"}
