"""Plots that several pages show."""

import altair as alt
import pandas as pd
import streamlit as st

from annotator.services import models
from annotator.ui.words import say
from annotator.workspace import Workspace


def learning_curve(workspace: Workspace) -> None:
    """mAP on held-out answers by answered images, a point a model; a line of text before there is one."""
    answered, held_out, number = (say(f"home.{key}") for key in ("answered_axis", "held_out_axis", "model"))
    history = [
        {answered: model.metrics["answered_images"], held_out: model.metrics["mAP"], number: model.id}
        for model in models.history(workspace)
        if model.metrics.get("mAP") is not None
    ]
    if not history:
        st.caption(say("home.curve"))
        return
    chart = alt.Chart(pd.DataFrame(history)).encode(
        x=alt.X(
            f"{answered}:Q",
            scale=alt.Scale(domainMin=0, nice=True),
            axis=alt.Axis(format=",d", tickMinStep=1),
        ),
        y=alt.Y(f"{held_out}:Q", scale=alt.Scale(domain=[0, 1])),
        tooltip=[number, answered, held_out],
    )
    st.altair_chart(chart.mark_line() + chart.mark_point(filled=True, size=70))
