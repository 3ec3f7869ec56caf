"""Kind ``http``: one request; the status and the JSON that were expected are its validation."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from shardkeeper.task import DistributeTask, ShardContext, ValidationError
from shardkeeper.workers.attempt import Attempt
from shardkeeper.workers.imports import Declined
from shardkeeper.workers.jsontext import TooLarge

_LONGEST_WAIT_S = 3600.0
_BEYOND_S = 0.5
_CHUNK = 65_536


def prepare(attempt: Attempt) -> tuple[Callable[[], DistributeTask], str | None]:
    """Raises Declined for what is no http or https URL."""
    url = attempt.order["entrypoint"]
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(ord(sign) <= 32 for sign in url):
        raise Declined(f"{url!r:.200} is no http or https URL")
    return partial(_Request, attempt, url), None


class _Request(DistributeTask):
    def __init__(self, attempt: Attempt, url: str) -> None:
        self._attempt = attempt
        self._url = urlsplit(url)
        self._status = 0
        self._is_json = False

    def initialize(self, context: ShardContext) -> tuple[str, bytes | None, dict[str, str]]:
        parameters = context.parameters
        method = str(parameters.get("method", "POST")).upper()
        headers = {str(name): str(value) for name, value in (parameters.get("headers") or {}).items()}
        given = parameters.get("body")
        if method in ("GET", "HEAD") and given is None:
            return method, None, headers
        if isinstance(given, str):
            return method, given.encode(), headers
        body = json.dumps(self._attempt.context if given is None else given).encode()
        return method, body, {"Content-Type": "application/json", **headers}

    def calculate(self, context: ShardContext, data: tuple[str, bytes | None, dict[str, str]]) -> Any:
        method, body, headers = data
        # a little more than the attempt has: its end in time is the node's to tell
        timeout_s = min(
            (self._attempt.order.get("timeout_s") or _LONGEST_WAIT_S) + _BEYOND_S, _LONGEST_WAIT_S
        )
        tls = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=timeout_s)
        try:
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            self._status = response.status
            answer = self._read(response, time.monotonic() + timeout_s)
        finally:
            connection.close()
        context.log.info(
            "%s %s answered %d with %d bytes", method, self._url.netloc, self._status, len(answer)
        )
        try:
            result = json.loads(answer)
        except (ValueError, RecursionError):
            return None
        self._is_json = True
        return result

    def _read(self, response: http.client.HTTPResponse, until: float) -> bytes:
        limit: int = self._attempt.order["result_limit"]
        answer = bytearray()
        while chunk := response.read1(_CHUNK):
            answer += chunk
            if len(answer) > limit:
                raise TooLarge(f"the answer is too large: more than {limit} bytes")
            if time.monotonic() > until:
                raise TimeoutError("the answer did not end in time")
        return bytes(answer)

    def validate_calculation(self, context: ShardContext, values: Any) -> None:
        if not _status_fits(self._status, context.parameters.get("expect_status")):
            raise ValidationError(f"answered with status {self._status}")
        expected = context.parameters.get("expect_json")
        if expected is None:
            return
        if not self._is_json:
            raise ValidationError("the answer is not JSON")
        if expected is not True:
            _compare(expected, values, "$")


def _status_fits(status: int, expected: Any) -> bool:
    if expected is None:
        return 200 <= status < 300
    return status in (expected if isinstance(expected, list) else [expected])


def _compare(expected: Any, found: Any, path: str) -> None:
    """An expected object is contained in the one found, by its keys; all else is equal. Raises ValidationError."""
    if not isinstance(expected, Mapping):
        if expected != found:
            raise ValidationError(f"{path} is {json.dumps(found)[:200]}, not {json.dumps(expected)[:200]}")
        return
    if not isinstance(found, Mapping):
        raise ValidationError(f"{path} is no object")
    for key, value in expected.items():
        if key not in found:
            raise ValidationError(f"{path}.{key} is missing")
        _compare(value, found[key], f"{path}.{key}")
