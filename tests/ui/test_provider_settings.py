"""What is missing for a sign-in at an identity provider is told when the app starts, and what would do."""

import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit import config

from annotator.errors import UsageError
from annotator.settings import Settings
from annotator.ui import provider

ROOT = Path(__file__).parent.parent.parent
WHOLE = {
    "redirect_uri": "https://labels.example.org/oauth2callback", "cookie_secret": "0" * 64, "client_id": "annotator",
    "client_secret": "x", "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [])
    st.secrets._reset()
    yield Settings(workspace=tmp_path / "workspace", oidc=True)
    config.set_option("secrets.files", before)
    st.secrets._reset()


def write(settings: Settings, values: dict[str, Any]) -> None:
    file = settings.workspace / provider.SECRETS
    file.parent.mkdir(parents=True)
    file.write_text("[auth]\n" + "".join(f'{name} = "{value}"\n' for name, value in values.items()))


def test_the_client_written_into_the_workspace_is_found(settings: Settings) -> None:
    write(settings, WHOLE)
    provider.prepare(settings)
    assert st.secrets["auth"]["client_id"] == "annotator"


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_written_down_is_named(settings: Settings, name: str) -> None:
    write(settings, {key: value for key, value in WHOLE.items() if key != name})
    with pytest.raises(UsageError, match=rf"needs {name} under \[auth\] in .*secrets.toml"):
        provider.prepare(settings)


def test_without_any_file_everything_is_named(settings: Settings) -> None:
    with pytest.raises(UsageError, match="needs redirect_uri, cookie_secret, client_id, client_secret, server_meta"):
        provider.prepare(settings)


def test_a_cookie_secret_that_can_be_guessed_is_refused(settings: Settings) -> None:
    write(settings, {**WHOLE, "cookie_secret": "xxx"})
    with pytest.raises(UsageError, match=r"has 3 characters.*token_hex"):
        provider.prepare(settings)


def test_an_address_the_provider_cannot_send_back_to_is_refused(settings: Settings) -> None:
    write(settings, {**WHOLE, "redirect_uri": "https://labels.example.org/"})
    with pytest.raises(UsageError, match="oauth2callback"):
        provider.prepare(settings)


def test_without_authlib_the_extra_that_brings_it_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(provider, "find_spec", lambda name: None if name == "authlib" else there(name))
    with pytest.raises(UsageError, match=r"annotator\[oidc\]"):
        provider.prepare(settings)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any("authlib" in one.lower() for one in extras["oidc"])
