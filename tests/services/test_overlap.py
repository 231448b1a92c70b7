import hashlib

from hypothesis import given
from hypothesis import strategies as st

from annotator.services.overlap import asks_several, is_shared, votes_wanted
from annotator.workspace import Project

SHAS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(2000)]


def test_the_share_of_images_is_about_what_was_agreed_on_and_the_same_each_time() -> None:
    project = Project(overlap=3, overlap_share=0.2)
    wanted = [votes_wanted(project, sha) for sha in SHAS]
    assert set(wanted) == {1, 3}
    assert 0.15 < wanted.count(3) / len(wanted) < 0.25
    assert wanted == [votes_wanted(project, sha) for sha in SHAS]
    assert wanted != [votes_wanted(Project(overlap=3, overlap_share=0.2, seed=1), sha) for sha in SHAS]


@given(low=st.floats(0, 1), high=st.floats(0, 1), sha=st.sampled_from(SHAS))
def test_a_larger_share_keeps_the_images_of_a_smaller_one(low: float, high: float, sha: str) -> None:
    low, high = sorted((low, high))
    assert is_shared(Project(overlap_share=high), sha) >= is_shared(Project(overlap_share=low), sha)


def test_a_tag_of_its_own_number_goes_before_the_share() -> None:
    project = Project(overlap=2, overlap_share=0, overlap_tags={"boat": 4})
    assert votes_wanted(project, SHAS[0], "boat") == 4
    assert votes_wanted(project, SHAS[0], "tree") == votes_wanted(project, SHAS[0]) == 1
    assert asks_several(project) and not asks_several(Project(overlap_tags={"boat": 1}))
