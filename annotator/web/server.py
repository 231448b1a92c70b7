"""Start the app: uvicorn, because `streamlit run` forgets TCP_NODELAY and each small file then waits 44 ms."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from annotator.errors import UsageError
from annotator.settings import serve_workspace
from annotator.workspace import Workspace, current

LOCAL = "127.0.0.1"
RESTART_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 75  # a person looks longer at a picture than the 5 seconds after which uvicorn hangs up


@asynccontextmanager
async def supervised_worker(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Keep one worker process running beside the server; a killed one is started again."""
    workspace = current()
    task = asyncio.create_task(_keep_running(str(workspace.folder)))
    try:
        yield {}
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_running(folder: str) -> None:
    process: subprocess.Popen[bytes] | None = None
    try:
        while True:
            if process is None or process.poll() is not None:
                process = _start(folder)
            await asyncio.sleep(RESTART_SECONDS)
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)


def _start(folder: str) -> subprocess.Popen[bytes]:
    """The worker as its own process group member: training in a thread of the server would slow every answer."""
    command = [sys.executable, "-m", "annotator.cli", "worker", "-w", folder, "--parent", str(os.getpid()), "--nice"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def serve(folder: Path, port: int, host: str = LOCAL) -> None:
    """Serve the app for `folder` on `host` until it is interrupted. Raises UsageError for a port that is taken.

    On other addresses than this machine's own nobody gets in who has not signed in (annotator.web.gate).
    """
    import uvicorn

    serve_workspace(folder)
    if not _is_free(port):
        raise UsageError(f"port {port} is taken; choose another one: annotator ui --port {port + 1}")
    sys.stderr.write(f"Annotator is on http://{host}:{port} (Ctrl+C ends it)\n")
    uvicorn.run(
        "streamlit_app:app", host=host, port=port, log_level="warning", access_log=False, log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )  # fmt: skip


def stop_condition(workspace: Workspace, parent: int | None, *, nice: bool, once: bool) -> Callable[[], bool]:
    """When a worker ends: on a signal, with its parent, or (`once`) when nothing is left to do."""
    stopped = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if nice:
        os.nice(10)

    def should_stop() -> bool:
        if stopped or (parent is not None and os.getppid() != parent):
            return True
        return once and _nothing_to_do(workspace)

    return should_stop


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _nothing_to_do(workspace: Workspace) -> bool:
    from annotator import jobs

    return jobs.is_ready(workspace) and not any(job.is_open for job in jobs.list_jobs(workspace))
