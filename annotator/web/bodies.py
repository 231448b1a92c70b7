"""What a request brings, up to a size: what is larger is refused before it is in memory."""

from starlette.requests import Request

from annotator.errors import BadInputError


async def read_body(request: Request, most: int, remedy: str = "") -> bytes:
    """The whole body. Raises BadInputError for more than `most` bytes; `remedy` says what would do."""
    refusal = BadInputError(f"a request holds at most {most} bytes{remedy}")
    if int(request.headers.get("content-length") or 0) > most:
        raise refusal
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most:
            raise refusal
    return raw
