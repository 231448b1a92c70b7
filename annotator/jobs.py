"""Long work in a worker process: durable, one at a time, with progress, cancellable.

DBOS keeps the queue in a database file of the workspace: a job that a killed worker had in hand is taken up again by
the next one, and each service resumes from what it had stored. docs/operations.md says why DBOS and not huey.
"""

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, Serializer
from filelock import FileLock, Timeout

from annotator.arrays import write_whole
from annotator.errors import AnnotatorError, MissingError, UnknownNameError
from annotator.progress import Cancelled, Progress
from annotator.services.rights import Right, needs, note, require
from annotator.terms import JobState
from annotator.workspace import Workspace

QUEUE = "long-work"
WORKFLOW = "perform"
# DBOS takes up only the jobs of its own application version: ours are resumable by any version.
APPLICATION_VERSION = "1"
STALLED_SECONDS = 15.0
POLL_SECONDS = 2.0
REPORT_SECONDS = 0.3


class JsonSerializer(Serializer):
    """Arguments and results as JSON, readable by anybody; the library's default would run code on loading."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=str)

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805, RUF100 (the base class names it so)
        return json.loads(serialized_data)

    def name(self) -> str:
        return "json"


@dataclass(frozen=True)
class Job:
    """One piece of long work as a person sees it."""

    id: str
    kind: str
    state: JobState
    done: int
    total: int
    what: str
    result: dict[str, Any] | None
    error: str | None
    started_at: datetime
    stalled: bool
    """Running by name, but nothing was heard of it: its worker was killed and none took it up yet."""

    @property
    def is_open(self) -> bool:
        return self.state in (JobState.WAITING, JobState.RUNNING)


def _import(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services.importing import import_pictures

    report = asdict(import_pictures(workspace, arguments["paths"], progress=progress))
    if arguments.get("embed"):
        _embed(workspace, {}, progress)
    return report


def _import_labels(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import arriving
    from annotator.services.import_options import ImportOptions

    options = ImportOptions(**arguments.get("options", {}))
    return arriving.import_arrived(workspace, Path(arguments["path"]), options, arguments.get("table"), progress)


def _embed(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import suggesting, tiles

    report, of_tiles = tiles.embed(workspace, arguments.get("backbone"), arguments.get("tiles"), progress)
    suggesting.refresh(workspace, progress)
    return {**asdict(report), "tiles": asdict(of_tiles) if of_tiles else None}


def _train(workspace: Workspace, _arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import picking, standing_audit, suggesting, training

    report = training.train(workspace, progress)
    suggesting.refresh(workspace, progress)
    picking.refill(workspace)
    standing_audit.keep_up(workspace)
    return asdict(report)


def _fine_tune(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.backbones.fine_tuning import TuningSettings
    from annotator.services import fine_tuning

    return asdict(fine_tuning.fine_tune(workspace, TuningSettings(**arguments), progress=progress))


def _pick(workspace: Workspace, _arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import picking

    progress(0, 1, "picking")
    return {"waiting": picking.refill(workspace)}


def _replay(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import replaying

    recipes = replaying.recipes_of(arguments["strategies"], arguments["heads"], arguments["losses"])
    report = replaying.replay_workspace(workspace, recipes, arguments["seeds"], arguments["budget"], progress)
    return {"recipes": len(report["table"])}


def _label_errors(workspace: Workspace, _arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.services import label_errors

    return label_errors.find(workspace, progress)


def _export(workspace: Workspace, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    from annotator.exporters import ExportOptions
    from annotator.services import export_shelf
    from annotator.terms import Split

    splits = tuple(Split(name) for name in arguments.pop("splits", ()))
    options = ExportOptions(splits=splits, **arguments.pop("options", {}))
    return export_shelf.make(workspace, arguments["format"], options, progress)


KINDS: dict[str, Callable[[Workspace, dict[str, Any], Progress], dict[str, Any]]] = {
    "import": _import,
    "import_labels": _import_labels,
    "embed": _embed,
    "train": _train,
    "fine_tune": _fine_tune,
    "pick": _pick,
    "replay": _replay,
    "label_errors": _label_errors,
    "export": _export,
}
NEEDED = {"import": Right.IMPORT, "import_labels": Right.IMPORT, "export": Right.EXPORT}
"""What asking for a kind needs beside the right to start long work: the worker itself may do everything."""


@needs(Right.TRAIN, logged=False)
def enqueue(workspace: Workspace, kind: str, **arguments: Any) -> str:
    """Ask the worker for `kind`; the job's id. A waiting or running job of the kind is not doubled."""
    if kind not in KINDS:
        raise UnknownNameError("job", kind, KINDS)
    require(workspace, NEEDED.get(kind, Right.TRAIN))
    for job in list_jobs(workspace):
        if job.kind == kind and job.is_open and not arguments:
            return job.id
    with closing(_Client(workspace)) as client:
        handle: Any = client.dbos.enqueue(
            {"queue_name": QUEUE, "workflow_name": WORKFLOW, "app_version": APPLICATION_VERSION}, kind, arguments
        )
        asked = str(handle.get_workflow_id())
    note(workspace, "jobs.enqueue", {"kind": kind, **arguments})
    return asked


def list_jobs(workspace: Workspace, newest: int = 20) -> list[Job]:
    """The newest jobs, the latest first; none when no worker ever ran here."""
    if not is_ready(workspace):
        return []
    with closing(_Client(workspace)) as client:
        found = client.dbos.list_workflows(name=WORKFLOW, sort_desc=True, limit=newest)
    return [_job(workspace, workflow) for workflow in found]


@needs(Right.TRAIN)
def cancel(workspace: Workspace, job_id: str) -> None:
    """Ask that a job end: a waiting one at once, a running one at its next step; what it stored stays."""
    job = next((job for job in list_jobs(workspace, newest=1000) if job.id == job_id), None)
    if job is None:
        raise MissingError(f"there is no job {job_id!r}; `annotator worker --list` shows those there are")
    if job.state == JobState.WAITING:
        with closing(_Client(workspace)) as client:
            client.dbos.cancel_workflow(job_id)
    write_whole(_cancel_file(workspace, job_id), b"")


def is_ready(workspace: Workspace) -> bool:
    """Whether a worker ever ran here, so that jobs can be asked for."""
    return _ready_file(workspace).exists()


def worker_is_alive(workspace: Workspace) -> bool:
    """Whether some process holds the worker's place in this workspace."""
    lock = FileLock(_lock_file(workspace))
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def run_worker(workspace: Workspace, should_stop: Callable[[], bool], *, retrain: bool = True) -> None:
    """Work until `should_stop()`; with `retrain`, ask for a training whenever enough was answered."""
    workspace.jobs_folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock_file(workspace))
    while not should_stop():
        try:
            lock.acquire(timeout=POLL_SECONDS)
        except Timeout:
            continue  # another worker is at it; take its place when it ends
        break
    else:
        return
    try:
        _launch(workspace)
        write_whole(_ready_file(workspace), b"")  # now the queue's tables are there
        asked, picked_at = 0, -1
        while not should_stop():
            if retrain:
                asked = _retrain_when_due(workspace, asked)
                picked_at = _pick_when_low(workspace, picked_at)
            _sleep(POLL_SECONDS, should_stop)
    finally:
        DBOS.destroy(destroy_registry=True)
        lock.release()


def _launch(workspace: Workspace) -> None:
    config: DBOSConfig = {
        "name": "annotator",
        "system_database_url": f"sqlite:///{_database(workspace).as_posix()}",
        "application_version": APPLICATION_VERSION,
        "executor_id": "worker",
        "log_level": "WARNING",
        "serializer": JsonSerializer(),
    }
    DBOS(config=config)

    @DBOS.step(name="work")
    def work(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return _perform(workspace, str(DBOS.workflow_id), kind, arguments)

    @DBOS.workflow(name=WORKFLOW)
    def perform(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return work(kind, arguments)

    DBOS.launch()
    DBOS.register_queue(QUEUE, concurrency=1, worker_concurrency=1, polling_interval_sec=0.5)


def _perform(workspace: Workspace, job_id: str, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One job; a person's error becomes the outcome, because a job that cannot work must not be tried for ever."""
    reporter = _Reporter(workspace, job_id)
    try:
        reporter(0, 0, "starting")
        result = KINDS[kind](workspace, arguments, reporter)
        return {"outcome": JobState.DONE.value, "result": result}
    except Cancelled:
        return {"outcome": JobState.CANCELLED.value}
    except AnnotatorError as error:
        return {"outcome": JobState.FAILED.value, "error": str(error)}


class _Reporter:
    """Writes a job's progress to a small file at most a few times a second, and looks whether it was cancelled."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self.file, self.cancel_file = _progress_file(workspace, job_id), _cancel_file(workspace, job_id)
        self.last = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now - self.last < REPORT_SECONDS and done < total:
            return
        self.last = now
        if self.cancel_file.exists():
            raise Cancelled
        write_whole(self.file, json.dumps({"done": done, "total": total, "what": what}).encode())


class _Client:
    def __init__(self, workspace: Workspace) -> None:
        if not is_ready(workspace):
            raise MissingError(f"no worker ever ran here; start one with: annotator worker -w {workspace.folder}")
        url = f"sqlite:///{_database(workspace).as_posix()}"
        self.dbos = DBOSClient(system_database_url=url, serializer=JsonSerializer())

    def close(self) -> None:
        self.dbos.destroy()


def _job(workspace: Workspace, workflow: Any) -> Job:
    output = workflow.output or {}
    state = {
        "ENQUEUED": JobState.WAITING,
        "DELAYED": JobState.WAITING,
        "PENDING": JobState.RUNNING,
        "CANCELLED": JobState.CANCELLED,
        "SUCCESS": JobState(output.get("outcome", "done")),
    }.get(workflow.status, JobState.FAILED)
    told = _told(workspace, workflow.workflow_id)
    arguments = workflow.input["args"] if workflow.input else ("?",)
    silent_for = time.time() - told.get("at", 0)
    return Job(
        id=workflow.workflow_id,
        kind=arguments[0],
        state=state,
        done=told.get("done", 0),
        total=told.get("total", 0),
        what=told.get("what", ""),
        result=output.get("result"),
        error=output.get("error") or (str(workflow.error) if workflow.error else None),
        started_at=datetime.fromtimestamp(workflow.created_at / 1000, UTC),
        stalled=state == JobState.RUNNING and silent_for > STALLED_SECONDS and not worker_is_alive(workspace),
    )


def _told(workspace: Workspace, job_id: str) -> dict[str, Any]:
    file = _progress_file(workspace, job_id)
    try:
        return {**json.loads(file.read_text()), "at": file.stat().st_mtime}
    except FileNotFoundError:
        return {}


def _retrain_when_due(workspace: Workspace, asked: int) -> int:
    """Ask for a training when enough was answered; the number of answered images it was asked at last."""
    from annotator.services import training

    answered = training.due_at(workspace, asked)
    if answered is None:
        return asked
    enqueue(workspace, "train")
    return answered


def _pick_when_low(workspace: Workspace, picked_at: int) -> int:
    """Ask for new questions when few wait; the number of answered images and questions it was asked at last.

    Not again at the same number: then nothing is left to be picked.
    """
    from annotator.services import picking, tasks
    from annotator.services.labelling import answered_count

    if not picking.is_low(workspace):
        return picked_at
    with workspace.reading() as session:
        # Of images of which something was said before only the questions tell that they were answered.
        answered = answered_count(session) + tasks.done_count(session)
    if answered != picked_at:
        enqueue(workspace, "pick")
    return answered


def _sleep(seconds: float, should_stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not should_stop():
        time.sleep(0.1)


def _database(workspace: Workspace) -> Path:
    return workspace.jobs_folder / "jobs.sqlite"


def _ready_file(workspace: Workspace) -> Path:
    return workspace.jobs_folder / "ready"


def _lock_file(workspace: Workspace) -> Path:
    return workspace.jobs_folder / "worker.lock"


def _progress_file(workspace: Workspace, job_id: str) -> Path:
    return workspace.jobs_folder / f"{job_id}.json"


def _cancel_file(workspace: Workspace, job_id: str) -> Path:
    return workspace.jobs_folder / f"{job_id}.cancel"
