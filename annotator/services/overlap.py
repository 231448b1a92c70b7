"""How many people a question is asked of: by the project, by tag, and for a share of the images."""

import hashlib
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.services.label_store import parts
from annotator.workspace import Project
from db.models import Image

_SCALE = float(2**64)


def asks_several(project: Project) -> bool:
    """Whether any question is asked of more than one person."""
    several = (project.overlap, project.audit_votes, *project.overlap_tags.values())
    return any(votes > 1 for votes in several)


def is_shared(project: Project, sha256: str) -> bool:
    """Whether an image is of the share that is asked of several people: by its content and the project's seed."""
    digest = hashlib.sha256(f"{project.seed}:{sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _SCALE < project.overlap_share


def votes_wanted(project: Project, sha256: str, tag: str | None = None) -> int:
    """How many people one image is asked of, about the tag called `tag` or (None) as a whole."""
    if tag is not None and tag in project.overlap_tags:
        return project.overlap_tags[tag]
    return project.overlap if is_shared(project, sha256) else 1


def votes_for(session: Session, project: Project, rows: Iterable[int], tag: str | None = None) -> Mapping[int, int]:
    """`votes_wanted` of each of `rows`."""
    found: dict[int, int] = {}
    for part in parts(set(rows)):
        for row, sha256 in session.execute(select(Image.row, Image.sha256).where(Image.row.in_(part))):
            found[row] = votes_wanted(project, sha256, tag)
    return found
