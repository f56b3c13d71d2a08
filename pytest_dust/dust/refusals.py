"""The errors for requests that gave no run: each says what happened, and what to check."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from pytest_dust.constants import KEY_VARIABLE
from pytest_dust.dust.wire import Crash
from pytest_dust.errors import ServiceError
from pytest_dust.json_values import decode, decode_loosely, unwritable_numbers
from pytest_dust.model import Exchange, Flavor, Json, Path, RunRequest, Tokens

MAX_PATH = 120
"""Maximum length of a path in a message."""
_KEY = f"check {KEY_VARIABLE}"
_REGIONS = "set --dust-base-url to that of the other region: https://dust.tt (US), https://eu.dust.tt (EU)"
_LATER = "the service has a problem; try again later"
_REPLAY = "replaying from cassettes still works"

_BY_TYPE = {
    "invalid_request_error": "check config and inputs against the app",
    "run_error": "check config and inputs against the app",
    "malformed_authorization_header_error": f"{_KEY}: copy it again, whole and on one line, as Dust shows it",
    "invalid_api_key_error": f"{_KEY}: Dust knows no such key (any more); copy it again, or make a new one",
    "not_authenticated": f"{_KEY}: the request arrived without a key; a proxy may have removed it",
    "workspace_auth_error": "the key may not use this app: it is not a key of the workspace {workspace}; "
    "make one there, or correct the workspace",
    "workspace_can_use_product_required_error": "the plan of the workspace {workspace} does not include the "
    f"API (any more): its administrator can change the plan; {_REPLAY}",
    "app_not_found": "check app.id, space and workspace against the app's address in Dust",
    "space_not_found": "the workspace {workspace} has no space {space} that the key may read: check the "
    "space against the app's address in Dust",
    "workspace_not_found": "check the workspace against the app's address in Dust; if it lives in the other "
    f"region, {_REGIONS}",
    "service_unavailable": "Dust is under maintenance, as a whole or for this workspace, and made no run: "
    f"try again later; {_REPLAY}",
    "method_not_supported_error": "check that --dust-base-url is Dust itself",
    "content_too_large": "the input and config are larger than the service's 4 MB; shorten them",
    "rate_limit_error": "Dust allows an app 10,000 runs in 24 hours; wait, or replay from cassettes",
}
"""What to do, by the type of the service's error."""
_BY_STATUS = {
    400: _BY_TYPE["invalid_request_error"],
    401: f"{_KEY}: a key of this workspace, whole, as Dust shows it",
    403: "the key may not use this app: check the workspace, the space and what the key may read",
    404: _BY_TYPE["app_not_found"],
    405: _BY_TYPE["method_not_supported_error"],
    413: _BY_TYPE["content_too_large"],
    429: _BY_TYPE["rate_limit_error"],
}
"""What to do about an error without a known type, by HTTP status."""
_UNREADABLE = (
    "the key may not use this app: it cannot read the space {space}; give it that space in Dust, among the "
    "API keys, or use another key"
)
_DELETED = "Dust has no such run (any more), as it deletes runs after 30 days: run the case again"
_MAY_HAVE_STARTED = "the run may have started, so it was not repeated: run the case again"


def bad_key() -> ServiceError:
    """The key has characters that no key has."""
    return ServiceError(f"{KEY_VARIABLE} holds characters that no key has; copy it from Dust again")


def bad_proxy(names: Sequence[str], reason: str) -> ServiceError:
    """The environment names a proxy that cannot be used."""
    return ServiceError(
        f"no proxy can be used that {_joined(names)} names: {_one_line(reason)}; "
        "give one such as http://proxy.example:3128, or unset it"
    )


def bad_exceptions(names: Sequence[str], reason: str) -> ServiceError:
    """The environment lists hosts without a proxy in a form that cannot be read."""
    return ServiceError(
        f"{_joined(names) or 'the proxy settings of the system'} cannot be used: {_one_line(reason)}; "
        "give names and addresses with commas between them, those of IPv6 without brackets and without /"
    )


def bad_certificates(named: str, reason: str) -> ServiceError:
    """The environment names a file of certificates or TLS keys that cannot be used."""
    named = named or "the list of certificates to trust"
    return ServiceError(f"{named} cannot be used: {_one_line(reason)}; correct it, or unset it")


def proxy_refused(proxy: str, reason: str) -> ServiceError:
    """A proxy refused the request."""
    login = " (give its user and password: http://USER:PASSWORD@HOST:PORT)" if "407" in reason else ""
    return ServiceError(
        f"the proxy {proxy or 'on the way'} refused: {reason}{login}; "
        f"check {'it' if '(' in proxy else 'HTTPS_PROXY and ALL_PROXY'}, or name the host in NO_PROXY"
    )


def timed_out(seconds: float, block: str = "") -> ServiceError:
    """The run has timed out; `block` is the one that it had reached, if it is known."""
    state = "it may still go on at the service"
    if block:
        state = f"it had reached {block}; {state}, or it has crashed and never ends"
    return _spent(
        f"the run took longer than {seconds:g} s and was given up ({state}); "
        "raise timeout: in the suite, or --dust-timeout"
    )


def _spent(text: str, known: int = 0) -> ServiceError:
    """Return the error of a run that was or may have been made, with the tokens known to be used."""
    error = ServiceError(text)
    error.spent = Tokens(known, unknown=1)
    return error


def crashed(crash: Crash) -> ServiceError:
    """The service has stopped the run without an end: it stays `running` for ever."""
    where = f"{'after' if crash.ended else 'in'} {crash.block}" if crash.block else "before its first block"
    check = "the inputs and that block" if crash.block else "the inputs"
    cause = f"check {check}, and run the case again (a known cause is an empty list into a map)"
    if crash.empty_map:
        cause = f"{crash.empty_map} (map) got an empty list, which crashes a run; give it an element"
    run = "" if crash.run_id is None else f" (run {crash.run_id})"
    return _spent(
        f"the service's run crashed {where} and stays running for ever, so it was not waited for{run}: "
        f"{cause}",
        crash.tokens,
    )


def unreachable(base_url: str, error: httpx.HTTPError, proxy: str = "") -> ServiceError:
    """A request that creates a run got no answer; `proxy` is the proxy that it was sent through, if any."""
    reason = _reason(error)
    way = f"{base_url} through the proxy {proxy}" if proxy else base_url
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            text = f"cannot connect to {way}: {reason}; {_connection_check(reason, proxy)}"
        case httpx.ProxyError():
            return proxy_refused(proxy, reason)
        case httpx.DecodingError():
            text = f"the answer of {way} cannot be read: {reason}; check that it is Dust itself"
        case _:
            return _spent(
                f"the connection to {way} broke during the run: {reason}; "
                "the run may have started, so it was not repeated: run the case again"
            )
    return ServiceError(text)


def blocked(host: str, reason: str) -> ServiceError:
    """Something in this process, such as pytest-socket, raised an exception in place of a connection."""
    return ServiceError(
        f"the tests are kept from the network, so no run was made: {reason}; "
        f"allow connections to {host}, or replay: --dust-mode=replay"
    )


def _connection_check(reason: str, proxy: str) -> str:
    """Return what to check if there was no connection."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "check SSL_CERT_FILE and SSL_CERT_DIR, which name the certificates to trust"
    if proxy:
        return "check the proxy, or name the host in NO_PROXY"
    return "check the network and --dust-base-url"


def unanswered(base_url: str, error: httpx.HTTPError, proxy: str = "") -> ServiceError:
    """A request that creates no run got no answer, in all its attempts."""
    if isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.DecodingError):
        return unreachable(base_url, error, proxy)
    way = f"{base_url} through the proxy {proxy}" if proxy else base_url
    return ServiceError(
        f"the connection to {way} broke at each attempt, the last time with: {_reason(error)}; "
        "check the network and run the case again"
    )


def nameless_stream() -> ServiceError:
    """A stream broke off before the id of its run, without which the run cannot be polled."""
    return _spent(
        "the event stream ended or broke off before it named its run; "
        "the run may have started, so it was not repeated: run the case again"
    )


def stream_error(code: str, message: str, request: RunRequest) -> ServiceError:
    """A stream ended with an error event."""
    checks = {
        "specification_not_found": f"check specification_hash {_hash(request)} against the app's versions",
        "invalid_specification_error": "open the app in Dust, and correct what it shows",
        "invalid_inputs_error": "check inputs: all inputs of one run must have the same keys",
    }
    text = f"the service ended the stream with {code}: {message[:300]}"
    if code in checks:  # then it has made no run
        return ServiceError(f"{text}; {checks[code]}")
    return _spent(f"{text}; run the case again")


def waits_too_long(exchange: Exchange, request: RunRequest, pause: float, timeout: float) -> ServiceError:
    """A rate limit asks to wait for longer than the run has time."""
    return ServiceError(
        f"{refused(exchange, request)} "
        f"(the next try is due in {pause:.0f} s, and the run has {timeout:g} s in all)"
    )


def refused(
    exchange: Exchange, request: RunRequest, flavor: Flavor | None = None, proxy: str = ""
) -> ServiceError:
    """The answer has another status than 200; it may be the answer of a `proxy`."""
    app = request.app
    ids = {"app": app.id, "space": app.space, "workspace": app.workspace}
    where = ", ".join(f"{name} {id_}" for name, id_ in ids.items() if id_)
    check = _check(exchange, request, flavor)
    who = "the service"
    if proxy and not _type(exchange.body):
        who, check = f"the service, or the proxy {proxy},", f"check the proxy; if it was the service: {check}"
    error = ServiceError(f"{who} answered {exchange.status} {_description(exchange.body)} ({where}); {check}")
    error.status = exchange.status
    return error


def _check(exchange: Exchange, request: RunRequest, flavor: Flavor | None) -> str:
    """Return what to do about a refusal: by the type of the service's error, else by the HTTP status."""
    kind, status = _type(exchange.body), exchange.status
    if httpx.codes.is_redirect(status):
        return "redirects are not followed: set --dust-base-url to the address itself"
    if status == httpx.codes.INTERNAL_SERVER_ERROR and exchange.method == "POST":
        page = isinstance(exchange.body, str) and exchange.body.lstrip().startswith("<")  # a gateway's HTML
        if kind == "run_error" or page:
            return _MAY_HAVE_STARTED
        return _LATER if flavor is Flavor.STREAM else _bare_500(request)
    return _by_type(kind, exchange).format(space=request.app.space, workspace=request.app.workspace)


def _by_type(kind: str, exchange: Exchange) -> str:
    status = exchange.status
    if kind == "workspace_not_found" and "relocat" in _description(exchange.body):
        return f"the workspace has moved: {_REGIONS}"
    if kind == "app_not_found" and status == httpx.codes.FORBIDDEN:
        return _UNREADABLE
    if kind == "run_error" and exchange.method == "GET":
        return _DELETED
    otherwise = _LATER if httpx.codes.is_server_error(status) else "check the request and --dust-base-url"
    return _BY_TYPE.get(kind) or _BY_STATUS.get(status, otherwise)


def _bare_500(request: RunRequest) -> str:
    """Return what to check for a 500 without a reason; for a streamed run, the service gives a reason."""
    return (
        f"the service gives no reason. Known ones are an unknown specification_hash ({_hash(request)}), "
        "inputs with unequal keys, and an app that it cannot read: check these (with flavor: stream, the "
        "service says which), or try again later"
    )


def no_json(exchange: Exchange, base_url: str) -> ServiceError:
    """The answer has the status 200 and no JSON."""
    kind = exchange.headers.get("content-type", "no content type")
    wanted = "JSON" if "json" in kind else "application/json"
    return ServiceError(
        f"the service answered 200 with {_excerpt(exchange.body)} as {kind} instead of {wanted}; "
        f"check that {base_url} is Dust itself and no proxy or login page stands between"
    )


def unwritable_number(text: str) -> ServiceError:
    """An answer or an event holds a number that could be recorded but not replayed."""
    document = decode_loosely(text)
    found = list(unwritable_numbers(document))
    path, number = next((each for each in found if "results" not in each[0][:2]), found[0])
    return _spent(
        f"the service's answer holds {number}, a number that cannot be written back to JSON, "
        f"{_place(document, path)}; it was refused, as no recording could hold it: "
        "let the app return null or a text there"
    )


def _place(document: Any, path: Path) -> str:
    """Return the place of a value in an answer: block, input and path, as far as they are known."""
    block, rest = _block(document, path)
    match rest:
        case (int(number), int(), *below) if block:
            return f"in block {block}, input {number + 1}, at {_dotted(tuple(below))}"
    return f"in block {block}" if block else f"at {_dotted(path) or 'its top'}"


def _block(document: Any, path: Path) -> tuple[str, Path]:
    """Return the block that a path leads into, and the rest of the path; no block if it leads elsewhere."""
    match document, path:
        case {"run": {"traces": traces}}, ("run", "traces", int(at), 1, *rest):
            match traces[at]:
                case [[str(kind), str(name)], _]:
                    return f"{name} ({kind})", tuple(rest)
        case {"content": {"block_name": str(name), "block_type": str(kind)}}, ("content", _, *rest):
            return f"{name} ({kind})", tuple(rest)
    return "", path


def _dotted(path: Path) -> str:
    """Return a path as JMESPath writes it, shortened to MAX_PATH characters."""
    from pytest_dust.paths import show_step  # jmespath: 16 ms, needed only for this message

    shown = "".join(show_step(step, first=not at) for at, step in enumerate(path))
    return shown if len(shown) <= MAX_PATH else f"{shown[:MAX_PATH]}…"


def _reason(error: httpx.HTTPError) -> str:
    """Return the message of the HTTP library, without bytes that it may quote: they may hold secrets."""
    return _one_line(re.split(r": b(?:ytearray\()?['\"]", str(error))[0]) or type(error).__name__


def _one_line(text: str) -> str:
    """Return a text on one line, without passwords in addresses, shortened to 200 characters."""
    line = re.sub(r"//[^/@\s]*@", "//…@", " ".join(text.split())).removesuffix(".")
    return f"{line[:200]}…" if len(line) > 200 else line


def _joined(names: Sequence[str]) -> str:
    return " and ".join(names)


def _hash(request: RunRequest) -> str:
    """Return the specification hash of a request, shortened."""
    shown = request.specification_hash
    return f"{shown[:12]}…" if len(shown) > 12 else shown


def _type(body: Json) -> str:
    """Return the type of the service's own error; empty for any other answer."""
    match body:
        case {"error": {"type": str(kind)}}:
            return kind
    return ""


def _description(body: Json) -> str:
    """Return type and message of the service's own error, or the beginning of any other answer."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, Mapping):
        run_error = error.get("run_error")
        cause = run_error if isinstance(run_error, Mapping) else {}
        parts = [error.get("type"), error.get("message"), cause.get("code"), cause.get("message")]
        return ": ".join(str(part)[:300] for part in parts if part) or "with an empty error"
    return f"with {_excerpt(body)}"


def _excerpt(body: Json) -> str:
    if not isinstance(body, str):
        return "JSON that holds no error"
    text = " ".join(body.split())
    if not text:
        return "an empty body"
    return f"{_form(text)} ({text[:80]}{'…' if len(text) > 80 else ''})"


def _form(text: str) -> str:
    """Return what a body looks like that was not read as JSON."""
    if text.lower().startswith(("<!doctype", "<html")):
        return "HTML"
    if not text.startswith(("{", "[")):
        return "text"
    try:
        decode(text)
    except (ValueError, RecursionError):
        return "JSON that is cut off or broken"
    return "JSON"
