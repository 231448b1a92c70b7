"""What a request brings, up to a size: what is larger is refused before it is in memory."""

from starlette.requests import Request

from annotator.errors import BadInputError


async def read_body(request: Request, most: int, remedy: str = "") -> bytes:
    """The whole body. Raises BadInputError for more than `most` bytes, with `remedy`, and for a length that is none."""
    refusal = BadInputError(f"a request holds at most {most} bytes{remedy}")
    if _announced(request.headers.get("content-length", "0")) > most:
        raise refusal
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most:
            raise refusal
    return raw


def _announced(length: str) -> int:
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise BadInputError(f"Content-Length must be a whole number of bytes, not {length!r:.40}")
    return int(length)
