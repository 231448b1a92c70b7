"""The command line: help, exit codes, JSON, and that it starts fast."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from annotator import cli
from annotator.cli import app
from annotator.exporters import EXPORTERS
from annotator.services import labelling, picking, status, vocabulary
from annotator.services.scripted import answer_from_truth, read_truth
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.worlds import make_world, whole

VERBS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program in this process: (exit code, output, errors)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["annotator", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def answered(filled: Workspace, samples: Path) -> Path:
    """The folder of a workspace with the 48 pictures, 40 of them answered."""
    picking.refill(filled, 40, "random")
    answer_from_truth(filled, read_truth(filled, samples / "labels.csv"), "anna", 40)
    return filled.folder


def test_every_verb_is_known() -> None:
    assert {
        "init", "import", "embed", "search", "suggest", "label", "train", "round", "status", "export", "simulate",
        "demo", "ui", "worker", "backbones", "doctor", "fine-tune", "snapshot",
    } <= set(VERBS)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    assert len(command.help) > 20


def test_no_arguments_show_the_verbs() -> None:
    output = CliRunner().invoke(app, []).output
    assert all(verb in output for verb in VERBS)


def test_every_verb_on_a_workspace_prints_json_that_parses(run: Run, answered: Path, tmp_path: Path) -> None:
    def said(*arguments: object) -> Any:
        code, out, err = run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    at = ("-w", answered)
    picture = next(iter((Path(__file__).parent.parent / "data_samples" / "images").iterdir()))
    assert said("status", *at)["images"] == 48
    assert said("import", picture, *at)["pictures"]["unchanged"] == 1
    assert "tiles" not in said("embed", *at)
    assert said("embed", "--tiles", *at)["tiles"]["new"] == 48
    assert said("embed", *at)["tiles"]["new"] == 0  # remembered
    assert said("status", *at)["tiles"] == 48
    assert len(said("search", "--image", picture, "--k", 5, *at)) == 5
    assert said("label", "--image", 0, "--tag", "sea", "--state", "negative", *at)["image"] == 0
    assert said("train", *at)["model"] == 1
    assert said("suggest", *at)["images"] == 48
    assert said("round", *at)["number"] == 1
    assert said("round", "--settle", *at)["number"] == 1
    assert said("round", "--rollback", 1, *at)["number"] == 1
    assert said("round", "--propose", "--tags", "sea, boat", *at)["number"] == 2
    assert {row["tag"] for row in said("round", "--compare", 1, 2, *at)} <= {"sea", "boat"}
    assert said("round", "--contradictions", *at) == []
    assert said("round", "--rollback", 2, *at)["number"] == 2
    assert said("export", "-o", tmp_path / "labels.json", *at)["images"]["written"] == 48
    assert (
        said(
            "export",
            "--format",
            "imagefolder",
            "--out",
            tmp_path / "folder",
            "--split",
            "train",
            "--only-labelled",
            "--pictures",
            "resize:64",
            *at,
        )["pairs"]["written"]
        > 0
    )
    assert said("export", "--check", tmp_path / "labels.json", *at)["same"] is True
    assert said("snapshot", "create", "v1", "--note", "first", *at)["images"] == 48
    assert (
        said("label", "--image", 1, "--tag", "sea", "--state", "unknown", "--annotator", "anna", *at)["changed"] is True
    )
    assert said("snapshot", "compare", "v1", "--out", tmp_path / "changes.csv", *at)["changed"] == 1
    assert said("snapshot", "rename", "v1", "v 1.0", *at)["name"] == "v 1.0"
    assert [one["name"] for one in said("snapshot", "list", *at)] == ["v 1.0"]
    assert said("snapshot", "show", "v 1.0", "--card", tmp_path / "card.md", *at)["note"] == "first"
    assert (tmp_path / "card.md").read_text().startswith("# v 1.0")
    restored = said("snapshot", "restore", "v 1.0", tmp_path / "back", *at)
    assert said("status", "-w", restored["workspace"])["images"] == 48
    assert said("snapshot", "delete", "v 1.0", *at) == {"deleted": "v 1.0"}
    assert {format["format"] for format in said("export", "--formats")} == set(EXPORTERS)
    assert said("worker", "--list", *at) == []
    assert said("backbones")[0]["name"] == "descriptor"
    assert {finding["what"] for finding in said("doctor", *at)} >= {"device", "workspace"}
    assert said("init", "-w", tmp_path / "new")["tags"] == 0
    for verb in ("status", "round", "doctor"):  # and tables for people
        code, out, _ = run(verb, *at)
        assert code == 0
        assert not out.startswith("{")


def test_fine_tuning_another_backbone_is_wrong_usage_that_names_what_to_do(run: Run, filled: Workspace) -> None:
    code, out, err = run("fine-tune", "-w", filled.folder)
    assert (code, out) == (2, "")
    assert "descriptor@1" in err
    assert "annotator embed" in err


@pytest.mark.slow
def test_replay_tells_what_each_strategy_saved_on_the_workspaces_own_labels(
    run: Run, workspace: Workspace, tmp_path: Path
) -> None:
    truth = make_world(workspace, 300, noise=0.6)
    labelling.set_labels(workspace, "anna", [label for row in range(240) for label in whole(truth, row)])
    options = ("-w", workspace.folder, "--strategies", "margin, diversity", "--seeds", 1, "--budget", 30)
    code, shown, _ = run("replay", *options, "--out", tmp_path / "r.json")
    assert code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert {row["strategy"] for row in report["table"]} == {"random", "margin", "diversity"}
    assert "margin" in shown
    assert json.loads(run("replay", *options, "--json")[1]) == report
    assert run("replay", "-w", workspace.folder, "--strategies", "margins")[2].count("did you mean 'margin'") == 1


def test_simulate_writes_the_report_it_prints(run: Run, samples: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        "simulate", "--images", samples / "images", "--truth", samples / "labels.csv", "--out", tmp_path / "r.json",
        "--budget", 4, "--audits", 0, "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "r.json").read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["import", "/nowhere"],
        ["train"],
        ["export", "-o", "x.json"],
        ["round", "--settle"],
    ],
)
def test_without_a_workspace_the_exit_code_is_1_and_the_command_is_told(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    code, out, err = run(*arguments, "-w", tmp_path / "none")
    assert (code, out) == (1, "")
    assert "annotator init -w" in err
    assert len(err.strip().splitlines()) == 1


def test_an_import_of_which_nothing_came_ends_with_1_and_the_good_part_of_another_goes_on(
    run: Run, tmp_path: Path, samples: Path
) -> None:
    at = ("-w", tmp_path / "workspace")
    run("init", *at)
    code, out, _ = run("import", tmp_path / "nowhere", "--json", *at)
    assert code == 1 and "does not exist" in json.loads(out)["pictures"]["refused"][0]
    code, out, _ = run("import", samples / "images", tmp_path / "nowhere", "--json", *at)
    assert code == 1 and json.loads(out)["pictures"]["added"] > 0
    assert run("import", samples / "images", *at)[0] == 0


@pytest.mark.parametrize("place", ["a file", "/proc/nowhere/x"])
def test_a_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    code, _, err = run("init", "-w", tmp_path / place)
    assert code == 2 and "cannot be a workspace" in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--format", "cocoa", "-o", "x.json"], "did you mean 'coco'"),
        (["embed", "--backbone", "descripter"], "did you mean 'descriptor'"),
        (["label", "--image", "0", "--tag", "seaa"], "did you mean 'sea'"),
        (["label", "--image", "0", "--tag", "sea", "--state", "positiv"], "did you mean 'positive'"),
        (["label"], "give --image and --tag"),
        (["search"], "give words or --image"),
        (["export"], "give --output FILE"),
        (["search", "--k", "0", "x"], "--k"),
        (["round", "--tags", "sea"], "give it together with --propose"),
        (["nothing"], "No such command"),
    ],
)
def test_a_wrong_choice_is_exit_code_2_and_brings_the_near_name(
    run: Run, filled: Workspace, arguments: list[str], said: str
) -> None:
    code, _, err = run(*arguments, *(["-w", filled.folder] if arguments != ["nothing"] else []))
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "answer at least 10 first"),
        (["round"], "annotator train"),
        (["round", "--rollback", "7"], "no round 7"),
        (["round", "--compare", "7", "8"], "no round 7"),
        (["search", "boats"], "--image FILE"),
        (["search", "--image", "nowhere.jpg"], "nowhere.jpg"),
        (["label", "--image", "77", "--tag", "sea"], "'77' is not in this workspace"),
        (["worker", "--cancel", "x"], "no job 'x'"),
    ],
)
def test_what_a_person_can_mend_is_exit_code_1_and_one_line(
    run: Run, filled: Workspace, arguments: list[str], said: str
) -> None:
    code, out, err = run(*arguments, "-w", filled.folder)
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_init_run_again_adds_the_new_tags_only(run: Run, tmp_path: Path) -> None:
    tags = tmp_path / "tags.txt"
    tags.write_text("boat\nsea\n")
    assert run("init", "-w", tmp_path / "w", "--tags", tags)[0] == 0
    tags.write_text("boat\nsea\nmoon\n")
    code, out, _ = run("init", "-w", tmp_path / "w", "--tags", tags, "--json")
    assert (code, json.loads(out)["added"], json.loads(out)["tags"]) == (0, 1, 3)


def test_init_does_not_take_a_folder_in_use(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    code, _, err = run("init", "-w", tmp_path)
    assert code == 2
    assert "not empty" in err


def test_labels_from_a_file_are_written_and_bad_lines_listed(run: Run, filled: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,tag,state\n0,sea,positive\n1,moonn,positive\n")
    code, out, _ = run("label", "--from", file, "-w", filled.folder, "--json")
    report = json.loads(out)
    assert (code, report["written"], len(report["refused"])) == (0, 1, 1)
    with filled.reading() as session:
        assert labelling.answered_count(session) == 1
    assert status.status(filled)["labels"]["positive"] == 1


def test_labels_of_any_format_are_previewed_then_taken(
    run: Run, filled: Workspace, samples: Path, tmp_path: Path
) -> None:
    first, second = sorted(path.name for path in (samples / "images").iterdir())[:2]
    file = tmp_path / "labels.csv"
    file.write_text(f"file,tag,state\n{first},boat,positive\n{second},boat,negative\ngone.jpg,boat,positive\n")
    code, out, _ = run("import-labels", file, "-w", filled.folder, "--preview", "--json")
    assert (code, json.loads(out)["written"]) == (0, 2)
    assert not any(status.status(filled)["labels"].values())
    code, out, _ = run("import-labels", file, "-w", filled.folder, "--json")
    report = json.loads(out)
    assert (code, report["written"], report["refused_count"]) == (0, 2, 1)
    assert status.status(filled)["labels"] == {"positive": 1, "negative": 1, "unknown": 0}
    assert "gone.jpg" in run("import-labels", file, "-w", filled.folder)[1]


def test_help_loads_no_heavy_library() -> None:
    heavy = ("torch", "streamlit", "pandas", "faiss", "skimage", "sqlalchemy", "PIL", "dbos", "numpy")
    code = (
        "import sys\nsys.argv = ['annotator', '--help']\nfrom annotator.cli import main\n"
        f"try:\n    main()\nexcept SystemExit:\n    pass\nprint('loaded', [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().endswith("loaded []")


def test_the_module_runs_as_a_program_with_its_exit_codes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "annotator.cli"]
    missing = subprocess.run([*command, "status", "-w", tmp_path / "x"], capture_output=True, text=True, timeout=60)
    assert missing.returncode == 1
    assert missing.stderr.startswith("annotator: no workspace in")


def test_the_vocabulary_changes_by_commands_and_back(run: Run, workspace: Workspace) -> None:
    where = ("-w", workspace.folder, "--json")
    for name in ("boat", "ship", "car", "tree"):
        assert run("tags", "add", name, *where)[0] == 0
    run("tags", "set", "boat", "definition=floats", "synonyms=dinghy | yacht", "hotkey=b", "names.de=Boot", *where)
    run("tags", "set", "boat", "names.fr=bateau", *where)
    run("tags", "set", "ship", "parent=tree", *where)
    run("tags", "relate", "boat", "excludes", "car", *where)
    before = run("tags", "list", *where)[1]
    assert [one["synonyms"] for one in json.loads(before)] == ["dinghy, yacht", "", "", ""]
    assert vocabulary.browser_list(workspace)["tags"][0] == [1, "boat", ["dinghy", "yacht", "Boot", "bateau"]]
    seen = json.loads(run("tags", "merge", "ship", "boat", "--preview", *where)[1])
    assert (seen["what"], run("tags", "list", *where)[1]) == ("merge 'ship' into 'boat'", before)
    run("tags", "rename", "ship", "vessel", *where)
    run("tags", "split", "vessel", "ferry", "tanker", *where)
    run("tags", "archive", "car", *where)
    assert run("tags", "archive", "car", "--back", *where)[0] == 0
    run("tags", "relate", "boat", "excludes", "car", "--remove", *where)
    assert len(json.loads(run("tags", "undo", "--steps", 2, "--preview", *where)[1])) == 2
    assert len(json.loads(run("tags", "history", *where)[1])) == 13
    run("tags", "undo", "--steps", 5, *where)
    assert run("tags", "list", *where)[1] == before
    assert {one["kind"] for one in json.loads(run("tags", "doctor", *where)[1])} == {"never used"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "boat", "hotkey"), "write FIELD=VALUE"),
        (("set", "boat", "examples=a"), "the rows of images"),
        (("set", "boat", "parent=boat", "hotkey=b"), "a change of its own"),
        (("merge", "boat", "ship"), "no tag is called 'ship'"),
    ],
)
def test_a_change_of_the_vocabulary_that_cannot_be_is_one_line(
    run: Run, workspace: Workspace, arguments: tuple[str, ...], says: str
) -> None:
    run("tags", "add", "boat", "-w", workspace.folder)
    code, _, errors = run("tags", *arguments, "-w", workspace.folder)
    assert code == 2
    assert says in errors


def test_labels_are_reviewed_by_commands_and_back(run: Run, workspace: Workspace) -> None:
    make_world(workspace, 20)
    for person, state in (("anna", LabelState.POSITIVE), ("bea", LabelState.NEGATIVE)):
        labelling.set_labels(workspace, person, [(row, 1, state) for row in range(4)])
    where = ("-w", workspace.folder, "--json")

    def said(*arguments: object) -> Any:
        code, out, err = run("review", *arguments, *where)
        assert code == 0, err
        return json.loads(out)

    assert said("list", "--cause", "disagreement", "--tag", "boat", "--by", "anna")["total"] == 4
    assert run("review", "list", "-w", workspace.folder)[0] == 0
    assert said("accept", "--image", 0, "--tag", "boat", "--also-valid") == {"decided": 1, "changed": 0}
    assert said("change", "--image", 1, "--tag", "boat", "--to", "negative", "--major")["changed"] == 1
    assert said("send-back", "--image", 2, "--tag", "boat", "--comment", "look again", "--to", "bea")["decided"] == 1
    assert said("list", "--cause", "sent_back")["items"][0]["waiting"] == ["bea"]
    talk = said("comments", "--image", 2, "--tag", "boat", "--add", "a raft", "--resolve")
    assert [(one["text"], one["open"]) for one in talk] == [("look again", False), ("a raft", False)]
    assert said("change", "--all", "--cause", "disagreement", "--to", "positive")["pairs"] == 1
    assert said("change", "--all", "--cause", "disagreement", "--to", "positive", "--yes")["decided"] == 1
    assert said("undo")["taken back"] == "label wrong on image 3"
    for wrong in (("change", "--finer", "--major"), ("change", "--to", "maybe"), ("accept",)):
        assert run("review", *wrong, *where)[0] == 2


def test_label_errors_are_looked_for_and_reported(run: Run, workspace: Workspace) -> None:
    truth = make_world(workspace, 120)
    assert run("label-errors", "-w", workspace.folder)[0] == 1
    labelling.set_labels(workspace, "anna", [label for row in range(120) for label in whole(truth, row)])
    code, out, _ = run("label-errors", "-w", workspace.folder, "--json")
    assert code == 0 and json.loads(out)["images"] == 120
    code, out, _ = run("label-errors", "--report", "-w", workspace.folder, "--json")
    assert code == 0 and json.loads(out)["comparison"]["fixes"] == 0
