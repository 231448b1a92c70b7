"""The ASGI application: Streamlit's script, our routes beside it, and the worker it keeps running."""

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import config

from annotator.web.routes import ROUTES
from annotator.web.server import supervised_worker

OPTIONS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "server.headless": True,  # opens no window and asks for no e-mail address
    "client.toolbarMode": "minimal",
    "client.showSidebarNavigation": False,
    "server.fileWatcherType": "none",
    "theme.primaryColor": "#2563eb",
    "theme.baseRadius": "medium",
    "theme.dark.primaryColor": "#60a5fa",
}


def make_app() -> st.App:
    """The application that uvicorn serves; `streamlit run streamlit_app.py` takes the same."""
    for name, value in OPTIONS.items():
        config.set_option(name, value)
    return st.App(Path(__file__).parent / "main.py", routes=ROUTES, lifespan=supervised_worker)
