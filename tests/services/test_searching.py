"""A picture that comes by the browser: what is too much for the machine is refused before it is decoded."""

import io
import struct
import zlib

import pytest
from PIL import Image as Picture

from annotator.errors import BadInputError, PictureError
from annotator.services import searching
from annotator.workspace import Workspace


def png_of(width: int, height: int) -> bytes:
    """A valid PNG header that promises this size, and the beginning of its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_a_picture_finds_itself(filled: Workspace) -> None:
    content = filled.thumbnail(320, shown_sha256(filled)).read_bytes()
    assert searching.by_picture(filled, content, "same.jpg", 3, searching.UPLOADED)[0].row == 0


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (60_000, 60_000), (2**31 - 1, 1), (65_501, 1)])
def test_a_picture_bomb_is_refused_by_its_header(filled: Workspace, width: int, height: int) -> None:
    with pytest.raises(PictureError, match=r"bomb.png: .*100,000,000 pixels") as caught:
        searching.by_picture(filled, png_of(width, height), "bomb.png", 3, searching.UPLOADED)
    assert caught.value.reason == "too large"


def test_a_file_beyond_the_limit_is_refused_whatever_is_in_it(filled: Workspace) -> None:
    small = io.BytesIO()
    Picture.new("RGB", (8, 8)).save(small, "JPEG")
    padded = small.getvalue().ljust(searching.UPLOADED.file_bytes + 1, b"\0")
    with pytest.raises(PictureError, match="33,554,433 bytes"):
        searching.by_picture(filled, padded, "padded.jpg", 3, searching.UPLOADED)


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", bytes(1000)])
def test_what_is_no_picture_is_refused_by_name(filled: Workspace, content: bytes) -> None:
    with pytest.raises(BadInputError, match=r"^\.\./\.\./x\.png: "):
        searching.by_picture(filled, content, "../../x.png", 3, searching.UPLOADED)


def shown_sha256(workspace: Workspace) -> str:
    from db.models import Image

    with workspace.reading() as session:
        return str(session.get_one(Image, 0).sha256)
