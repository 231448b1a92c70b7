import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotator.services import export_shelf, labelling, picking
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.web import routes, signing
from annotator.workspace import Workspace
from db.models import Label
from tests.web.test_sign_in import NO_LENGTHS

OUTSIDE = [
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..%5c", "..%c0%af", "....//", "/", "%2f", "%00",
    "..%00/", "..;/", "%u002e%u002e/", "/etc/passwd%00",
]  # fmt: skip


@pytest.fixture(scope="module")
def asking(filled_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The filled workspace with 20 questions: picking them takes a second."""
    folder = tmp_path_factory.mktemp("asking") / "workspace"
    shutil.copytree(filled_once, folder)
    with Workspace.open(folder, Settings(device="cpu", workers=2)) as made:
        picking.refill(made, 20)
    return folder


@pytest.fixture
def served(asking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    shutil.copytree(asking, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace", Settings(device="cpu", workers=2)) as copied:
        monkeypatch.setattr(routes, "current", lambda: copied)
        yield copied


@pytest.fixture
def stranger(served: Workspace) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.ROUTES)) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient, served: Workspace) -> TestClient:
    """A browser that opened a page as Anna."""
    assert stranger.post("/api/sign-in", json={"token": signing.page_token(served, "Anna")}).status_code == 200
    return stranger


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/pictures/320/0"), ("POST", "/api/claim"), ("POST", "/api/answers"), ("POST", "/api/release")],
)
def test_a_stranger_gets_nothing(stranger: TestClient, method: str, path: str) -> None:
    assert stranger.request(method, path, json={}).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_false_token_opens_no_session(stranger: TestClient, token: str) -> None:
    assert stranger.post("/api/sign-in", json={"token": token}).status_code == 401


def test_a_session_cookie_does_not_serve_as_a_page_token(client: TestClient) -> None:
    cookie = client.cookies[signing.COOKIE]
    client.cookies.clear()
    assert client.post("/api/sign-in", json={"token": cookie}).status_code == 401


@pytest.mark.parametrize("header", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_pages_of_other_sites_are_refused(client: TestClient, header: dict[str, str]) -> None:
    assert client.post("/api/claim", json={}, headers=header).status_code == 403


def test_pictures_come_once_and_stay_in_the_browser(client: TestClient) -> None:
    first = client.get("/api/pictures/320/0")
    assert first.status_code == 200
    assert first.headers["content-type"] == "image/jpeg"
    assert "immutable" in first.headers["cache-control"] and "private" in first.headers["cache-control"]
    again = client.get("/api/pictures/320/0", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("size", ["320", "1280", "full"])
def test_every_size_is_served(client: TestClient, size: str) -> None:
    assert client.get(f"/api/pictures/{size}/3").content.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    "path", ["/api/pictures/320/9999", "/api/pictures/9/0", "/api/ui/..%2f__init__.py", "/api/ui/words.py"]
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_claimed_questions_carry_what_the_screen_shows(client: TestClient) -> None:
    questions = client.post("/api/claim", json={"tag": None, "count": 5}).json()["questions"]
    assert len(questions) == 5
    for question in questions:
        assert question["reason"]
        assert len(question["suggestions"]) == len({shown["tag"] for shown in question["suggestions"]})
        assert client.get(f"/api/pictures/1280/{question['image']}").status_code == 200


def test_answers_are_stored_under_the_persons_name_and_acknowledged(client: TestClient, served: Workspace) -> None:
    question = client.post("/api/claim", json={"tag": None, "count": 1}).json()["questions"][0]
    labels = [[question["image"], shown["tag"], 1] for shown in question["suggestions"]]
    body = {"client": "tab", "answers": [{"seq": 1, "labels": labels, "tasks": [question["task"]], "seconds": 1.5}]}
    for _ in range(2):
        assert client.post("/api/answers", json=body).json() == {
            "acked": 1,
            "received": [1],
            "problems": [],
            "notes": [],
        }
    with served.reading() as session:
        assert len(session.scalars(select(Label)).all()) == len(labels)
    again = client.post("/api/claim", json={"tag": None, "count": 1}).json()["questions"][0]
    assert again["task"] != question["task"]


def test_a_malformed_answer_does_not_hold_up_the_next(client: TestClient, served: Workspace) -> None:
    body = {"client": "tab", "answers": [{"seq": 1, "labels": [[0, 1, 7]]}, {"seq": 2, "labels": [[0, 1, 1]]}]}
    receipt = client.post("/api/answers", json=body).json()
    assert receipt["acked"] == 2 and len(receipt["problems"]) == 1


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"client": "", "answers": []}', b'{"client": "c", "answers": 3}']
)
def test_a_request_that_cannot_be_read_says_why(client: TestClient, content: bytes) -> None:
    response = client.post("/api/answers", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]


def test_an_oversized_request_is_refused(client: TestClient) -> None:
    content = json.dumps({"client": "c", "answers": [], "x": "y" * routes.MOST_BYTES})
    assert client.post("/api/answers", content=content).status_code == 400


def test_verify_asks_about_one_tag_only(client: TestClient) -> None:
    questions = client.post("/api/claim", json={"tag": 1, "count": 12}).json()["questions"]
    assert len(questions) == 12
    assert {shown["tag"] for question in questions for shown in question["suggestions"]} == {1}


def test_the_vocabulary_comes_once_and_is_only_asked_about_then(client: TestClient) -> None:
    first = client.get("/api/tags")
    assert len(first.json()["tags"]) == 21
    again = client.get("/api/tags", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/tags/1").json()["name"] == first.json()["tags"][0][1]
    assert client.get("/api/tags/999").status_code == 404


def test_why_is_told_of_a_picture(client: TestClient) -> None:
    assert set(client.get("/api/why/3").json()) == {"sources", "neighbours"}


def test_a_session_is_begun_paused_gone_on_with_and_ended(client: TestClient) -> None:
    begun = client.post("/api/sessions/begin", json={"mode": "label"}).json()
    assert (begun["resumed"], begun["recent"], begun["answers"]) == (False, [], 0)
    questions = client.post("/api/claim", json={"tag": None, "count": 3}).json()["questions"]
    held = [question["task"] for question in questions]
    paused = client.post("/api/sessions/pause", json={"session": begun["session"], "tasks": held}).json()
    assert paused["state"] == "paused"
    assert client.post("/api/sessions/begin", json={"mode": "verify", "tag": 1, "page_size": 24}).json()["resumed"]
    assert client.post("/api/claim", json={"tag": None, "count": 0, "have": held}).json()["lost"] == []
    assert client.post("/api/sessions/end", json={"session": begun["session"]}).json()["state"] == "ended"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/sessions/begin", {}),
        ("/api/sessions/begin", {"mode": "play"}),
        ("/api/sessions/begin", {"mode": "label", "tag": "boat"}),
        ("/api/sessions/pause", {}),
        ("/api/sessions/end", {"session": 99}),
        ("/api/claim", {"tag": 1.5}),
        ("/api/claim", {"tag": None, "count": 2**40}),
        ("/api/claim", {"tag": None, "have": ["1"]}),
        ("/api/claim", {"tag": None, "have": list(range(2000))}),
        ("/api/release", {"tasks": 3}),
    ],
)
def test_what_a_route_cannot_use_is_named(client: TestClient, path: str, body: dict[str, object]) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tags"), ("GET", "/api/tags/1"), ("GET", "/api/why/0"),
        ("POST", "/api/sessions/begin"), ("POST", "/api/sessions/pause"), ("POST", "/api/sessions/end"),
    ],
)  # fmt: skip
def test_a_stranger_learns_nothing_of_sessions_and_tags(stranger: TestClient, method: str, path: str) -> None:
    assert stranger.request(method, path, json={}).status_code == 401


def test_answers_for_another_name_than_the_cookies_are_not_taken(client: TestClient, served: Workspace) -> None:
    """Two tabs under two names share one cookie: the second sign-in must not take the first one's answers."""
    body = {"client": "tab", "answers": [{"seq": 1, "labels": [[0, 1, 1]]}]}
    assert client.post("/api/answers", json=body, headers={"x-annotator-person": "B%C3%A9n"}).status_code == 401
    assert client.post("/api/answers", json=body, headers={"x-annotator-person": "Anna"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/pictures/320/", "/api/why/", "/api/tags/"])
def test_a_number_beyond_all_numbers_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"{path}{10**25}").status_code == 404


def test_the_review_queue_comes_filtered_and_without_what_is_on_the_screen(
    client: TestClient, served: Workspace
) -> None:
    for person, state in (("anna", LabelState.POSITIVE), ("bea", LabelState.NEGATIVE)):
        labelling.set_labels(served, person, [(row, 1, state) for row in range(3)])
    asked = {"cause": "disagreement", "tag": 1, "person": "anna", "count": 5}
    found = client.post("/api/review", json={**asked, "have": [[0, 1], [9, None]]}).json()
    assert ([item["image"] for item in found["items"]], found["total"]) == ([1, 2], 2)
    verdict = {"image": 1, "tag": 1, "what": "accepted", "state": 1}
    receipt = client.post("/api/answers", json={"client": "tab", "answers": [{"seq": 1, "verdict": verdict}]}).json()
    assert (receipt["acked"], receipt["problems"]) == (1, [])
    assert client.post("/api/review", json=asked).json()["total"] == 2


@pytest.mark.parametrize("body", [{"cause": "x"}, {"cause": 3}, {"have": [1]}, {"have": [["a", 1]]}, {"tag": "1"}])
def test_a_queue_that_cannot_be_asked_for_says_why(client: TestClient, body: dict[str, object]) -> None:
    response = client.post("/api/review", json=body)
    assert response.status_code == 400 and response.json()["error"]


def test_a_picture_is_talked_about_by_whoever_labels(client: TestClient) -> None:
    assert client.post("/api/comments", json={"image": 2, "tag": 1, "text": "a raft?"}).status_code == 200
    (said,) = client.get("/api/comments/2").json()["comments"]
    assert (said["person"], said["text"], said["tag"], said["open"]) == ("Anna", "a raft?", 1, True)
    assert client.post("/api/comments/resolve", json={"image": 2, "tag": 1}).json() == {"resolved": 1}
    assert client.post("/api/comments", json={"image": 9999, "text": "x"}).status_code == 404
    assert client.post("/api/comments", json={"image": 2, "text": ""}).status_code == 400


def test_an_export_is_fetched_with_the_link_of_our_page_and_no_other(stranger: TestClient, served: Workspace) -> None:
    made = export_shelf.make(served, "csv")
    token = signing.download_token(served, made["name"])
    found = stranger.get(f"/api/exports/{token}")
    assert found.content == Path(made["path"]).read_bytes()
    assert made["name"] in found.headers["content-disposition"]
    assert stranger.get(f"/api/exports/{signing.page_token(served, made['name'])}").status_code == 401
    gone = signing.download_token(served, "../workspace.json")
    assert stranger.get(f"/api/exports/{gone}").status_code == 404


def test_a_skipped_question_is_not_asked_again(client: TestClient) -> None:
    asked = client.post("/api/claim", json={"tag": None, "count": 2}).json()["questions"]
    task = asked[0]["task"]
    assert client.post("/api/skip", json={"task": task, "reason": "tag unclear"}).json() == {"skipped": task}
    again = client.post("/api/claim", json={"tag": None, "count": 9}).json()["questions"]
    assert asked[0]["image"] not in {question["image"] for question in again}


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"task": 1, "reason": 3}, 400), ({"task": 1, "reason": "x"}, 400), ({"task": 99_999}, 404)],
)
def test_a_skip_that_names_nothing_is_refused(client: TestClient, body: dict[str, object], status: int) -> None:
    assert client.post("/api/skip", json=body).status_code == status


@pytest.mark.parametrize("length", NO_LENGTHS)
@pytest.mark.parametrize("path", ["/api/claim", "/api/answers", "/api/sign-in"])
def test_a_length_that_is_no_number_is_refused(client: TestClient, path: str, length: str) -> None:
    answer = client.post(path, content=b"{}", headers={"content-length": length.encode("latin-1")})
    assert answer.status_code == 400 and "Content-Length" in answer.json()["error"]


def test_what_is_longer_than_it_was_announced_is_refused_too(client: TestClient) -> None:
    answer = client.post("/api/claim", content=b"x" * (routes.MOST_BYTES + 1), headers={"content-length": "2"})
    assert answer.status_code == 400 and "at most" in answer.json()["error"]


def test_page_and_export_links_end_after_their_time(
    stranger: TestClient, served: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = export_shelf.make(served, "csv")
    with monkeypatch.context() as then:
        then.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda signer: int(time.time()) - 121)
        page, export = signing.page_token(served, "Anna"), signing.download_token(served, made["name"])
        then.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda signer: int(time.time()) - 24 * 3600 - 1)
        old = signing.download_token(served, made["name"])
    assert stranger.post("/api/sign-in", json={"token": page}).status_code == 401
    assert stranger.get(f"/api/exports/{export}").status_code == 200
    assert stranger.get(f"/api/exports/{old}").status_code == 401


@pytest.mark.parametrize("up", OUTSIDE)
def test_no_route_leads_out_of_its_folder(client: TestClient, served: Workspace, up: str) -> None:
    inside = [f"/api/ui/{up}routes.py", f"/api/ui/{up}secret.key", f"/api/pictures/{up}secret.key/0"]
    inside += [f"/api/pictures/320/{up}0", f"/api/pictures/320{up}/0", f"/api/exports/{up}secret.key"]
    for path in inside:
        answer = client.get(path)
        assert answer.status_code in (401, 404)
        assert served.secret not in answer.text and "def " not in answer.text


@pytest.mark.parametrize(
    "name", ["../secret.key", "..", ".", "", "a\0b", "/etc/passwd", "..\\secret.key", "%2e%2e", "x" * 5000]
)
def test_even_a_link_of_ours_gives_out_only_what_lies_on_the_shelf(
    stranger: TestClient, served: Workspace, name: str
) -> None:
    assert stranger.get(f"/api/exports/{signing.download_token(served, name)}").status_code == 404
