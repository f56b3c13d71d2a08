"""The HTTP client of a session, with the proxies and certificates that the environment names."""

from __future__ import annotations

import os
import re

import httpx

from pytest_dust.dust import refusals
from pytest_dust.settings import is_this_machine

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""None: how many runs are under way at once is decided where they are launched."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
EXCEPTIONS = "no_proxy"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where httpx looks for the certificates to trust: in the first that is set."""
KEY_LOG = "SSLKEYLOGFILE"


def client(base_url: str) -> httpx.Client:
    """A client for the service; raises ServiceError that names the variable which cannot be used.

    A service on this machine is asked without any proxy: the key would travel to it in clear.
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
    """How messages name a proxy: by its address, without its password, and the variables that name it."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    given = {name: os.environ[name] for name in _given(*PROXIES)}
    names = [name for name, value in given.items() if host == _host(value) or host in value.lower()]
    return f"{address} ({', '.join(names)})" if names else address


def _host(address: str) -> str:
    """The host of a proxy's address as it is connected to; the address itself if it has none."""
    try:
        return httpx.URL(_with_scheme(address)).raw_host.decode("ascii").strip("[]")
    except (ValueError, httpx.InvalidURL):
        return address


def _with_scheme(address: str) -> str:
    """A proxy's address as httpx takes it."""
    return address if "://" in address else f"http://{address}"


def _without_quotes(error: Exception) -> str:
    """What an error says, but nothing that it quotes of an address: that may be part of a password."""
    return str(error) if isinstance(error, ImportError) else re.sub(r"'.*'", "…", str(error))


def _given(*names: str) -> list[str]:
    """The environment variables that are set of these names, in whatever letters: as Python reads them."""
    return [name for name, value in os.environ.items() if value and name.lower() in names]


def _certificates(error: Exception) -> str:
    """The variable that caused an error in reading certificates, with its value; else nothing."""
    named = next((name for name in CERTIFICATES if os.environ.get(name)), "")
    logged = os.environ.get(KEY_LOG)
    if logged and (not named or getattr(error, "filename", None) == logged):
        named = KEY_LOG
    value = "".join(char if char.isprintable() else repr(char)[1:-1] for char in os.environ.get(named, ""))
    return f"{named} ({value})" if named else ""


def _is_bad(name: str) -> bool:
    """Whether httpx can use no proxy of this address."""
    try:
        transport = httpx.HTTPTransport(proxy=_with_scheme(os.environ[name]), verify=False)
    except (ImportError, ValueError, httpx.InvalidURL):
        return True
    transport.close()  # it was connected to nothing
    return False
