"""A PostgreSQL server of its own for a benchmark, thrown away afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotator.errors import MissingError
from benchmarks.serving import free_port, until

PROGRAMS = Path("/usr/lib/postgresql")


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database. Raises MissingError where PostgreSQL is not installed."""
    found = sorted(PROGRAMS.glob("*/bin"))
    if not found:
        raise MissingError(f"no PostgreSQL in {PROGRAMS} (Debian: apt-get install postgresql)")
    programs = found[-1]
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    base = Path(tempfile.mkdtemp(prefix="annotator-pg-", dir="/tmp"))  # the socket's path must be short
    if user:
        shutil.chown(base, user)
    port = free_port()
    initdb = [programs / "initdb", "-D", base / "data", "-A", "trust", "-U", "postgres"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", user=user)
    command = [programs / "postgres", "-D", base / "data", "-p", str(port), "-h", "127.0.0.1", "-k", base]
    process = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user)
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(base, ignore_errors=True)
