"""Review in a real browser: verdicts by keys and by mouse, what reaches the store, and what survives a reload."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from sqlalchemy import delete, select

from annotator.services import comments, labelling, tasks
from annotator.terms import LabelState, Verdict
from db.models import Annotator, Comment, Label, Review, Task
from tests.ui.app import Served, tag_id, until

pytestmark = pytest.mark.browser

YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE
DISPUTED = 8


class ReviewPage:
    """The Review page by its keys, its first picture painted."""

    def __init__(self, page: Page, served: Served) -> None:
        self.page = page
        served.open(page, "review?cause=disagreement")
        page.locator(".votes tr").first.wait_for()
        self.painted()

    def painted(self) -> int:
        picture = self.page.locator(".stage img[data-part=picture]:not([hidden])")
        picture.wait_for()
        until(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
        return int(str(picture.get_attribute("src")).rsplit("/", 1)[1])

    def press(self, *keys: str) -> int:
        """Press keys on the picture on the screen; its row."""
        row = self.painted()
        for key in keys:
            self.page.keyboard.press(key)
        return row

    def saved(self, decided: int) -> None:
        until(lambda: f"saved · {decided} decided" in str(self.page.locator("[data-part=status]").text_content()))


@pytest.fixture
def boat(served: Served) -> Iterator[int]:
    """Anna and Bea see boats where Carl sees none, on eight pictures; nobody else differs."""
    boat = tag_id(served, "boat")
    with served.workspace.transaction() as session:
        for table in (Review, Comment):
            session.execute(delete(table))
        session.execute(delete(Label).where(Label.tag_id == boat))
        session.execute(delete(Label).where(Label.annotator_id.in_(select(Annotator.id).where(Annotator.name != "me"))))
        session.execute(delete(Task).where(Task.for_id.is_not(None)))
    for person, state in (("anna", YES), ("bea", YES), ("carl", NO)):
        labelling.set_labels(served.workspace, person, [(row, boat, state) for row in range(100, 100 + DISPUTED)])
    yield boat


def verdicts(served: Served, tag: int) -> dict[int, tuple[int, Verdict]]:
    with served.workspace.reading() as session:
        query = select(Review, Annotator.name).join(Annotator, Annotator.id == Review.reviewer_id)
        return {
            review.image_row: (int(review.state), review.verdict)
            for review, person in session.execute(query.where(Review.tag_id == tag))
            if person == "me"
        }


def test_every_verdict_has_its_key_and_reaches_the_store(page: Page, served: Served, boat: int) -> None:
    review = ReviewPage(page, served)
    given = [
        (review.press("Enter"), (1, Verdict.ACCEPTED)),
        (review.press("c"), (0, Verdict.WRONG)),
        (review.press("v"), (1, Verdict.ALSO_VALID)),
        (review.press("f"), (0, Verdict.FINER)),
        (review.press("m"), (0, Verdict.MAJOR)),
        (review.press("?", "Enter"), (-1, Verdict.WRONG)),
        (review.press("p", "m"), (1, Verdict.MAJOR)),
    ]
    review.saved(7)
    assert verdicts(served, boat) == dict(given)
    assert page.locator("[data-part=left]").text_content() == "1 left in this queue"


def test_votes_causes_and_what_stands_are_in_words(page: Page, served: Served, boat: int) -> None:
    ReviewPage(page, served)
    lines = page.locator(".votes tr").all_text_contents()
    assert lines[:3] == ["annapresent", "beapresent", "carlabsent"]
    assert any(line.startswith("stands now (several people)") for line in lines)
    assert "People differ" in str(page.locator("[data-part=causes]").text_content())
    assert page.locator("[data-part=tag]").text_content() == "boat"
    assert page.locator(".states [aria-checked=true]").text_content() == "presentp"


def test_undo_goes_back_to_the_label_and_takes_the_verdict_away(page: Page, served: Served, boat: int) -> None:
    review = ReviewPage(page, served)
    row = review.press("m")
    until(lambda: row in verdicts(served, boat))
    review.press("u")
    assert review.painted() == row
    until(lambda: not verdicts(served, boat))
    skipped = review.press("s")
    assert review.painted() != skipped
    review.press("u")
    assert review.painted() == skipped and not verdicts(served, boat)


def test_a_verdict_given_while_the_server_is_away_survives_a_reload(page: Page, served: Served, boat: int) -> None:
    review = ReviewPage(page, served)
    page.route("**/api/answers", lambda route: route.abort())
    row = review.press("c")
    page.wait_for_timeout(300)
    assert not verdicts(served, boat)
    page.unroute("**/api/answers")
    ReviewPage(page, served)
    until(lambda: verdicts(served, boat) == {row: (0, Verdict.WRONG)})


def test_sending_back_asks_for_the_reason_and_puts_the_question_into_their_queue(
    page: Page, served: Served, boat: int
) -> None:
    review = ReviewPage(page, served)
    row = review.press("b")
    page.keyboard.type("count the masts, m and u are no verdicts here")
    page.keyboard.press("Enter")
    review.saved(1)
    assert not verdicts(served, boat)
    for person in ("anna", "carl"):
        (task, *_) = tasks.claim(served.workspace, person, None, 1)
        assert (task.image_row, task.tag_id) == (row, boat)
        assert task.reason.endswith("count the masts, m and u are no verdicts here")


def test_the_mouse_is_enough(page: Page, served: Served, boat: int) -> None:
    review = ReviewPage(page, served)
    row = review.painted()
    page.get_by_role("radio", name="absent").click()
    page.get_by_role("button", name="Accept").click()
    review.saved(1)
    assert verdicts(served, boat) == {row: (0, Verdict.WRONG)}


def test_the_talk_about_a_picture_is_shown_and_joined(page: Page, served: Served, boat: int) -> None:
    for row in range(100, 100 + DISPUTED):
        comments.add(served.workspace, "anna", row, "is it a boat?", boat)
    review = ReviewPage(page, served)
    page.locator(".thread .open", has_text="is it a boat?").wait_for()
    row = review.press("t")
    page.keyboard.type("a raft")
    page.keyboard.press("Enter")
    page.locator(".thread .open", has_text="me, boat: a raft").wait_for()
    page.locator(".thread button").first.click()
    page.locator(".thread .resolved", has_text="a raft").wait_for()
    assert [one["open"] for one in comments.thread(served.workspace, row)] == [False, False]


def test_on_label_a_comment_is_one_key_away_and_flags_the_picture(page: Page, served: Served) -> None:
    from tests.ui.app import LabelPage

    label = LabelPage(page, served)
    row = label.painted()
    label.press("c")
    page.keyboard.type("nothing is sharp here")
    page.keyboard.press("Enter")
    page.locator("[data-part=note]", has_text="reviewers see it").wait_for()
    (said,) = comments.thread(served.workspace, row)
    assert (said["person"], said["text"], said["tag"]) == ("me", "nothing is sharp here", None)
    assert label.painted() == row
