"""With any proxies and certificates in the environment, a case runs or names the wrong variable."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires import certificate, proxying, tls

from conftest import KEY
from pytest_dust.dust import http_client
from pytest_dust.errors import ServiceError

__all__ = ["certificate"]
AWAY = "https://dust.invalid"
"""A service on another machine, which does not exist."""
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
PASSWORD = "very-secret-pw"
REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch):
    """Remove the variables that name certificates."""
    for name in CERTIFICATES:
        monkeypatch.delenv(name, raising=False)


def told(example, *args):
    """Run the one case live, which fails; give its message, one line without a password."""
    result = example.run("--dust-mode=live", *args)
    assert result.outcomes == {"failed": 1}
    for word in ("INTERNALERROR", "Traceback", "site-packages", PASSWORD, PASSWORD[:6]):
        assert word not in result.out + result.err
    message, after = result.report.partition("   live   no verdict\n\n")[2].split("\n", 1)
    assert after.startswith("dust: 1 without a run")
    assert len(message) < 500
    return message


# ── what cannot be used ──────────────────────────────────────────────────────────────────────────

WRONG = {
    "an unknown scheme": ({"HTTPS_PROXY": f"nonsense://me:{PASSWORD}@proxy.invalid"}, "HTTPS_PROXY"),
    "in small letters": ({"https_proxy": "nonsense://proxy.invalid"}, "https_proxy"),
    "a port that is none": ({"HTTPS_PROXY": "http://127.0.0.1:port"}, "HTTPS_PROXY"),
    "a password with a slash": ({"HTTPS_PROXY": f"http://me:{PASSWORD}/x@proxy.invalid:80"}, "HTTPS_PROXY"),
    "for all schemes": ({"ALL_PROXY": "ftp://proxy.invalid"}, "ALL_PROXY"),
    "for another scheme": ({"HTTP_PROXY": "gopher://proxy.invalid"}, "HTTP_PROXY"),
    "a line break": ({"HTTPS_PROXY": "http://127.0.0.1:9\n"}, "HTTPS_PROXY"),
    "a proxy's name that is none": ({"HTTPS_PROXY": "http://a..b:80"}, "HTTPS_PROXY"),
    "brackets among exceptions": ({"NO_PROXY": "localhost,[::1]"}, "NO_PROXY"),
    "a range of IPv6": ({"NO_PROXY": "fe80::/10"}, "NO_PROXY"),
    "exceptions in small letters": ({"no_proxy": "[::1"}, "no_proxy"),
    "a proxy among exceptions": ({"NO_PROXY": "http://a:b"}, "NO_PROXY"),
    "no file of certificates": ({"SSL_CERT_FILE": "/no/such/file"}, "SSL_CERT_FILE"),
    "the first of two": ({"SSL_CERT_FILE": "/no/such/file", "SSL_CERT_DIR": "/no"}, "SSL_CERT_FILE"),
    "no certificates in it": ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE"),
    "a line break in a path": ({"SSL_CERT_FILE": "/no/such\nfile"}, "SSL_CERT_FILE"),
    "a folder": ({"SSL_CERT_FILE": str(Path(__file__).parent)}, "SSL_CERT_FILE"),
    "a log in no folder": ({"SSLKEYLOGFILE": "/no/such/log"}, "SSLKEYLOGFILE"),
    "a log that is a folder": ({"SSLKEYLOGFILE": str(Path(__file__).parent)}, "SSLKEYLOGFILE"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_variable_that_cannot_be_used_is_named(one, wrong):
    """A case fails with one line that names the unusable variable, and the session goes on."""
    environ, name = WRONG[wrong]
    message = told(one.exporting(DUST_BASE_URL=AWAY, **environ))
    assert re.search(rf"\b{name}\b", message)
    for other in {"HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"} - {name}:
        assert not re.search(rf"\b{other}\b", message)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_its_library_says_what_to_install(one, name, scheme):
    """A SOCKS proxy needs a package, which the message names with the variable."""
    without = "import sys\nsys.modules['socksio'] = None\n"
    environ = {"DUST_BASE_URL": AWAY, name: f"{scheme}://me:{PASSWORD}@127.0.0.1:9"}
    message = told(one.having({"conftest.py": without}).exporting(**environ))
    assert re.search(rf"\b{name}\b.*pip install httpx\[socks\]", message)


@pytest.mark.parametrize(
    "wrong", ["for another scheme", "a proxy among exceptions", "a folder", "a log in no folder"]
)
def test_replay_reads_no_variable_of_the_network(one, wrong):
    """A recorded case replays with any proxies and certificates in the environment."""
    environ, _ = WRONG[wrong]
    recorded = one.run("--dust-mode=record").example
    assert recorded.offline().exporting(**environ).run().outcomes == {"passed": 1}


def test_each_case_says_which_variable_is_wrong(one):
    """A wrong variable fails every live case, and each names it."""
    example = one.having({"b.dust.yaml": one.files["a.dust.yaml"]})
    result = example.exporting(SSL_CERT_FILE="/no/such/file").run("--dust-mode=live")
    assert result.outcomes == {"failed": 2}
    assert len(re.findall(r"^FAILED \S+ - no verdict: SSL_CERT_FILE", result.out, re.MULTILINE)) == 2


@pytest.mark.parametrize("errand", ["--dust-apps", "--dust-new=9f1d3b5a7c"])
def test_commands_name_the_variable_too(one, errand):
    """A command that asks the service says in one line which variable is wrong."""
    result = one.exporting(SSL_CERT_FILE="/no/such/file").run(errand)
    assert result.ret == 4
    assert "SSL_CERT_FILE" in result.err
    assert "Traceback" not in result.err + result.out


variables = st.dictionaries(
    st.sampled_from([*CERTIFICATES[:2], "HTTP_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
    | st.from_regex(r"(http|https|socks5|ftp)://[^\s\0]{0,20}", fullmatch=True)
    | st.from_regex(r"[\[\]:/0-9a-f.*,]{1,20}", fullmatch=True)
    | st.binary(max_size=5).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
    | st.just("/no/such/place"),
    max_size=3,
)


@given(variables)
@settings(max_examples=30, deadline=None)
def test_any_environment_is_a_client_or_one_line(environ):
    """Any values of the variables give a client, or one line that names one of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        try:
            http_client.client(AWAY).close()
        except ServiceError as error:
            told = str(error)
            assert any(name in told for name in environ)
            assert "\n" not in told


@pytest.mark.parametrize("seconds", ["1e7", "1e12", "1e300"])
def test_any_timeout_is_one_that_a_socket_takes(one, seconds):
    """With any timeout of a run, its requests are sent."""
    example = one.replacing("a.dust.yaml", "timeout: 5", f"timeout: {float(seconds):f}")
    assert example.exporting(DUST_TIMEOUT=seconds).run("--dust-mode=live").outcomes == {"passed": 1}


# ── proxies ──────────────────────────────────────────────────────────────────────────────────────


def open_away(one):
    """The project with a service on another machine over plain http, whose requests a proxy can read."""
    return one.exporting(DUST_BASE_URL="http://service.test", DUST_ALLOW_HTTP="true")


def test_a_proxy_carries_a_run(one, server):
    """A request is sent through the proxy that the environment names, and gives a run."""
    with proxying(server.port) as proxy:
        result = open_away(one).exporting(HTTP_PROXY=f"http://{proxy.address}").run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    assert proxy.asked[0].startswith("POST http://service.test/api/v1/w/")
    assert server.runs == 1


PATIENCE = httpx.Timeout(10, connect=0.3)
"""Enough for a proxy on a busy machine; no wait for an address that nothing answers at."""
HTTP, HTTPS = "http://service.test", "https://service.test"
SEMANTICS = [
    (HTTP, {"HTTP_PROXY": "P"}),
    (HTTP, {"http_proxy": "P"}),
    (HTTP, {"ALL_PROXY": "P"}),
    (HTTP, {"HTTPS_PROXY": "P"}),
    (HTTP, {"HTTP_PROXY": "without scheme"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "service.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "SERVICE.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": ".test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "vice.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": " other , service.test "}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "service.test:80"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "service.test:8080"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "*"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "a, *"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "*.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "https://service.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "http://service.test"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": "10.0.0.0/8,::1"}),
    (HTTP, {"HTTP_PROXY": "P", "NO_PROXY": ""}),
    ("http://192.0.2.7", {"HTTP_PROXY": "P", "NO_PROXY": "192.0.2.7"}),
    ("http://192.0.2.7", {"HTTP_PROXY": "P", "NO_PROXY": "192.0.2.0/24"}),
    (HTTPS, {"HTTPS_PROXY": "P"}),
    (HTTPS, {"HTTP_PROXY": "P"}),
    (HTTPS, {"ALL_PROXY": "P"}),
    (HTTPS, {"HTTPS_PROXY": "P", "NO_PROXY": "service.test"}),
]


@pytest.mark.parametrize(("url", "environ"), SEMANTICS)
def test_the_variables_mean_what_they_mean_to_httpx(monkeypatch, url, environ):
    """A request is sent through a proxy exactly if `httpx.Client` sends it through that proxy."""
    with proxying(9, REFUSED) as proxy:
        values = {"P": f"http://{proxy.address}", "without scheme": proxy.address}
        given = {name: values.get(value, value) for name, value in environ.items()}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        with httpx.Client() as theirs, suppress(httpx.TransportError):
            theirs.post(url, timeout=PATIENCE)
        by_httpx = len(proxy.asked)
        with http_client.client(url) as ours, suppress(httpx.TransportError):
            ours.post(url, timeout=PATIENCE)
        assert len(proxy.asked) - by_httpx == by_httpx


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_is_used_for_this_machine(one, server, scheme, host):
    """Requests to this machine, by any of its names, use no proxy, which would see the key."""
    address = f"{scheme}://{host}:{server.port}"
    with proxying(server.port) as proxy:
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        environ = dict.fromkeys(names, f"http://{proxy.address}")
        result = one.exporting(DUST_BASE_URL=address, **environ).run("--dust-mode=live")
    assert result.outcomes == {"passed" if scheme == "http" else "failed": 1}
    assert proxy.seen == []


@pytest.mark.parametrize("url", [HTTP, HTTPS])
def test_a_proxy_that_refuses_is_named(one, url):
    """A message names a proxy that requires a password by host and port, and says how to give one."""
    with proxying(9, REFUSED) as proxy:
        address = f"http://me:{PASSWORD}@{proxy.address}"
        message = told(
            one.exporting(DUST_BASE_URL=url, DUST_ALLOW_HTTP="1", HTTP_PROXY=address, HTTPS_PROXY=address)
        )
    assert re.search(rf"proxy {proxy.address} \(HTTPS?_PROXY.*\) refused: 407.*USER:PASSWORD", message)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("url", [HTTP, HTTPS])
@pytest.mark.parametrize("name", ["ALL_PROXY", "http_proxy"])
def test_a_proxy_that_is_not_there_is_named(one, url, name):
    """A message names an unreachable proxy by host and port, and the variable that names it."""
    if name == "http_proxy" and url == HTTPS:
        name = "https_proxy"
    environ = {name: f"http://me:{PASSWORD}@127.0.0.1:9"}
    message = told(one.exporting(DUST_BASE_URL=url, DUST_ALLOW_HTTP="1", **environ))
    assert re.search(rf"cannot connect to {url}/? through the proxy 127\.0\.0\.1:9 \({name}\)", message)
    assert "check the proxy" in message


def test_a_proxy_that_hangs_up_is_named(one):
    """A message names a proxy that closes the connection by host and port."""
    with proxying(9, b" ") as proxy:
        message = told(one.exporting(DUST_BASE_URL=HTTPS, HTTPS_PROXY=f"http://{proxy.address}"))
    assert f"through the proxy {proxy.address}" in message


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n"], ids=["nothing", "garbage"])
def test_a_proxy_that_does_not_answer_is_named(one, answer):
    """If a proxy opens no tunnel to the service, it is named, and no run can have started."""
    with proxying(9, answer, silent=True) as proxy:
        environ = {"DUST_BASE_URL": HTTPS, "HTTPS_PROXY": f"http://{proxy.address}"}
        message = told(one.exporting(**environ))
    assert f"cannot connect to {HTTPS}/ through the proxy {proxy.address} (HTTPS_PROXY): " in message
    assert "may have started" not in message


def test_a_refusal_in_clear_may_be_that_of_the_proxy(one):
    """Over plain http a proxy may have answered, so a refusal that is not Dust's own names it."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    with proxying(9, refusal) as proxy:
        environ = {"DUST_BASE_URL": HTTP, "DUST_ALLOW_HTTP": "1", "HTTP_PROXY": f"http://{proxy.address}"}
        message = told(one.exporting(**environ))
    assert f"the service, or the proxy {proxy.address} (HTTP_PROXY), answered 403" in message
    assert "check the proxy; if it was the service: " in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://pröxy.invalid:9", r"through the proxy xn--prxy-6qa\.invalid:9 \(HTTPS_PROXY\)"),
        ("http://", r"no proxy can be used that HTTPS_PROXY names: it has no host"),
        ("http://:8080", r"no proxy can be used that HTTPS_PROXY names: it has no host"),
    ],
)
def test_a_proxy_is_named_by_its_variable_however_it_is_written(one, value, words):
    """A proxy is named with its variable, however the variable spells its host."""
    assert re.search(words, told(one.exporting(DUST_BASE_URL=HTTPS, HTTPS_PROXY=value)))


# ── certificates ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environment_names_the_certificates_to_trust(one, server, certificate, tmp_path, variable):
    """A service with a certificate that the environment names is trusted."""
    if variable == "SSL_CERT_DIR":
        named = tmp_path / "trusted"
        named.mkdir()
        digest = ssl_hash(certificate)
        (named / f"{digest}.0").write_bytes(certificate.read_bytes())
    else:
        named = certificate
    with tls(server.port, certificate) as port:
        example = one.exporting(DUST_BASE_URL=f"https://localhost:{port}")
        assert example.exporting(**{variable: str(named)}).run("--dust-mode=live").outcomes == {"passed": 1}
        message = told(example)
    assert "CERTIFICATE_VERIFY_FAILED" in message
    assert "SSL_CERT_FILE" in message


def ssl_hash(certificate):
    """Give the name under which OpenSSL looks for a certificate in a folder."""
    done = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_an_empty_folder_of_certificates_is_named(one, server, certificate):
    """If no certificate is trusted, as the folder is empty, the message names the variable."""
    with tls(server.port, certificate) as port:
        environ = {"DUST_BASE_URL": f"https://localhost:{port}", "SSL_CERT_DIR": "/no/such/folder"}
        assert "SSL_CERT_DIR" in told(one.exporting(**environ))


def test_the_key_is_encrypted_on_its_way_through_a_proxy(one, server, certificate):
    """A proxy to an https:// service sees neither the key nor the requests."""
    with tls(server.port, certificate) as port, proxying(port) as proxy:
        environ = {"DUST_BASE_URL": "https://dust.tt", "HTTPS_PROXY": f"http://{proxy.address}"}
        result = one.exporting(**environ, SSL_CERT_FILE=str(certificate)).run("--dust-mode=live")
    assert result.outcomes == {"passed": 1}
    assert server.runs == 1
    assert proxy.asked == ["CONNECT dust.tt:443 HTTP/1.1"]
    assert KEY.encode() not in b"".join(proxy.seen)
    assert b"Where is my refund" not in b"".join(proxy.seen)


def test_the_log_of_tls_keys_is_written(one, server, certificate, tmp_path):
    """`SSLKEYLOGFILE` works as in other Python programs."""
    log = tmp_path / "keys.log"
    with tls(server.port, certificate) as port:
        environ = {"SSL_CERT_FILE": str(certificate), "SSLKEYLOGFILE": str(log)}
        example = one.exporting(DUST_BASE_URL=f"https://127.0.0.1:{port}", **environ)
        assert example.run("--dust-mode=live").outcomes == {"passed": 1}
    assert log.stat().st_size
