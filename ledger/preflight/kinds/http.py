"""An endpoint: its status, how long it took, what its JSON says."""

from __future__ import annotations

import json
from decimal import Decimal
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import BaseHandler, HTTPRedirectHandler, ProxyHandler, Request, build_opener

from ledger.clock import SystemClock
from ledger.domain.values.fingerprints import leaf_text
from ledger.preflight.context import CheckContext
from ledger.preflight.fields import Bounds, seconds_of
from ledger.preflight.finding import Outcome, Part, Result, passed, together
from ledger.preflight.judging import bounds_text, judged, nodes, number_text, same, shown
from ledger.preflight.specs import Http

_ANSWER_BYTES_MAX: Final = 1024 * 1024
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_STOPWATCH: Final = SystemClock()


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer: a check that follows it would look at another endpoint."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def http(check: Http, _context: CheckContext) -> Outcome:
    """Ask once, by GET. The time is that until the whole answer is there, connecting included."""
    headers = {"Accept": "application/json, */*", "User-Agent": "rollout"}
    request = Request(check.url, headers=headers)  # noqa: S310 -- the model lets http(s) through only
    began = _STOPWATCH.monotonic()
    try:
        status, body = _asked(request, seconds_of(check.timeout) + 1)
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        text = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        return Outcome(Result.FAIL, f"no answer: {text.lower()}", _threshold(check))
    took_ms = round(1000 * (_STOPWATCH.monotonic() - began))
    parts: list[Part] = [_status_part(check, status)]
    latency = _latency(check)
    if not latency.is_empty:
        took = judged(Decimal(took_ms), latency)
        parts.append((took, f"{took_ms} ms", bounds_text(latency, " ms")))
    parts += [_json_part(key, wanted, body) for key, wanted in check.expect_json.items()]
    return together(parts)


def _asked(request: Request, timeout_seconds: float) -> tuple[int, bytes]:
    handlers: list[BaseHandler] = [_NoRedirect()]
    if urlsplit(request.full_url).hostname in _LOCAL:
        handlers.append(ProxyHandler({}))  # a proxy would look on its own machine
    opener = build_opener(*handlers)
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            return answer.status, answer.read(_ANSWER_BYTES_MAX)
    except HTTPError as error:  # any other status than 2xx is an answer too
        with error:
            return error.code, error.read(_ANSWER_BYTES_MAX)


def _latency(check: Http) -> Bounds:
    return Bounds(max=check.max_latency_ms, warn_max=check.warn_latency_ms)


def _threshold(check: Http) -> str:
    latency = _latency(check)
    parts = [f"status {number_text(check.status)}"]
    parts += [] if latency.is_empty else [bounds_text(latency, " ms")]
    return "; ".join([*parts, *(f"{k} = {leaf_text(v)}" for k, v in check.expect_json.items())])


def _status_part(check: Http, status: int) -> Part:
    return passed(status == check.status), f"status {status}", f"status {number_text(check.status)}"


def _json_part(key: str, wanted: Any, body: bytes) -> Part:
    threshold = f"{key} = {leaf_text(wanted)}"
    try:
        values = dict(nodes(json.loads(body, parse_constant=str)))
    except (ValueError, RecursionError):
        return Result.FAIL, "the answer is not JSON", threshold
    if key not in values:
        return Result.FAIL, f"{key} is not there", threshold
    return same(values[key], wanted), f"{key} = {shown(key, values[key])}", threshold
