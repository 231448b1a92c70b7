"""Training, what it finds, and replays of it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from annotator.commands.base import DEFAULT_FOLDER, AsJson, Folder, bar, opened, show, write_report

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add this file's commands to the command line."""
    app.command()(train)
    app.command("label-errors")(label_errors)
    app.command("fine-tune")(fine_tune)
    app.command()(simulate)
    app.command()(replay)


def train(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Train the classifier on accepted labels, score all images, pick new questions."""
    from annotator.services import picking, suggesting, training

    with opened(folder) as workspace, bar() as progress:
        report = training.train(workspace, progress)
        suggesting.refresh(workspace, progress)
        picking.refill(workspace)
    shown = asdict(report)
    if not as_json:
        shown["metrics"].pop("ap", None)
    show(shown, as_json)


def label_errors(
    folder: Folder = DEFAULT_FOLDER,
    report: Annotated[
        bool, typer.Option("--report", help="what the last search found, and what the fixes brought")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for wrong and missing labels out of fold; Review shows them, the likeliest first."""
    from annotator.services import label_errors

    with opened(folder) as workspace:
        if report:
            shown = label_errors.report(workspace)
        else:
            with bar() as progress:
                shown = label_errors.find(workspace, progress)
    show(shown, as_json)


def fine_tune(
    folder: Folder = DEFAULT_FOLDER,
    way: Annotated[str, typer.Option(help="last_blocks or lora")] = "last_blocks",
    blocks: Annotated[int, typer.Option(min=1, help="how many of the image tower's last blocks learn")] = 2,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the answered pictures, at most")] = 10,
    learning_rate: Annotated[float | None, typer.Option(help="the highest rate (default: the way's own)")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda (default: ANNOTATOR_DEVICE)")] = None,
    as_json: AsJson = False,
) -> None:
    """Tune the image tower on people's answers; a killed run goes on when the same is asked for again."""
    from annotator.backbones.fine_tuning import TuningSettings
    from annotator.services import fine_tuning

    with opened(folder) as workspace, bar() as progress:
        report = fine_tuning.fine_tune(workspace, TuningSettings(way, blocks, epochs, learning_rate), device, progress)
    show(report, as_json)


def simulate(
    images: Annotated[Path, typer.Option(help="folder with the pictures")],
    truth: Annotated[Path, typer.Option(help="CSV with file,labels[,split]: the whole truth")],
    out: Annotated[Path, typer.Option(help="where the report goes")],
    backbone: Annotated[str, typer.Option(help="as for embed")] = "descriptor",
    strategy: Annotated[str, typer.Option(help="query strategy")] = "facility_location",
    answers_per_step: Annotated[int, typer.Option(min=1, help="images answered between two trainings")] = 50,
    budget: Annotated[int, typer.Option(min=1, help="images answered in all")] = 500,
    seed: Annotated[int, typer.Option()] = 0,
    audits: Annotated[int, typer.Option(min=0, help="images answered to prove a round")] = 300,
    cascade: Annotated[
        str | None, typer.Option(help="then every label by a rule: guarantee, lsun or cut0.5; what it cost, what holds")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--workspace", "-w", help="keep the workspace here")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the real loop with a scripted annotator who answers from the truth; write the learning curve."""
    from annotator.services import simulating

    plan = simulating.Plan(
        images=images, truth=truth, backbone=backbone, strategy=strategy, answers_per_step=answers_per_step,
        budget=budget, seed=seed, audits=audits, cascade=cascade,
    )  # fmt: skip
    with bar() as progress:
        report = simulating.simulate(plan, folder, progress)
    write_report(out, report)
    shown = {name: report[name] for name in ("curve", "cascade", "totals") if name in report}
    show(report if as_json else shown, as_json)


def replay(
    strategies: Annotated[str, typer.Option(help="query strategies, separated by commas; random is always run")] = (
        "facility_location,diversity,badge"
    ),
    heads: Annotated[str, typer.Option(help="heads, separated by commas")] = "text_anchored",
    losses: Annotated[str, typer.Option(help="losses, separated by commas")] = "masked_bce",
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    budget: Annotated[
        int | None, typer.Option(min=1, help="images answered (default: half of those there are)")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="write the whole report here")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """On the workspace's own labels: what each way of asking would have saved against random choice."""
    from annotator.services import replaying

    asked, on, by = (
        [name.strip() for name in names.split(",") if name.strip()] for names in (strategies, heads, losses)
    )
    with opened(folder) as workspace, bar() as progress:
        recipes = replaying.recipes_of(asked, on, by)
        report = replaying.replay_workspace(workspace, recipes, seeds, budget, progress)
    if out is not None:
        write_report(out, report)
    show(report if as_json else report["table"], as_json)
