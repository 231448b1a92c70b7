"""The served app and a browser for it, as the benchmarks of the browser part and its tests use them."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
START_SECONDS = 90.0
APP = ("annotator.cli", "ui")


def until(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of `what`; an error where none comes."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"never true within {seconds} s")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server in a process of its own; it can be killed and started again on the same port."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        """`command`: a Python module and its arguments; {port} in them is the port. `environment`: None is ours."""
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, "-m", *(part.format(port=self.port) for part in command)]
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        until(self.answers, START_SECONDS)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)


def app(folder: Path) -> Server:
    """The app on a workspace."""
    return Server(*APP, "-w", str(folder), "--port", "{port}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window. Ends the program where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no browser: neither chromium nor google-chrome is on the PATH")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield launched
        finally:
            launched.close()
