from pathlib import Path

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.services import clustering, explaining, gold, suggesting, tiles, vocabulary
from annotator.services.importing import import_pictures
from annotator.workspace import Workspace


def test_clusters_share_out_all_images_and_name_their_tags(filled: Workspace) -> None:
    suggesting.refresh(filled)
    found = clustering.overview(filled, 6)
    rows = [clustering.rows_of(filled, 6, group.number) for group in found]
    assert sorted(row for group in rows for row in group) == list(range(48))
    assert [group.size for group in found] == sorted((len(group) for group in rows), reverse=True)
    for group, members in zip(found, rows, strict=True):
        assert list(group.examples) == members[: len(group.examples)]


def test_the_same_clusters_come_back(filled: Workspace) -> None:
    first = clustering.overview(filled, 5)
    for file in (filled.folder / "clusters").glob("*.npz"):
        file.unlink()
    clustering._load.cache_clear()
    assert clustering.overview(filled, 5) == first


def test_before_there_are_vectors_it_says_how_to_make_them(workspace: Workspace) -> None:
    with pytest.raises(MissingError, match="annotator embed"):
        clustering.overview(workspace, 5)
    assert explaining.why(workspace, 0) == {"sources": [], "neighbours": []}


def test_a_cluster_that_is_not_there_is_named(filled: Workspace) -> None:
    with pytest.raises(MissingError, match="no cluster 9"):
        clustering.rows_of(filled, 5, 8)


def test_why_names_sources_and_the_nearest_labelled_pictures(filled: Workspace) -> None:
    from annotator.services import labelling, searching
    from annotator.terms import LabelState

    near = [row for row, _ in searching.near(filled, 0, 48) if row != 0]
    labels = [(near[0], 1, LabelState.POSITIVE), (near[0], 2, LabelState.NEGATIVE), (near[5], 3, LabelState.NEGATIVE)]
    labelling.set_labels(filled, "anna", labels)
    suggesting.refresh(filled)
    told = explaining.why(filled, 0)
    assert [one["image"] for one in told["neighbours"]] == [near[0], near[5]]
    assert len(told["neighbours"][0]["tags"]) == 1 and told["neighbours"][1]["tags"] == []
    assert told["sources"][0]["origin"] == "fused"
    scores = [one["score"] for one in told["neighbours"]]
    assert scores == sorted(scores, reverse=True)
    assert np.isfinite(scores).all()
    gold.declare(filled, "rita", [(near[0], 1, LabelState.POSITIVE)])  # who is asked must not find it here
    assert explaining.why(filled, 0)["neighbours"][0]["tags"] == []


def test_why_tells_what_the_best_tile_says(workspace: Workspace, samples: Path, real_data: Path) -> None:
    """With words: the small model of the packs' folder."""
    vocabulary.add_from_file(workspace, samples / "tags.yaml")
    import_pictures(workspace, [next(iter(sorted((samples / "images").iterdir())))])
    tiles.embed(workspace, f"open_clip:standin-mnv2@{real_data}/models/standin_openclip/standin-mnv2.pt", True)
    told = {source["origin"]: source["tags"] for source in explaining.why(workspace, 0)["sources"]}
    assert set(told) == {"zero-shot", "tiles"}
    assert told["tiles"][0]["score"] > told["zero-shot"][0]["score"]
