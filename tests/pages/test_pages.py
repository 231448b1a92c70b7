"""Each page runs on its own and behind the menu, on a real workspace in every stage of a project."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

import annotator.ui
from annotator import jobs
from annotator.services import (
    embedding,
    labelling,
    picking,
    rounds,
    standing_audit,
    suggesting,
    training,
    vocabulary,
    vocabulary_changes,
)
from annotator.services.importing import import_pictures
from annotator.services.scripted import answer_from_truth, answer_tag_from_truth, read_truth
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Task
from tests.pages.conftest import Opened
from tests.services.rows import add_images, add_tags
from tests.services.worlds import make_world, put_model

ROOT = Path(annotator.ui.__file__).parent.parent.parent
MAIN = ROOT / "annotator" / "ui" / "main.py"
PAGES = sorted(file.stem for file in (ROOT / "pages").glob("*.py"))
SECONDS = 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Workspace]:
    """Half answered and trained once; the tests only look at it."""
    folder = tmp_path_factory.mktemp("pages") / "workspace"
    with Workspace.create(folder, Settings(device="cpu", workers=1)) as workspace:
        vocabulary.add_from_file(workspace, samples / "tags.yaml")
        import_pictures(workspace, [samples / "images"])
        embedding.embed(workspace)
        picking.refill(workspace, 24, "random")
        answer_from_truth(workspace, read_truth(workspace, samples / "labels.csv"), "sample annotator", 24)
        training.train(workspace)
        suggesting.refresh(workspace)
        picking.refill(workspace)
        yield workspace


def run(page: str) -> AppTest:
    return AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=SECONDS).run()


def words(app: AppTest) -> str:
    """Everything the page says in its own elements."""
    kinds = (app.title, app.subheader, app.caption, app.info, app.warning, app.error, app.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def component(app: AppTest) -> dict[str, Any]:

    (element,) = app.get("bidi_component")
    data: dict[str, Any] = json.loads(element.proto.json)
    return data


@pytest.mark.parametrize("page", PAGES)
def test_each_page_runs_alone(page: str, trained: Workspace, serve: Opened) -> None:
    serve(trained)
    assert not run(page).exception


@pytest.mark.parametrize("page", PAGES)
def test_each_page_says_what_to_do_in_an_empty_workspace(page: str, workspace: Workspace, serve: Opened) -> None:
    serve(workspace)
    app = run(page)
    assert not app.exception
    assert words(app) or metrics(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_missing_workspace_is_told_on_the_page(
    page: str, tmp_path: Path, serve: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTATOR_WORKSPACE", str(tmp_path / "nowhere"))
    app = run(page)
    assert not app.exception
    assert "annotator init" in app.error[0].value


def test_the_menu_leads_to_every_page(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = AppTest.from_file(str(MAIN), default_timeout=SECONDS).run()
    assert not app.exception
    assert app.title[0].value == "Home"
    for page in PAGES:
        app.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
        assert not app.exception, page


def test_home_counts_what_is_there(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    shown = metrics(run("home"))
    assert (shown["Images"], shown["Answered images"], shown["Rounds settled"]) == ("48", "24", "0")
    assert 0 <= float(shown["Held-out mAP"]) <= 1


def test_home_asks_the_worker_for_a_training(
    trained: Workspace, serve: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _workspace, kind: asked.append(kind))
    serve(trained)
    app = run("home")
    next(button for button in app.button if button.label == "Train now").click().run()
    assert not app.exception
    assert asked == ["train"]


def test_home_asks_for_tiles_too_when_they_are_ticked(
    workspace: Workspace, samples: Path, serve: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, bool]]] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _workspace, kind, **arguments: asked.append((kind, arguments)))
    import_pictures(workspace, [samples / "images"])
    serve(workspace)
    app = run("home")
    next(button for button in app.button if button.label == "Embed them").click().run()
    app.checkbox[0].check().run()
    next(button for button in app.button if button.label == "Embed them").click().run()
    assert not app.exception
    assert asked == [("embed", {}), ("embed", {"tiles": True})]


def test_home_tells_when_the_worker_cannot_be_asked(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = run("home")
    next(button for button in app.button if button.label == "Train now").click().run()
    assert not app.exception
    assert "worker" in app.error[0].value


def test_label_hands_the_browser_a_token_and_no_vocabulary(trained: Workspace, serve: Opened) -> None:
    """A vocabulary of 100,000 tags would come again with each run of the script."""
    from annotator.web import signing

    serve(trained)
    data = component(run("label"))
    assert "tags" not in data
    assert signing.trade(trained, data["token"]).name == Settings().name  # type: ignore[union-attr]


def test_answers_are_kept_under_the_name_in_the_side_bar(trained: Workspace, serve: Opened) -> None:
    from annotator.web import signing

    serve(trained)
    app = AppTest.from_file(str(MAIN), default_timeout=SECONDS).run()
    app.sidebar.text_input[0].set_value(" Anna ").run()
    app.switch_page(str(ROOT / "pages" / "label.py")).run()
    traded = signing.trade(trained, component(app)["token"])
    assert traded is not None and traded.name == "Anna"


def test_verify_asks_about_the_tag_of_the_address(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = AppTest.from_file(str(ROOT / "pages" / "verify.py"), default_timeout=SECONDS)
    app.query_params["tag"] = "3"
    app.query_params["size"] = "60"
    data = component(app.run())
    assert (data["tag"], data["chosenSize"], data["size"]) == (3, 60, 60)


def test_names_are_shown_as_they_are_and_fetch_nothing() -> None:
    from annotator.ui import plain

    assert plain("![x](https://evil.example/x.png) *a* $b$") == (
        r"\!\[x\]\(https\://evil\.example/x\.png\) \*a\* \$b\$"
    )


def test_work_says_which_way_it_serves_and_why(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = run("work")
    assert app.caption[0].value.startswith("Label") and "whole pictures" in app.caption[0].value
    assert component(app)["turn"] == {"answers": 10}


def test_clusters_show_the_pictures_of_a_group(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = run("clusters")
    app.select_slider[0].set_value(10).run()
    assert not app.exception
    assert len(app.selectbox[0].options) == 10
    size = int(app.selectbox[0].options[0].split(": ")[1].split(" ")[0])
    assert len(component(app)["items"]) == size


def test_sessions_pause_and_end_the_persons_session(trained: Workspace, serve: Opened) -> None:
    from annotator.services import sessions
    from annotator.terms import WorkMode

    serve(trained)
    person = Settings().name
    begun = sessions.begin(trained, person, WorkMode.LABEL)
    app = run("sessions")
    next(button for button in app.button if button.label == "Pause").click().run()
    assert not app.exception
    assert sessions.report(trained, begun["session"])["state"] == "paused"
    next(button for button in app.button if button.label == "End").click().run()
    assert not app.exception
    assert f"Report of session {begun['session']}" in words(app)
    assert sessions.report(trained, begun["session"])["state"] == "ended"


@pytest.mark.parametrize("page", PAGES)
def test_every_text_of_a_page_comes_from_the_catalogue(
    page: str, trained: Workspace, serve: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a language in which every text is marked, no text is without the mark."""
    from annotator.ui import words as catalogues

    english = catalogues.catalogue("en")

    def marked(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: marked(value) for key, value in part.items()}
        return [marked(one) for one in part] if isinstance(part, list) else f"⟦{part}⟧"

    monkeypatch.setattr(catalogues, "catalogue", lambda _language: marked(english))
    serve(trained)
    app = run(page)
    assert not app.exception
    elements = [*app.title, *app.subheader, *app.caption, *app.info, *app.markdown]
    texts = [str(element.value) for element in elements if not str(element.value).lstrip().startswith("<style>")]
    widgets = (app.button, app.metric, app.selectbox, app.select_slider, app.text_input, app.checkbox)
    texts += [element.label for kind in widgets for element in kind]
    assert texts or app.get("bidi_component")
    assert not [text for text in texts if "⟦" not in text]


def test_search_finds_pictures_of_a_tag_and_says_when_there_is_none(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = run("search")
    app.text_input[0].set_value("tree").run()
    assert not app.exception and not app.error
    assert len(component(app)["items"]) == 48
    app.text_input[0].set_value("zeppelin").run()
    assert not app.exception
    assert "zeppelin" in app.error[0].value


def test_search_by_picture_finds_the_picture_itself(trained: Workspace, serve: Opened, samples: Path) -> None:
    serve(trained)
    app = run("search")
    file = sorted((samples / "images").iterdir())[5]
    app.file_uploader[0].upload(file.name, file.read_bytes(), "image/jpeg").run()
    assert not app.exception and not app.error
    items = component(app)["items"]
    assert len(items) == 48
    assert items[0]["name"] == file.name and items[0]["caption"].startswith("1.00")


def test_rounds_tells_why_it_cannot_propose(workspace: Workspace, serve: Opened) -> None:
    serve(workspace)
    app = run("rounds")
    next(button for button in app.button if button.label == "Propose a round").click().run()
    assert not app.exception
    assert app.error


def test_export_offers_a_file_of_each_format(trained: Workspace, serve: Opened) -> None:
    from annotator.exporters import EXPORTERS

    serve(trained)
    app = run("export")
    assert not app.get("link_button")
    for name in EXPORTERS:
        app.segmented_control[0].set_value(name).run()
        app.button[0].click().run()
        assert not app.exception
        assert name in app.expander[0].label
        if name == "json":
            assert metrics(app)["Images"] == "48"
            line = app.dataframe[0].value.iloc[:, 2]
            assert line[0] == line[1:].sum()


def test_a_snapshot_is_frozen_compared_and_described_on_the_page(workspace: Workspace, serve: Opened) -> None:
    add_images(workspace, 3)
    add_tags(workspace, ["boat"])
    serve(workspace)
    app = run("export")
    app.text_input[0].set_value("v1")
    _press(app, "Freeze the labels as they are")
    assert not app.exception
    assert app.dataframe[-1].value["name"].tolist() == ["v1"]
    assert [button.label for button in app.get("download_button")] == ["Data card"]
    labelling.set_labels(workspace, "anna", [(1, 1, LabelState.POSITIVE)])
    _press(app, "Show what changed")
    assert not app.exception
    assert app.dataframe[-1].value.to_numpy().tolist() == [["boat", "never asked to positive", 1]]
    app.text_input[0].set_value("v1")
    _press(app, "Freeze the labels as they are")
    assert "already" in app.error[0].value


def _press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def test_an_export_with_copied_pictures_is_left_to_the_worker(trained: Workspace, serve: Opened) -> None:
    from annotator.services import export_shelf

    serve(trained)
    app = run("export")
    app.segmented_control[0].set_value("imagefolder").run()
    app.segmented_control[1].set_value("resize").run()
    app.number_input[0].set_value(64).run()
    app.button[0].click().run()
    assert not app.exception
    jobs.run_worker(trained, lambda: not any(job.is_open for job in jobs.list_jobs(trained)), retrain=False)
    assert export_shelf.listed(trained)
    assert "imagefolder" in run("export").expander[0].label


def test_the_project_takes_over_what_a_replay_found_best(workspace: Workspace, serve: Opened) -> None:
    found = {"answers": [10, 20], "mAP": [0.2, 0.3], "f1": [0.1, 0.2]}
    table = [
        {"strategy": "random", "head": "text_anchored", "loss": "masked_bce", "mAP": 0.31, "saved": None},
        {"strategy": "typiclust", "head": "neighbours", "loss": "focal", "mAP": 0.30, "saved": 0.1},
    ]
    report = {"seeds": 1, "pool": 40, "held_out": 30, "table": table, "curves": {"one": found}}
    (workspace.folder / "replays").mkdir()
    (workspace.folder / "replays" / "latest.json").write_text(json.dumps(report))
    serve(workspace)
    app = run("replay")
    app.selectbox[0].select_index(1).run()
    next(button for button in app.button if button.label == "Use it").click().run()
    assert not app.exception
    project = workspace.project
    assert (project.strategy, project.head, project.loss) == ("typiclust", "neighbours", "focal")


@pytest.fixture
def settled(workspace: Workspace) -> Workspace:
    """A round of a sure and right model, proposed, audited and settled."""
    truth = make_world(workspace, 1_000, tags=("boat", "car"))
    put_model(workspace, truth, np.where(truth.labels == 1, 0.995, 0.0005))
    rounds.propose(workspace, "anna", whole_images=0)
    while sum(answer_tag_from_truth(workspace, truth, "bea", tag, 200) for tag in truth.tag_ids):
        rounds.progress(workspace)
    assert rounds.settle(workspace)["settled_sets"] == 4
    return workspace


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_rounds_states_what_is_proven_recomputes_a_round_and_takes_it_back(settled: Workspace, serve: Opened) -> None:
    serve(settled)
    app = run("rounds")
    proven = next(shown.value for shown in app.dataframe if "precision" in shown.value)
    assert list(proven["tag"]) == ["boat", "car"]
    assert (proven[["precision", "recall"]] >= 0.95).all(axis=None)
    assert "comes out the same, bit for bit" in words(press(app, "Recompute it"))
    taken = rounds.what_leaves(settled, 1)["taken_back"]
    assert f"takes back {taken} settled labels" in words(app)
    app.checkbox[0].check().run()
    press(app, "Roll back")
    assert [entry["status"] for entry in rounds.history(settled)] == ["rolled back"]


def test_rounds_raises_an_alarm_when_draws_contradict_what_was_settled(settled: Workspace, serve: Opened) -> None:
    serve(settled)
    assert not run("rounds").warning
    for _ in range(8):
        standing_audit.keep_up(settled)
        with settled.reading() as session:
            rows = list(session.scalars(select(Task.image_row).where(Task.tag_id == 1, Task.done_at.is_(None))))
        labelling.set_labels(settled, "carl", [(row, 1, LabelState.NEGATIVE) for row in rows])
    app = run("rounds")
    assert any("Round 1, boat" in str(warning.value) for warning in app.warning)
    assert not any("car" in str(warning.value) for warning in app.warning)


def test_rounds_compares_two_rounds_and_proposes_for_some_tags_only(settled: Workspace, serve: Opened) -> None:
    serve(settled)
    rounds.roll_back(settled, 1)
    app = run("rounds")
    app.multiselect[0].select("car").run()
    press(app, "Propose a round")
    assert not app.exception
    assert {set_["tag"] for set_ in rounds.progress(settled)["sets"]} == {"car"}
    app = run("rounds")
    compared = next(shown.value for shown in app.dataframe if "threshold 1" in shown.value)
    assert set(compared["tag"]) == {"boat", "car"}
    assert compared["threshold 2"].isna().any()


def test_rounds_lists_labels_that_contradict_each_other_and_says_how_many_vote(
    settled: Workspace, serve: Opened
) -> None:
    vocabulary_changes.make(settled, "anna", "relate", relation="excludes", tag="boat", other="car")
    labelling.set_labels(settled, "carl", [(3, 1, LabelState.POSITIVE), (3, 2, LabelState.POSITIVE)])
    settled.change_project(audit_votes=2)
    serve(settled)
    app = run("rounds")
    listed = next(shown.value for shown in app.dataframe if "against" in shown.value)
    assert (3, "boat", "car") in set(zip(listed["row"], listed["tag"], listed["against"], strict=True))
    assert "answered by 2 people" in words(app)


def test_rounds_shows_how_far_each_audit_is_and_what_lies_outside(settled: Workspace, serve: Opened) -> None:
    rounds.roll_back(settled, 1)
    rounds.propose(settled, "anna", whole_images=0)
    serve(settled)
    app = run("rounds")
    assert "Round 2 waits for audits" in words(app)
    assert {"forecast", "decision"} <= set(app.dataframe[0].value.columns)
    assert "0 of 4 sets are proved" in words(app) and "4 sets whose audit is not at its end are given up" in words(app)
    press(app, "Settle what is proved and end the round")
    assert rounds.history(settled)[-1]["status"] == "settled"


@pytest.fixture
def disputed(workspace: Workspace, serve: Opened) -> Workspace:
    """Anna sees boats on two pictures where Bea sees none."""
    make_world(workspace, 20, tags=("boat", "car"))
    for person, state in (("anna", LabelState.POSITIVE), ("bea", LabelState.NEGATIVE)):
        labelling.set_labels(workspace, person, [(row, 1, state) for row in range(2)])
    labelling.set_labels(workspace, "carl", [(0, 1, LabelState.POSITIVE)])
    serve(workspace)
    return workspace


def test_review_filters_by_cause_and_hands_the_filter_to_the_browser(disputed: Workspace) -> None:
    app = AppTest.from_file(str(ROOT / "pages" / "review.py"), default_timeout=SECONDS)
    app.query_params["cause"] = "disagreement"
    app.run()
    assert app.selectbox[0].options[1] == "People differ (2)"
    assert component(app)["filter"] == {"cause": "disagreement", "tag": None, "person": None}
    app.selectbox[2].select("carl").run()
    assert component(app)["filter"]["person"] == "carl"


def test_review_decides_many_after_a_preview_and_takes_them_back(disputed: Workspace) -> None:
    from annotator.services import reviewing

    app = run("review")
    app.toggle[0].set_value(True).run()
    app.selectbox[3].select_index(1).run()  # label wrong: the tie stays
    assert "Decides 1 labels and changes 1 of them: boat 1" in "\n".join(str(one.value) for one in app.markdown)
    assert not reviewing.items(disputed, reviewing.Filter("alarm")) and len(reviewing.items(disputed)) == 2
    press(app, "Decide them")
    assert not app.exception
    assert [item.row for item in reviewing.items(disputed)] == [1]
    press(app, "Take back your last step")
    assert len(reviewing.items(disputed)) == 2
    press(app, "Take back your last step")
    assert "nothing that could be taken back" in app.warning[0].value


def test_a_change_of_the_vocabulary_is_looked_at_made_and_undone(filled: Workspace, serve: Opened) -> None:
    first = min(name for _, name, _ in vocabulary.browser_list(filled)["tags"])
    vocabulary_changes.make(filled, "me", "describe", tag=first, examples=[0, 1])
    serve(filled)
    app = run("vocabulary")
    assert not app.exception
    assert app.get("image")
    chosen = next(box for box in app.selectbox if box.label == "Tag to edit")
    chosen.select(next(tag for tag in range(1, 30) if name_of(filled, tag) == "sea")).run()
    next(box for box in app.selectbox if box.label == "What to do with it").select("merge").run()
    next(field for field in app.text_input if field.label == "The tag that is left").set_value("boat").run()
    next(button for button in app.button if button.key == "vocabulary_preview_action").click().run()
    assert "It would: merge 'sea' into 'boat'" in words(app).replace("\\", "")
    assert "sea" in {name for _, name, _ in vocabulary.browser_list(filled)["tags"]}
    press(app, "Do it")
    assert "Done: merge" in words(app).replace("\\", "")
    assert "sea" not in {name for _, name, _ in vocabulary.browser_list(filled)["tags"]}
    undo = next(button for button in app.button if button.label.startswith("Undo"))
    undo.click().run()
    assert "sea" in {name for _, name, _ in vocabulary.browser_list(filled)["tags"]}
    assert not app.exception


def name_of(workspace: Workspace, tag_id: int) -> str:
    return next((name for number, name, _ in vocabulary.browser_list(workspace)["tags"] if number == tag_id), "")


def test_what_cannot_be_done_to_the_vocabulary_is_said_on_the_page(filled: Workspace, serve: Opened) -> None:
    serve(filled)
    app = run("vocabulary")
    next(box for box in app.selectbox if box.label == "What to do with it").select("merge").run()
    next(field for field in app.text_input if field.label == "The tag that is left").set_value("baot").run()
    next(button for button in app.button if button.key == "vocabulary_preview_action").click().run()
    assert "did you mean" in words(app)
    assert not app.exception


def test_the_doctors_findings_come_with_what_mends_them(trained: Workspace, serve: Opened) -> None:
    serve(trained)
    app = press(run("vocabulary"), "Examine the vocabulary")
    assert not app.exception
    assert any("on " in str(line.value) for line in app.markdown)


def test_a_large_vocabulary_is_paged_through(workspace: Workspace, serve: Opened) -> None:
    add_tags(workspace, [f"tag {number:04}" for number in range(1_000)])
    vocabulary_changes.make(workspace, "me", "describe", tag="tag 0007", definition="the seventh")
    serve(workspace)
    app = run("vocabulary")
    assert len(next(box for box in app.selectbox if box.label == "Tag to edit").options) == 50
    page = next(field for field in app.number_input if field.label.startswith("Page of 20"))
    page.set_value(20).run()
    assert next(box for box in app.selectbox if box.label == "Tag to edit").options[-1] == "tag 0999"
