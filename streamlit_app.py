"""The browser app. Started by `annotator ui` and `make run`; `streamlit run streamlit_app.py` works too."""

import streamlit as st
from starlette.middleware import Middleware

from annotator.ui.app import SCRIPT, configure
from annotator.web import sign_in
from annotator.web.gate import Gate
from annotator.web.routes import ROUTES
from annotator.web.server import supervised_worker

configure()
# Written out here: `streamlit run` looks for this very call in the file it is given.
app = st.App(SCRIPT, routes=[*ROUTES, *sign_in.ROUTES], lifespan=supervised_worker, middleware=[Middleware(Gate)])
