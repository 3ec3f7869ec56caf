"""URLs of a request and its redirects: what may be asked for, and which headers go along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from shardkeeper.tasks.parameters import WrongParameters

LONGEST_URL = 8_000
DEFAULT_PORTS = {"http": 80, "https": 443}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e]{0,8000}")
_OURS = frozenset((
    "host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade",
    "expect", "keep-alive", "proxy-authorization", "proxy-connection",
))  # fmt: skip
"""What http.client sets, or what would change how the answer is read."""
_DEFAULTS = (("User-Agent", "shardkeeper"), ("Accept", "*/*"))
_FOR_ANYBODY = frozenset(("accept", "accept-language", "user-agent"))


class RedirectRefused(Exception):
    """A redirect leads nowhere, too often, or from https to http."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One URL to ask: ``target`` is what stands in the request line."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom the answer comes from."""
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        """Without what a browser would keep to itself (the fragment)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def first_hop(url: str) -> Hop:
    """Raises WrongParameters, without repeating the URL."""
    try:
        return _hop(url)
    except ValueError as error:
        raise WrongParameters(f"url {error}") from None


def next_hop(hop: Hop, location: str) -> Hop:
    """Where a redirect leads. Raises RedirectRefused."""
    try:
        found = _hop(urljoin(hop.url, location))
    except ValueError as error:
        raise RedirectRefused(f"{hop.host} redirects to an address that {error}") from None
    if hop.scheme == "https" and found.scheme == "http":
        raise RedirectRefused(f"{hop.host} redirects from https to http, to {found.host}")
    return found


def request_headers(given: Any) -> dict[str, str]:
    """Raises WrongParameters; a value is never repeated."""
    if not isinstance(given, Mapping):
        raise WrongParameters("headers is not an object of texts")
    for name, text in given.items():
        if _HEADER.fullmatch(name) is None or name.lower() in _OURS:
            raise WrongParameters(f"headers: {name!r:.120} is not a header that may be set")
        if not isinstance(text, str) or _HEADER_TEXT.fullmatch(text) is None:
            raise WrongParameters(f"headers: the value of {name} is not a line of ASCII text")
    named = {name.lower() for name in given}
    return {name: text for name, text in _DEFAULTS if name.lower() not in named} | dict(given)


def headers_for(hop: Hop, first: Hop, headers: Mapping[str, str]) -> dict[str, str]:
    """Credentials are for whom they were given for: another origin gets none of the caller's own headers."""
    if hop.origin == first.origin:
        return dict(headers)
    return {name: text for name, text in headers.items() if name.lower() in _FOR_ANYBODY}


def _hop(url: str) -> Hop:
    """Raises ValueError with the rest of a sentence."""
    if len(url) > LONGEST_URL:
        raise ValueError(f"is longer than {LONGEST_URL} characters")
    if any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        raise ValueError("holds spaces or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password: use the header Authorization")
    if port == 0:
        raise ValueError("has the port 0")
    try:
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    except UnicodeError:
        raise ValueError("has a host that is no name") from None
    target = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:=&?~+!$,;'@()*[]")
    return Hop(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], target)
