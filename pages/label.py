"""Label: one picture at a time, its tags, by keyboard."""

from annotator.ui import open_page, require_tags
from annotator.ui.components import labeler

visit = open_page("label", heading=False)
require_tags(visit.workspace)
labeler(visit.workspace, visit.person)
