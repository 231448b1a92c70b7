"""What the ASGI application is made of: Streamlit's script and its options. streamlit_app.py puts it together."""

from pathlib import Path
from typing import Any

from streamlit import config

from annotator.settings import Settings
from annotator.ui import provider

OPTIONS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "server.address": "127.0.0.1",
    "server.headless": True,  # opens no window and asks for no e-mail address
    "client.toolbarMode": "minimal",
    "client.showErrorLinks": False,  # no links to other people's services with our error texts
    "client.showSidebarNavigation": False,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 32,  # MB, kept in memory as long as the page is open; Streamlit's own limit is 200
    "theme.primaryColor": "#1d4ed8",  # dark enough for text on its own tint
    "theme.baseRadius": "medium",
    "theme.dark.primaryColor": "#60a5fa",
}

SCRIPT = Path(__file__).parent / "main.py"


def configure() -> None:
    """Streamlit's options, before it starts: quiet, local, in the project's colours.

    Raises UsageError where people are to sign in at an identity provider and something for it is missing.
    """
    settings = Settings()
    hosts = settings.host_names
    reached = {"server.corsAllowedOrigins": [f"{scheme}://{name}" for name in hosts for scheme in ("https", "http")]}
    for name, value in {**OPTIONS, **(reached if hosts else {})}.items():
        config.set_option(name, value)
    if settings.oidc:
        provider.prepare(settings)
