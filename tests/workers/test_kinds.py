"""Kinds script and http."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import Ending, EndingStatus

from .hall import Hall, alive, wait_until

Run = Callable[..., Ending]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


@pytest.fixture
def script_hall(open_hall: Callable[..., Hall], scripts: Path) -> Hall:
    return open_hall(script_dirs=(str(scripts),))


def write(folder: Path, name: str, body: str, mode: int = 0o755) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(mode)


def test_a_script_gets_its_context_and_its_last_line_is_the_result(script_hall: Hall, scripts: Path) -> None:
    write(
        scripts,
        "s.sh",
        'echo "args $1|$2"; echo err >&2; ctx=$(cat); echo "$ctx"\n'
        'printf \'{"item": %s, "job": "%s"}\\n\' "$SHARDKEEPER_ITEM" "$SHARDKEEPER_JOB_NAME"',
    )
    ending = script_hall.run("s.sh", {"args": ["a b", "$(id)"]}, item=3, kind="script")
    assert ending.status is EndingStatus.COMPLETED
    assert ending.result == {"item": 3, "job": "job"}
    assert ending.log is not None
    assert "args a b|$(id)" in ending.log
    assert "err" in ending.log
    context = json.loads(next(line for line in ending.log.splitlines() if line.startswith("{")))
    # what is not sent where there is none stands there all the same
    assert (context["run_name"], context["item_parameter"]) == ("job@2026-01-01T00:00:00Z", None)
    assert ending.code_version is not None


def test_a_script_whose_last_line_is_no_json_has_no_result(script_hall: Hall, scripts: Path) -> None:
    write(scripts, "s.sh", "echo fine, thank you")
    ending = script_hall.run("s.sh", kind="script")
    assert (ending.status, ending.result, ending.log) == (EndingStatus.COMPLETED, None, "fine, thank you\n")


@pytest.mark.parametrize(
    ("body", "said"), [("exit 3", "exit code 3"), ("kill -9 $$", "SIGKILL"), ("kill -SEGV $$", "SIGSEGV")]
)
def test_a_script_that_ends_badly_failed(script_hall: Hall, scripts: Path, body: str, said: str) -> None:
    write(scripts, "s.sh", "echo before\n" + body)
    ending = script_hall.run("s.sh", kind="script")
    assert (ending.status, ending.phase) == (EndingStatus.FAILED, Phase.CALCULATE)
    assert said in (ending.error_message or "")
    assert ending.log == "before\n"


def test_a_script_s_children_end_with_it_though_they_hold_its_output(
    script_hall: Hall, scripts: Path
) -> None:
    write(scripts, "s.sh", "sleep 600 & a=$!; setsid sleep 600 & echo [$a,$!]")
    ending = script_hall.run("s.sh", kind="script")
    assert len(ending.result) == 2
    assert alive(ending.result) == []


def test_a_script_in_a_shared_worker_takes_its_group_along(script_hall: Hall, scripts: Path) -> None:
    write(scripts, "s.sh", "sleep 600 & echo $!")
    pid = script_hall.run("s.sh", kind="script", isolation="thread").result
    wait_until(lambda: alive([pid]) == [])


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_a_script_that_hangs_times_out_or_is_stopped(script_hall: Hall, scripts: Path, trap: str) -> None:
    write(scripts, "s.sh", f"{trap}echo $$ > $1; while :; do sleep 600; done")
    file = script_hall.folder / "pid"
    ending = script_hall.run("s.sh", {"args": [str(file)]}, kind="script", timeout_s=0.4)
    assert ending.status is EndingStatus.TIMED_OUT
    assert alive([int(file.read_text())]) == []
    file.unlink()
    order = script_hall.submit("s.sh", {"args": [str(file)]}, kind="script")
    pid = int(script_hall.told("pid"))
    script_hall.workers.stop(order.key, order.claim_no, 0.4)
    assert script_hall.ending(order).status is EndingStatus.STOPPED
    assert alive([pid]) == []


def test_a_script_that_prints_much_is_bounded(script_hall: Hall, scripts: Path) -> None:
    write(scripts, "s.sh", "yes | head -c 100000000; echo; echo 5")
    ending = script_hall.run("s.sh", kind="script")
    assert (ending.status, ending.result) == (EndingStatus.COMPLETED, 5)
    assert len(ending.log or "") < 70_000
    write(scripts, "long.sh", "printf '\"'; yes | tr -d \"\\n\" | head -c 3000000; echo '\"'")
    assert script_hall.run("long.sh", kind="script").error_type == "TooLarge"


@pytest.mark.parametrize("name", ["../s.sh", "/bin/sh", "..", "", "absent.sh", "plain.sh", "link.sh"])
def test_what_is_no_executable_file_of_the_folder_is_declined(
    script_hall: Hall, scripts: Path, name: str
) -> None:
    write(scripts, "plain.sh", "echo 1", mode=0o644)
    write(scripts.parent, "s.sh", "echo 1")
    (scripts / "link.sh").symlink_to(scripts.parent / "s.sh")
    ending = script_hall.run(name, kind="script")
    assert (ending.status, ending.decline, ending.error_type) == (
        EndingStatus.FAILED,
        True,
        "NotRunnableHere",
    )


class _Site(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/hang":
            self.server.gate.wait(30)  # type: ignore[attr-defined]
        if self.path == "/echo":
            sent = json.loads(body) if body else None
            told = {
                "method": self.command,
                "body": sent,
                "x": self.headers.get("X-Test"),
                "up": {"a": 1, "b": 2},
            }
            self._give(200, json.dumps(told).encode())
        elif self.path == "/big":
            self._give(200, b"[" + b"1," * 100_000 + b"1]")
        elif self.path == "/nan":
            self._give(200, b"[1e200000]")
        else:
            self._give(int(self.path[1:]) if self.path[1:].isdigit() else 200, b"<html>")

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names http.server looks for

    def _give(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    server.gate = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.gate.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_http_posts_the_context_and_its_json_answer_is_the_result(hall: Hall, site: str) -> None:
    ending = hall.run(f"{site}/echo", {"headers": {"X-Test": "y"}}, kind="http")
    assert ending.status is EndingStatus.COMPLETED
    assert ending.result["method"] == "POST"
    assert ending.result["x"] == "y"
    assert ending.result["body"]["job_name"] == "job"


def test_http_sends_the_body_and_method_given(hall: Hall, site: str) -> None:
    assert hall.run(f"{site}/echo", {"method": "PUT", "body": {"q": 1}}, kind="http").result["body"] == {
        "q": 1
    }
    assert hall.run(f"{site}/echo", {"method": "GET"}, kind="http").result["body"] is None


@pytest.mark.parametrize(
    ("path", "parameters", "said"),
    [
        ("/500", {}, "answered with status 500"),
        ("/302", {}, "answered with status 302"),
        ("/200", {"expect_status": 204}, "answered with status 200"),
        ("/200", {"expect_json": True}, "the answer is not JSON"),
        ("/echo", {"expect_json": {"up": {"a": 2}}}, "$.up.a is 1, not 2"),
        ("/echo", {"expect_json": {"down": 1}}, "$.down is missing"),
    ],
)
def test_http_expectations_are_its_validation(
    hall: Hall, site: str, path: str, parameters: dict[str, Any], said: str
) -> None:
    ending = hall.run(site + path, parameters, kind="http")
    assert (ending.status, ending.phase) == (EndingStatus.FAILED, Phase.VALIDATE)
    assert (ending.error_type, ending.error_message) == ("ValidationError", said)


def test_http_expectations_met_complete(hall: Hall, site: str) -> None:
    assert hall.run(f"{site}/404", {"expect_status": [404]}, kind="http").status is EndingStatus.COMPLETED
    met = hall.run(f"{site}/echo", {"expect_json": {"up": {"a": 1}}}, kind="http")
    assert met.status is EndingStatus.COMPLETED


def test_http_is_bounded_in_size_time_and_numbers(hall: Hall, site: str) -> None:
    assert hall.run(f"{site}/big", kind="http", result_limit_bytes=10_000).error_type == "TooLarge"
    assert hall.run(f"{site}/nan", kind="http").error_type == "NotJson"
    assert hall.run(f"{site}/hang", kind="http", timeout_s=0.4).status is EndingStatus.TIMED_OUT


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "http://", "http://a b/", "http://x:99999/"]
)
def test_what_is_no_http_url_is_declined(hall: Hall, url: str) -> None:
    assert hall.run(url, kind="http").decline is True


def test_a_refused_connection_is_a_plain_failure(hall: Hall) -> None:
    ending = hall.run("http://127.0.0.1:1/", kind="http")
    assert (ending.status, ending.error_type) == (EndingStatus.FAILED, "ConnectionRefusedError")
