"""What tests share: real workspaces on SQLite and on PostgreSQL, real pictures, and where the labelled packs are."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests run in as many processes as there are cores: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from annotator.settings import Settings
from annotator.workspace import Workspace

SAMPLES = Path(__file__).parent.parent / "data_samples"
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers, the command line and the worker first: what takes longest must not be left for the end, when other
    processes have nothing to do any more."""
    tests = Path(__file__).parent
    items.sort(key=lambda item: (item.path.parent != tests / "ui", item.path.parent != tests))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the 48 committed pictures, with labels.csv and tags.yaml."""
    return SAMPLES


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of labelled packs; the test is skipped where it is absent."""
    folder = Settings().real_data
    if not (folder / "README.md").exists():
        pytest.skip(f"no labelled packs in {folder}; set ANNOTATOR_REAL_DATA to their folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def tiny_open_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The specification of a small open_clip model of our own configuration, saved as a checkpoint."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny-for-tests.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-for-tests").state_dict(), folder / "tiny.pt")
    return f"open_clip:tiny-for-tests@{folder / 'tiny.pt'}"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of this session; skipped where none is installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(programs[-1]) if programs else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    base = Path("/tmp") / f"annotator-pg-{uuid.uuid4().hex[:8]}"  # the socket's path must be short
    base.mkdir()
    # PostgreSQL refuses to run as root: there, the package's own user runs it.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(base, user)
    port = _free_port()
    run = (
        {"user": user, "check": True, "capture_output": True, "cwd": "/"}
        if user
        else {"check": True, "capture_output": True}
    )
    subprocess.run([initdb, "-D", f"{base}/data", "-A", "trust", "-U", "postgres", "--no-sync"], **run)
    postgres = str(Path(initdb).with_name("postgres"))
    command = [postgres, "-D", f"{base}/data", "-p", str(port), "-h", "127.0.0.1", "-k", str(base), "-F"]
    server = subprocess.Popen(command, user=user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: all its data is thrown away
        server.wait(20)
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace on SQLite."""
    with Workspace.create(tmp_path / "workspace", Settings(device="cpu", workers=2)) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace on each kind of store."""
    url = None
    if request.param == "postgres":
        from sqlalchemy import create_engine, text

        server = request.getfixturevalue("postgres_server")
        name = f"test_{uuid.uuid4().hex[:10]}"
        engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = f"{server}/{name}"
    with Workspace.create(tmp_path / "workspace", Settings(device="cpu", workers=2, database=url)) as made:
        yield made


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords kept the same way in a thousandth of the work."""
    from argon2 import PasswordHasher

    from annotator.services import accounts

    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)
    accounts._nobodys_hash.cache_clear()


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `filled` is a copy of: made once, because importing and embedding take their time."""
    from annotator.services import embedding, suggesting, vocabulary
    from annotator.services.importing import import_pictures

    folder = tmp_path_factory.mktemp("filled") / "workspace"
    with Workspace.create(folder, Settings(device="cpu", workers=2)) as made:
        vocabulary.add_from_file(made, SAMPLES / "tags.yaml")
        import_pictures(made, [SAMPLES / "images"])
        embedding.embed(made)
        suggesting.refresh(made)
    return folder


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with the 48 committed pictures, their vocabulary and descriptor embeddings."""
    shutil.copytree(filled_once, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace", Settings(device="cpu", workers=2)) as copied:
        yield copied


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(0.3)
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port} after {seconds} s")
