"""Whether pytest-socket or pytest-recording keeps a case from the network, or would record a test's run.

These plugins replace parts of `socket` while a test with fixtures runs. A case has no fixtures, and its runs
start in threads before pytest reaches it. So the options and marks of the plugins are read instead.
"""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_dust.settings import is_this_machine

if TYPE_CHECKING:
    import pytest


def refusal(item: pytest.Item, base_url: str) -> str:
    """Why an item may not connect to the service, and what to do about it; empty if it may."""
    host = _connected_host(base_url)
    return _by_pytest_socket(item, host) or _by_pytest_recording(item, host)


def refusal_of_vcr(item: pytest.Item) -> str:
    """Why a Python test may make no run: VCR would record it; empty if it does not."""
    plugins, option = item.config.pluginmanager, item.config.getoption
    off = option("disable_recording", False) or option("disable_vcr", False)
    installed = plugins.has_plugin("recording") or plugins.has_plugin("vcr")
    if off or not installed or item.get_closest_marker("vcr") is None:
        return ""
    return (
        "the mark vcr would write the API key into VCR's recording, and answer later runs from it, so no run "
        "was made; remove the mark: pytest-dust records the runs of the fixture dust itself"
    )


def _by_pytest_socket(item: pytest.Item, host: str) -> str:
    option = item.config.getoption
    if option("disable_socket", None) is None:  # it is not installed
        return ""
    if item.get_closest_marker("enable_socket") or option("force_enable_socket", False):
        return ""
    if item.get_closest_marker("disable_socket"):
        return _text("pytest-socket", "mark disable_socket", host, "remove the mark")
    marked = item.get_closest_marker("allow_hosts")
    allow = f"--allow-hosts={host}, or the mark enable_socket"
    in_mark = _listed(marked.args[0] if marked and marked.args else None)
    hosts = in_mark or _listed(option("allow_hosts", None))
    if hosts and _is_listed(host, hosts):
        return ""
    if in_mark:  # it takes precedence over the option
        add = f"add {host} to the mark, or use the mark enable_socket in its place"
        return _text("pytest-socket", "mark allow_hosts", host, add)
    if hosts:
        return _text("pytest-socket", "--allow-hosts", host, allow)
    return _text("pytest-socket", "--disable-socket", host, allow) if option("disable_socket") else ""


def _by_pytest_recording(item: pytest.Item, host: str) -> str:
    option, marked = item.config.getoption, item.get_closest_marker("block_network")
    if option("block_network", None) is None or not (marked or option("block_network")):
        return ""
    in_mark = _listed(marked.kwargs.get("allowed_hosts") if marked else None)
    hosts, pattern = in_mark or _listed(option("allowed_hosts", None)), re.escape(host)
    if hosts and _is_matched(host, hosts):
        return ""
    by = "mark block_network" if marked else "--block-network"
    allow = f"add '{pattern}' to the mark's allowed_hosts" if in_mark else f"--allowed-hosts={pattern}"
    return _text("pytest-recording", by, host, allow)


def _text(plugin: str, by: str, host: str, allow: str) -> str:
    return f"{plugin} keeps it from {host} ({by}), so the service was not asked; allow it: {allow}"


def _listed(hosts: Any) -> tuple[str, ...]:
    """The hosts in an option, separated by commas, or in an argument of a mark."""
    parts = hosts.split(",") if isinstance(hosts, str) else hosts or ()
    return tuple(str(part).strip() for part in parts)


@lru_cache(maxsize=256)
def _is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host is one of these names, addresses and networks, as pytest-socket reads them."""
    if host in hosts:
        return True
    addresses, networks = _addresses(host), [each for each in hosts if "/" in each]
    same = any(addresses & _addresses(each) for each in hosts if "/" not in each)
    return same or any(_is_within(address, network) for network in networks for address in addresses)


@lru_cache(maxsize=256)
def _is_matched(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of these patterns matches the beginning of a host's name or address."""
    try:
        return any(re.match(each, name) for each in patterns for name in {host, *_addresses(host)})
    except re.error:
        return False


def _addresses(host: str) -> frozenset[str]:
    """The IP addresses of a host; none if they are unknown."""
    try:
        return frozenset(str(address[0]) for *_, address in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError, RuntimeError):  # RuntimeError: another plugin blocks the look-up too
        return frozenset()


def _is_within(address: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


def _connected_host(base_url: str) -> str:
    """The host to which a run connects: the service's, or that of the proxy to it."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    if is_this_machine(host):  # it is reached without a proxy
        return host
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return host
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname or host
