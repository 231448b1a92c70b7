import io

import pandas as pd
import pytest

from annotator.ui.tables import csv_of


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(cell: str) -> None:
    written = csv_of(pd.DataFrame({cell: [cell, "plain"]}))
    read = pd.read_csv(io.BytesIO(written), encoding="utf-8-sig", lineterminator="\n")
    assert read.iloc[0, 0].startswith("'") and read.columns[0].startswith("'")
    assert read.iloc[1, 0] == "plain"


def test_numbers_stay_numbers() -> None:
    assert csv_of(pd.DataFrame({"n": [-1, 2]})).decode("utf-8-sig").split() == ["n", "-1", "2"]
