"""The sample workspace: drawn scenes with exact truth, embedded, partly answered, trained once."""

from pathlib import Path
from typing import Any

from annotator.errors import UsageError
from annotator.progress import Progress, silent
from annotator.services import embedding, picking, suggesting, training, vocabulary
from annotator.services.image_facts import image_count
from annotator.services.importing import import_pictures
from annotator.services.scripted import answer_from_truth, read_truth
from annotator.workspace import Workspace
from data_samples.scenes import write_scenes

ANSWERED = 120
BEGUN, DONE = "demo-begun", "demo-done"


def make_demo(folder: Path, count: int = 600, progress: Progress = silent) -> dict[str, Any]:
    """Make the sample workspace in `folder`, or end what an interrupted run began; nothing when it is ready.

    Raises UsageError for a workspace with pictures or tags of its own: sample labels must not get among them.
    """
    pictures = folder / "scenes"
    with Workspace.create(folder) as workspace:
        if (folder / DONE).exists():
            return {"workspace": str(folder), "ready": True}
        _require_own(workspace)
        (folder / BEGUN).touch()
        labels = write_scenes(pictures, count, seed=1, progress=lambda done: progress(done, count, "drawing scenes"))
        vocabulary.add_from_file(workspace, pictures / "tags.yaml")
        import_pictures(workspace, [pictures / "images"], progress=progress)
        embedding.embed(workspace, "descriptor", progress)
        truth = read_truth(workspace, labels)
        picking.refill(workspace, ANSWERED, "random")
        answered = answer_from_truth(workspace, truth, "sample annotator", ANSWERED)
        report = training.train(workspace, progress)
        suggesting.refresh(workspace, progress)
        picking.refill(workspace)
    (folder / DONE).touch()
    held_out = report.metrics["mAP"]
    return {"workspace": str(folder), "images": count, "answered": answered, "held_out_mAP": held_out}


def _require_own(workspace: Workspace) -> None:
    if (workspace.folder / BEGUN).exists():
        return
    with workspace.reading() as session:
        if image_count(session) or vocabulary.count(session):
            raise UsageError(f"{workspace.folder} is a project of its own; name another folder for the samples with -w")
