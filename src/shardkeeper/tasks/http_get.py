"""``http-get``: asks a URL that whoever submits has chosen, and keeps to what this node allows (``addresses``).

Every hop is checked anew: its scheme, its name's addresses, and the connection goes to the address that was checked, so
that a name which changes its mind in between gains nothing.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shardkeeper.task import DistributeTask, ShardContext, ValidationError
from shardkeeper.tasks.addresses import Network, networks
from shardkeeper.tasks.connecting import CheckedConnection, Deadline, resolved
from shardkeeper.tasks.hops import (
    LONGEST_URL,
    Hop,
    RedirectRefused,
    first_hop,
    headers_for,
    next_hop,
    request_headers,
)
from shardkeeper.tasks.node_settings import node_settings
from shardkeeper.tasks.parameters import Parameters, WrongParameters

METHODS = ("GET", "HEAD")
REDIRECTS = (301, 302, 303, 307, 308)
KEPT_HEADERS = (
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "etag",
    "last-modified",
    "cache-control",
    "date",
    "location",
    "retry-after",
)
"""Of an answer's headers, those in the result: none that holds a credential."""

_CHUNK = 65_536


class AnswerTooLarge(Exception):
    """The answer is larger than ``max_bytes``."""


class AnswerBroken(Exception):
    """What came is no HTTP, or ended before its end."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the parameters and the node's settings come to."""

    first: Hop
    method: str
    headers: Mapping[str, str]
    timeout_s: float
    max_bytes: int
    max_redirects: int
    expected: tuple[int, ...]
    allowed: tuple[Network, ...]


class HttpGet(DistributeTask):
    """The parameters are those of docs/reference/tasks.md."""

    def initialize(self, context: ShardContext) -> Request:
        given = Parameters(context.parameters)
        self._request = Request(
            first_hop(given.text("url", LONGEST_URL)),
            given.choice("method", METHODS, "GET"),
            request_headers(given.any("headers", {})),
            given.number("timeout_s", 0.001, 3_600, 30.0),
            given.integer("max_bytes", 0, 100_000_000, 500_000),
            given.integer("max_redirects", 0, 20, 5),
            _statuses(given.any("expect_status", [])),
            networks(node_settings().allowed_networks),
        )
        return self._request

    def calculate(self, context: ShardContext, data: Request) -> dict[str, Any] | None:
        deadline = Deadline(data.timeout_s)
        hop = data.first
        for redirects in range(data.max_redirects + 1):
            if context.cancelled:
                return None
            status, headers, body = _asked(data, hop, deadline)
            # what stands behind the host may be secret
            context.log.info("%s %s answered %d with %d bytes", data.method, hop.host, status, len(body))
            location = headers.get("location")
            if status not in REDIRECTS or location is None or data.max_redirects == 0:
                return {
                    "status": status,
                    "url": hop.url,
                    "redirects": redirects,
                    "headers": headers,
                    "bytes": len(body),
                    **({} if data.method == "HEAD" else _content(headers, body)),
                }
            hop = next_hop(hop, location)
        raise RedirectRefused(f"more than {data.max_redirects} redirects")

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        if values is None:
            return
        status = values["status"]
        expected = self._request.expected
        if not (status in expected if expected else 200 <= status < 300):
            raise ValidationError(f"answered with status {status}")


def _statuses(given: Any) -> tuple[int, ...]:
    found = given if isinstance(given, list) else [given]
    if not all(isinstance(one, int) and not isinstance(one, bool) and 100 <= one <= 599 for one in found):
        raise WrongParameters("expect_status is not a status, or a list of them")
    return tuple(found)


def _asked(request: Request, hop: Hop, deadline: Deadline) -> tuple[int, dict[str, str], bytes]:
    """One hop: status, kept headers, and the body where it is no redirect to be followed."""
    addresses = resolved(hop.host, hop.port, request.allowed, deadline)
    headers = headers_for(hop, request.first, request.headers)
    connection = CheckedConnection(hop.host, hop.port, addresses, hop.scheme == "https", deadline)
    try:
        connection.request(request.method, hop.target, headers={**headers, "Connection": "close"})
        response = connection.getresponse()
        kept = {
            name: text.encode("latin-1", "replace").decode("utf-8", "replace")
            for name in KEPT_HEADERS
            if (text := response.headers.get(name)) is not None
        }
        follows = response.status in REDIRECTS and "location" in kept and request.max_redirects > 0
        body = b"" if follows else _read(response, request.max_bytes)
        return response.status, kept, body
    except http.client.HTTPException as error:
        # its text may hold whatever the server sent
        raise AnswerBroken(f"{hop.host} sent no proper answer ({type(error).__name__})") from None
    except TimeoutError:
        deadline.left_s()
        raise
    finally:
        connection.hang_up()


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """No more than ``max_bytes``, whatever the server says of its length."""
    promised = response.length
    if promised is not None and promised > max_bytes:
        raise AnswerTooLarge(f"the answer has {promised} bytes, more than max_bytes ({max_bytes})")
    body = bytearray()
    while chunk := response.read1(min(_CHUNK, max_bytes + 1)):
        body += chunk
        if len(body) > max_bytes:
            raise AnswerTooLarge(f"the answer has more bytes than max_bytes ({max_bytes})")
    if promised is not None and len(body) != promised:
        raise AnswerBroken(f"the answer ended after {len(body)} of {promised} bytes")
    return bytes(body)


def _content(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As ``json``, ``text`` or ``base64``, whichever it is first: what is encoded is never unpacked (a small answer can
    be a huge one packed)."""
    kind, _, rest = headers.get("content-type", "").lower().partition(";")
    kind = kind.strip()
    is_json = kind == "application/json" or kind.endswith("+json")
    if headers.get("content-encoding", "identity").lower() == "identity" and (
        is_json or kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/javascript"))
    ):
        text = _text(body, rest)
        if is_json and text is not None:
            try:
                return {"json": json.loads(text, parse_constant=_no_json)}
            except (ValueError, RecursionError):
                return {"text": text}
        if text is not None:
            return {"text": text}
    return {"base64": base64.b64encode(body).decode()}


def _text(body: bytes, content_type_rest: str) -> str | None:
    """None where it is no text after all, or one that PostgreSQL cannot store."""
    _, _, charset = content_type_rest.partition("charset=")
    try:
        text = body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8")
    except (LookupError, ValueError):
        return None
    return None if "\0" in text else text


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
