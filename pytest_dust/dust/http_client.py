"""The HTTP client of a session, with the proxies and certificates that the environment names."""

from __future__ import annotations

import os
import re

import httpx

from pytest_dust.dust import refusals
from pytest_dust.settings import is_this_machine

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""No limits, as the worker pool limits the number of runs at once."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
EXCEPTIONS = "no_proxy"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that name the certificates to trust; httpx uses the first that is set."""
KEY_LOG = "SSLKEYLOGFILE"


def client(base_url: str) -> httpx.Client:
    """Return a client for the service; raises a ServiceError that names the variable with an unusable value.

    For a service on this machine no proxy is used, as the key would be sent to it without encryption.
    """
    try:
        trusted = httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        raise refusals.bad_certificates(_certificates(error), str(error)) from None
    near = is_this_machine(httpx.URL(base_url).host)
    hostless = [] if near else [name for name in _given(*PROXIES) if not _host(os.environ[name])]
    if hostless:
        raise refusals.bad_proxy(hostless, "it has no host")
    try:
        return httpx.Client(verify=trusted, trust_env=not near, limits=LIMITS)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        bad = list(filter(_is_bad, _given(*PROXIES)))
        if bad:
            raise refusals.bad_proxy(bad, _without_quotes(error)) from None
        raise refusals.bad_exceptions(_given(EXCEPTIONS), _without_quotes(error)) from None


def proxy(host: str, port: int) -> str:
    """Return how messages name a proxy: its address, without a password, and the variables that name it."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    given = {name: os.environ[name] for name in _given(*PROXIES)}
    names = [name for name, value in given.items() if host == _host(value) or host in value.lower()]
    return f"{address} ({', '.join(names)})" if names else address


def _host(address: str) -> str:
    """Return the host of a proxy's address, or the whole address if it cannot be read."""
    try:
        return httpx.URL(_with_scheme(address)).raw_host.decode("ascii").strip("[]")
    except (ValueError, httpx.InvalidURL):
        return address


def _with_scheme(address: str) -> str:
    """Return a proxy's address with a scheme, which httpx requires."""
    return address if "://" in address else f"http://{address}"


def _without_quotes(error: Exception) -> str:
    """Return the message of an error without quoted parts of an address, which may hold a password."""
    return str(error) if isinstance(error, ImportError) else re.sub(r"'.*'", "…", str(error))


def _given(*names: str) -> list[str]:
    """Return the environment variables that have these names, in upper or lower case, and a value."""
    return [name for name, value in os.environ.items() if value and name.lower() in names]


def _certificates(error: Exception) -> str:
    """Return the variable that caused an error in reading certificates, with its value; empty if unknown."""
    named = next((name for name in CERTIFICATES if os.environ.get(name)), "")
    logged = os.environ.get(KEY_LOG)
    if logged and (not named or getattr(error, "filename", None) == logged):
        named = KEY_LOG
    value = "".join(char if char.isprintable() else repr(char)[1:-1] for char in os.environ.get(named, ""))
    return f"{named} ({value})" if named else ""


def _is_bad(name: str) -> bool:
    """Return True if httpx cannot use the proxy that a variable names."""
    try:
        transport = httpx.HTTPTransport(proxy=_with_scheme(os.environ[name]), verify=False)
    except (ImportError, ValueError, httpx.InvalidURL):
        return True
    transport.close()
    return False
