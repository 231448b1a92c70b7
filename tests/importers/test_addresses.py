"""Addresses: every name has one URI, leads back to itself, and can be shown."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.importers.addresses import (
    folder_of,
    local_path,
    local_uri,
    member_uri,
    resolve,
    scheme_of,
    show,
    split_member,
)

NAMES = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\0", b"x").replace(b"/", b"y"))


@given(NAMES)
def test_every_file_name_leads_back_to_itself(raw: bytes) -> None:
    name = os.fsdecode(raw)
    path = Path("/photos") / name
    if name in (".", ".."):
        return
    uri = local_uri(path)
    assert local_path(uri) == path
    assert uri.isprintable()
    assert uri.encode("utf-8")


@given(NAMES, NAMES)
def test_every_member_leads_back_to_its_archive_and_name(archive: bytes, member: bytes) -> None:
    path = Path("/photos") / (os.fsdecode(archive) + ".zip")
    uri = member_uri("zip", path, os.fsdecode(member))
    assert split_member(uri) == (path, os.fsdecode(member))
    assert local_path(uri) is None
    assert uri.isprintable()


@given(st.text())
def test_whatever_is_shown_is_one_printable_line(name: str) -> None:
    assert show(name).isprintable()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a b.jpg", "a b.jpg"), ("a\nb", "a\\nb"), ("a\udcffb", "a\\xffb"), ("\ud800", "\\ud800"), ("\u202e", "\\u202e")],
)
def test_what_cannot_be_shown_is_escaped(name: str, shown: str) -> None:
    assert show(name) == shown


def test_plain_paths_stay_as_they_are() -> None:
    assert local_uri("/photos/ä ünd ß 100%.jpg") == "/photos/ä ünd ß 100%.jpg"
    assert local_uri("/photos/../a.jpg") == "/a.jpg"
    assert local_uri("/photos/a\nb.jpg") == "file:///photos/a%0Ab.jpg"
    assert member_uri("zip", "/a!b.zip", "in/c d%.jpg") == "zip:///a%21b.zip!in/c d%25.jpg"


@pytest.mark.parametrize(
    ("entry", "base", "uri"),
    [
        ("a.jpg", "/lists", "/lists/a.jpg"),
        ("../a.jpg", "/lists", "/a.jpg"),
        ("/b/a.jpg", "/lists", "/b/a.jpg"),
        ("s3://b/a.jpg", "/lists", "s3://b/a.jpg"),
        ("file:///b/a%20c.jpg", "/lists", "/b/a c.jpg"),
        ("a.jpg", "s3://b/lists", "s3://b/lists/a.jpg"),
        ("zip:///a.zip!b.jpg", "/lists", "zip:///a.zip!b.jpg"),
    ],
)
def test_a_list_entry_counts_from_the_lists_folder(entry: str, base: str, uri: str) -> None:
    assert resolve(entry, base) == uri


def test_schemes_and_folders() -> None:
    assert [scheme_of(uri) for uri in ("s3://a", "/a/b", "a://b", "/x://y", "C:\\a")] == ["s3", "", "a", "", ""]
    assert folder_of("/a/b.csv") == "/a"
    assert folder_of("s3://a/b.csv") == "s3://a"
