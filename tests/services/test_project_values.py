import pytest

from annotator.errors import UnknownNameError, UsageError
from annotator.services import project_values
from annotator.workspace import Project, Workspace


def test_every_agreed_value_is_listed_with_its_meaning(workspace: Workspace) -> None:
    listed = project_values.described(workspace)
    assert [one["name"] for one in listed] == list(Project.model_fields)
    assert all(one["what"] for one in listed)


def test_values_are_changed_together(workspace: Workspace) -> None:
    project_values.change(workspace, ["overlap=2", "strategy=margin", 'exactly_one=[["day", "night"]]'])
    project = workspace.project
    assert (project.overlap, project.strategy, project.exactly_one) == (2, "margin", [["day", "night"]])


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        (["overlap=2", "overlap"], UsageError, "NAME=VALUE"),
        (["overlap=2", "overlaps=3"], UnknownNameError, "did you mean 'overlap'"),
        (["random_share=0.2", "overlap=0"], UsageError, "overlap"),
        (["overlap=many"], UsageError, "many"),
        (["overlap=2", "strategy=margins"], UnknownNameError, "did you mean 'margin'"),
        (["head=mpl"], UnknownNameError, "did you mean 'mlp'"),
        (["loss=none"], UnknownNameError, "masked_bce"),
    ],
)
def test_one_bad_change_changes_nothing(
    workspace: Workspace, changes: list[str], error: type[Exception], says: str
) -> None:
    before = workspace.project
    with pytest.raises(error, match=says):
        project_values.change(workspace, changes)
    assert workspace.project == before
