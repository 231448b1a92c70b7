"""The browser app. Started by `annotator ui` and `make run`; `streamlit run streamlit_app.py` works too."""

from annotator.ui.app import make_app

app = make_app()
