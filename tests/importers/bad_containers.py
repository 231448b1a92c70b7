"""Names, links, folders, archives, lists and URLs."""

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.importers import picture_bytes as b
from tests.importers.bad_input import BadInput, one_file


def jpeg(seed: str) -> bytes:
    """A small JPEG, another one for each seed."""
    return b.encoded(b.photo(seed))


NAMES: dict[str, BadInput] = {
    f"name with {what}": one_file(name, partial(jpeg, f"name {what}"))
    for what, name in {
        "a newline": "a\nb.jpg",
        "quotes": "a\"b'c`d.jpg",
        "commas and semicolons": "a,b;c|d.jpg",
        "an emoji": "a 👩‍🌾 b.jpg",
        "bytes that are no UTF-8": b"a\xff\xfe\x80b.jpg",
        "a leading dash": "-rf.jpg",
        "a percent sign": "100%41!.jpg",
        "markup": "<b onclick=alert(1)>&amp;.jpg",
        "a direction mark": "a\u202egpj.b.jpg",
        "255 bytes": "x" * 251 + ".jpg",
        "spaces around it": " a .jpg ",
        "a wrong ending": "a.png",
        "no ending": "a",
        "a capital ending": "A.JPG",
        "an unknown ending": "a.picture",
        "a backslash": "a\\b.jpg",
    }.items()
}


def _loop(folder: Path) -> str:
    (folder / "a.jpg").symlink_to(folder / "b.jpg")
    (folder / "b.jpg").symlink_to(folder / "a.jpg")
    return str(folder)


def _dangling(folder: Path) -> str:
    (folder / "a.jpg").symlink_to(folder / "gone.jpg")
    return str(folder)


def _link(folder: Path) -> str:
    (folder / "z.jpg").write_bytes(jpeg("link"))
    (folder / "a.jpg").symlink_to(folder / "z.jpg")
    return str(folder)


def _links_into_a_store(folder: Path) -> str:
    """As git-annex and DVC lay them: two names for one file in a hidden folder."""
    store = folder / ".store"
    store.mkdir()
    (store / "1f.jpg").write_bytes(jpeg("store"))
    (folder / "a.jpg").symlink_to(store / "1f.jpg")
    (folder / "b.jpg").symlink_to(store / "1f.jpg")
    return str(folder)


def _link_to_parent(folder: Path) -> str:
    (folder / "in").mkdir()
    (folder / "in" / "a.jpg").write_bytes(jpeg("parent"))
    (folder / "in" / "up").symlink_to(folder)
    return str(folder)


def _link_out(folder: Path) -> str:
    for name in ("outside", "given"):
        (folder / name).mkdir()
    (folder / "outside" / "a.jpg").write_bytes(jpeg("outside"))
    (folder / "given" / "a.jpg").symlink_to(folder / "outside" / "a.jpg")
    (folder / "given" / "more").symlink_to(folder / "outside")
    return str(folder / "given")


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "a.jpg")
    return str(folder)


def _unreadable(folder: Path) -> str:
    (folder / "a.jpg").write_bytes(jpeg("unreadable"))
    (folder / "a.jpg").chmod(0)
    return str(folder)


def _folder_named_like_a_picture(folder: Path) -> str:
    (folder / "x.jpg").mkdir()
    (folder / "x.jpg" / "a.jpg").write_bytes(jpeg("folder named x.jpg"))
    return str(folder)


def _junk(folder: Path) -> str:
    (folder / "__MACOSX").mkdir()
    for name in (".DS_Store", "Thumbs.db", "._a.jpg", "__MACOSX/a.jpg", "notes.txt", "labels.csv", "clip.mp4"):
        (folder / name).write_bytes(b"junk")
    (folder / "a.jpg").write_bytes(jpeg("beside junk"))
    return str(folder)


def _twice(folder: Path) -> str:
    """The same bytes under two names: two files are found, one image comes of it."""
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(jpeg("twice"))
    return str(folder)


def _nothing(folder: Path) -> str:
    return str(folder / "no such folder")


PLACES: dict[str, BadInput] = {
    "link loop": BadInput(_loop, 0, ("link loop", "link loop")),
    "dangling link": BadInput(_dangling, 0, ("missing",)),
    "link to a file": BadInput(_link, 1),
    "links into a hidden store": BadInput(_links_into_a_store, 1),
    "link to a parent folder": BadInput(_link_to_parent, 1, ("link loop",)),
    "links out of the folder": BadInput(_link_out, 0, ("link out", "link out")),
    "pipe": BadInput(_fifo, 0, ("not a file",)),
    "no permission": BadInput(_unreadable, 0, ("unreadable",), root_reads_it=True),
    "folder named like a picture": BadInput(_folder_named_like_a_picture, 1),
    "junk beside a picture": BadInput(_junk, 1),
    "duplicate files": BadInput(_twice, 2),
    "a path that is not there": BadInput(_nothing, 0, ("missing",)),
}


def zipped(name: str, members: dict[str, bytes], twist: Callable[[bytes], bytes] = bytes) -> Callable[[Path], str]:
    """Writes a zip archive, its bytes twisted at last."""

    def make(folder: Path) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        (folder / name).write_bytes(twist(buffer.getvalue()))
        return str(folder)

    return make


def _encrypt(data: bytes) -> bytes:
    """Set the flag for a password in the local and the central header of the first member."""
    central = data.index(b"PK\1\2")
    twisted = bytearray(data)
    twisted[6] |= 1
    twisted[central + 8] |= 1
    return bytes(twisted)


def _inflate(data: bytes) -> bytes:
    """Let the central header promise 900 million bytes."""
    central = data.index(b"PK\1\2")
    return data[: central + 24] + (900_000_000).to_bytes(4, "little") + data[central + 28 :]


def _rot(data: bytes) -> bytes:
    """Flip bits in the packed bytes of the first member."""
    place = 60
    return data[:place] + bytes(byte ^ 0x5A for byte in data[place : place + 40]) + data[place + 40 :]


def _zip_with_link(folder: Path) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("a.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return str(folder)


def _zip_with_repeated_name(folder: Path) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.jpg", jpeg("repeated 1"))
        archive.writestr("b.jpg", jpeg("repeated 2"))
    data = (folder / "a.zip").read_bytes()
    (folder / "a.zip").write_bytes(data.replace(b"b.jpg", b"a.jpg"))
    return str(folder)


def tarred(name: str, members: dict[str, bytes], *odd: tarfile.TarInfo, keep: float = 1.0) -> Callable[[Path], str]:
    """Writes a tar archive with entries `odd` at its end, cut to the part `keep`."""

    def make(folder: Path) -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            for info in odd:
                archive.addfile(info)
        data = gzip.compress(buffer.getvalue(), mtime=0) if name.endswith("gz") else buffer.getvalue()
        (folder / name).write_bytes(data[: int(len(data) * keep)])
        return str(folder)

    return make


def _entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


ARCHIVES: dict[str, BadInput] = {
    "zip": BadInput(zipped("a.zip", {"in/a.jpg": jpeg("zip 1"), "in/ü b!%.jpg": jpeg("zip 2"), "x.txt": b"x"}), 2),
    "zip with junk": BadInput(
        zipped("a.zip", {"__MACOSX/._a.jpg": b"x", ".b.jpg": b"x", "a.jpg": jpeg("junk zip")}), 1
    ),
    "zip leading out": BadInput(
        zipped("a.zip", {"../a.jpg": jpeg("zip out"), "b.jpg": jpeg("zip in")}), 1, ("unsafe name",)
    ),
    "zip with absolute names": BadInput(
        zipped("a.zip", {"/etc/a.jpg": b"x", "C:\\a.jpg": b"x", "\\\\host\\a.jpg": b"x"}), 0, ("unsafe name",) * 3
    ),
    "encrypted zip": BadInput(zipped("a.zip", {"a.jpg": jpeg("secret")}, _encrypt), 0, ("encrypted",)),
    "zip bomb": BadInput(zipped("a.zip", {"a.jpg": jpeg("bomb")}, _inflate), 0, ("too large",)),
    "zip with a rotten member": BadInput(
        zipped("a.zip", {"a.jpg": jpeg("rot"), "b.jpg": jpeg("sound")}, _rot), 1, ("damaged archive",)
    ),
    "corrupt zip": BadInput(zipped("a.zip", {"a.jpg": b"x"}, lambda data: data[:20]), 0, ("damaged archive",)),
    "text as zip": BadInput(zipped("a.zip", {}, lambda data: b"hello"), 0, ("damaged archive",)),
    "nested zip": BadInput(zipped("a.zip", {"b.zip": b"PK", "a.jpg": jpeg("nested")}), 1, ("nested archive",)),
    "zip with a link": BadInput(_zip_with_link, 0, ("not a file",)),
    "zip with a name twice": BadInput(_zip_with_repeated_name, 1, ("repeated name",)),
    "zip with a broken picture": BadInput(
        zipped("a.zip", {"a.jpg": jpeg("in zip")[:300], "b.jpg": b""}), 0, ("empty file", "truncated")
    ),
    "tar": BadInput(tarred("a.tar", {"in/a.jpg": jpeg("tar 1"), "./b.jpg": jpeg("tar 2")}), 2),
    "tar.gz": BadInput(tarred("a.tar.gz", {"in/a.jpg": jpeg("tgz 1"), "b.jpg": jpeg("tgz 2")}), 2),
    "tar with links": BadInput(
        tarred(
            "a.tar",
            {"a.jpg": jpeg("tar link")},
            _entry("b.jpg", tarfile.SYMTYPE, "/etc/passwd"),
            _entry("c.jpg", tarfile.LNKTYPE, "a.jpg"),
        ),
        1,
        ("not a file", "not a file"),
    ),
    "tar with a device": BadInput(tarred("a.tar", {}, _entry("a.jpg", tarfile.CHRTYPE)), 0, ("not a file",)),
    "tar leading out": BadInput(tarred("a.tar", {"../../a.jpg": b"x", "/a.jpg": b"x"}), 0, ("unsafe name",) * 2),
    "truncated tar.gz": BadInput(
        tarred("a.tgz", {"a.jpg": jpeg("cut 1"), "b.jpg": os.urandom(0) + jpeg("cut 2")}, keep=0.75),
        1,
        ("damaged archive",),
    ),
    "text as tar": BadInput(one_file("a.tar", lambda: b"hello").make, 0, ("damaged archive",)),
}


def _list(name: str, text: str | bytes, *pictures: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        for picture in pictures:
            (folder / picture).write_bytes(jpeg(f"{name} {picture} {text!r}"))
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(folder / name)

    return make


LISTS: dict[str, BadInput] = {
    "list": BadInput(_list("a.csv", "file,who\na.jpg,me\nb.jpg,you\n", "a.jpg", "b.jpg"), 2),
    "list with a missing file": BadInput(_list("a.csv", "path\na.jpg\ngone.jpg\n", "a.jpg"), 1, ("missing",)),
    "list with repeated rows": BadInput(_list("a.csv", "url\na.jpg\na.jpg\n./a.jpg\n", "a.jpg"), 1),
    "list with a byte order mark": BadInput(_list("a.csv", "\ufefffile\r\na.jpg\r\n", "a.jpg"), 1),
    "list in UTF-16": BadInput(_list("a.csv", "file;x\nä.jpg;1\n".encode("utf-16"), "ä.jpg"), 1),
    "list without the column": BadInput(_list("a.csv", "picture,x\na.jpg,1\n", "a.jpg"), 0, ("unusable list",)),
    "empty list": BadInput(_list("a.csv", ""), 0, ("unusable list",)),
    "list naming a folder": BadInput(_list("a.csv", "file\n.\n"), 0, ("not a file",)),
    "list with a zero byte": BadInput(_list("a.csv", "file\na\0b.jpg\n"), 0, ("unusable list",)),
    "json lines": BadInput(
        _list("a.jsonl", '"a.jpg"\n{"file": "b.jpg"}\n{"x": 1}\n{\n\n', "a.jpg", "b.jpg"), 2, ("unusable list",) * 2
    ),
    "text list": BadInput(_list("a.txt", "a.jpg\n\nfoo://x/b.jpg\n", "a.jpg"), 1, ("unknown scheme",)),
    "unknown scheme": BadInput(lambda folder: "foo://bucket/a.jpg", 0, ("unknown scheme",)),
    "remote folder that is not there": BadInput(lambda folder: "memory://no/such/place.jpg", 0, ("missing",)),
}
