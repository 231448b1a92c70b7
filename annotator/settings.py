"""The only place that reads the environment. Every field can be set as ``ANNOTATOR_<NAME>``."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What may differ between two machines that run the same workspace."""

    model_config = SettingsConfigDict(env_prefix="ANNOTATOR_", extra="ignore")

    workspace: Path = Field(Path("workspace"), description="the workspace folder")
    database: str | None = Field(None, description="database URL; default: store.sqlite in the workspace")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")
    name: str = Field("me", description="who labels when nobody signed in (one person, 127.0.0.1 only)")
    hosts: str = Field("", description="names, besides localhost, that this server is known by; separated by commas")
    oidc: bool = Field(False, description="people sign in at the identity provider of .streamlit/secrets.toml")
    oidc_trusts_email: bool = Field(
        False, description="take the provider's e-mail addresses where it does not say whether it verified them"
    )
    import_from: str = Field(
        "", description="folders that admins may import from in the browser where people sign in; separated by commas"
    )
    sign_in_hours: float = Field(336, gt=0, description="after which a person has to sign in again")
    language: str = Field("en", description="language of the browser part: a file of annotator/ui/words")
    webhook_secret: str | None = Field(None, description="key that signs what `annotator watch` posts")
    workers: int = Field(0, ge=0, description="decoding processes; 0: one a core")
    real_data: Path = Field(Path("../shared/data"), description="labelled pictures for tests and benchmarks")

    @property
    def host_names(self) -> list[str]:
        """`hosts` as a list."""
        return [name.strip() for name in self.hosts.split(",") if name.strip()]

    @property
    def import_folders(self) -> list[Path]:
        """`import_from` as a list."""
        return [Path(name.strip()) for name in self.import_from.split(",") if name.strip()]


def serve_workspace(folder: Path) -> None:
    """Make `folder` the workspace of this process and of those it starts."""
    os.environ["ANNOTATOR_WORKSPACE"] = str(folder)
