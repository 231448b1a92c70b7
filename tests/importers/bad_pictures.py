"""Every kind of bad or odd input an import has to bear, each with what must become of it.

    for kind, bad in BAD_INPUTS.items():
        path = bad.make(empty_folder)      # writes files, returns what to hand to an import
        ...                                # bad.imported pictures, and refusals with the reasons bad.refused

`make_all(folder)` writes them all, for a test of a whole import. No two kinds share a picture's bytes, so the number
of different images is the sum of `imported` less one, for the kind "duplicate files".
"""

import os
from pathlib import Path

from tests.importers.bad_containers import ARCHIVES, LISTS, NAMES, PLACES
from tests.importers.bad_files import DAMAGED, FORMATS, NOT_PICTURES, PIXELS
from tests.importers.bad_input import BadInput
from tests.importers.bad_tables import LABEL_TABLES

BAD_INPUTS: dict[str, BadInput] = FORMATS | PIXELS | DAMAGED | NOT_PICTURES | NAMES | PLACES | ARCHIVES | LISTS


def applicable() -> dict[str, BadInput]:
    """The kinds this user and system can make."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {kind: bad for kind, bad in BAD_INPUTS.items() if not (as_root and bad.root_reads_it)}


def make_all(folder: Path) -> dict[str, str]:
    """Write every applicable kind into a folder of its own below `folder`; the kind to the path to import."""
    paths = {}
    for number, (kind, bad) in enumerate(applicable().items()):
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        paths[kind] = bad.make(place)
    return paths


__all__ = ["BAD_INPUTS", "LABEL_TABLES", "BadInput", "applicable", "make_all"]
