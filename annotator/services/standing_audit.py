"""The standing audit: after a round, a few more draws of each settled set keep being asked, and the bounds follow.

The draws go on in the round's own order, so they extend the sample that proved the set. Any answer that a person gives
on the next draw counts, wherever it was given.
"""

from typing import Any

import numpy as np
from sqlalchemy import func, select

from annotator.errors import ConflictError
from annotator.learning.audits import Decision
from annotator.services import certificates, round_relations
from annotator.services.round_questions import votes_lacking
from annotator.services.round_sets import ACCEPT, audited, pool_rows, votes_of
from annotator.services.snapshots import take
from annotator.services.tasks import BAND_SIZE, Band
from annotator.terms import RoundStatus, TaskKind
from annotator.workspace import Workspace
from db.models import Round, Task

WAITING = 5  # draws of each settled set that wait
REASON = "standing audit: it keeps an eye on what was settled as {side}"


def keep_up(workspace: Workspace) -> dict[str, Any]:
    """Bring the settled sets' counts and bounds up to date and see that a few draws of each wait; what alarms now.

    Questions come behind all others about their tag.
    """
    with workspace.reading() as session:
        if session.scalar(select(Round.number).where(Round.status == RoundStatus.SETTLED).limit(1)) is None:
            return {"asked": 0, "alarms": []}
    snapshot = take(workspace)
    asked = 0
    with workspace.transaction() as session:
        settled = select(Round).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)
        for round_ in session.scalars(settled).all():
            try:
                pool = pool_rows(workspace, snapshot, round_)
            except ConflictError:
                continue  # its pictures are not what they were: no draw of it can count any more
            found = audited(workspace, session, round_, snapshot, pool)
            round_relations.follow(workspace, session, round_, snapshot, found)
            for audit in found:
                if audit.set.decision != Decision.SETTLE:
                    continue
                draws = audit.waiting[:WAITING].tolist()
                lacking = votes_lacking(session, audit.set.tag_id, draws, votes_of(round_))
                last = session.scalar(select(func.max(Task.position)).where(Task.tag_id == audit.set.tag_id)) or 0
                start = max(Band.PICK.position(BAND_SIZE // 2), last + 1)
                side = "present" if audit.set.side == ACCEPT else "absent"
                for place, row in enumerate(np.repeat(draws, [lacking[row] for row in draws]).tolist()):
                    asked += 1
                    session.add(
                        Task(
                            kind=TaskKind.AUDIT, image_row=row, tag_id=audit.set.tag_id, round_number=round_.number,
                            position=start + place, reason=REASON.format(side=side),
                        )
                    )  # fmt: skip
            session.flush()
    return {"asked": asked, "alarms": certificates.alarms(workspace, snapshot)}
