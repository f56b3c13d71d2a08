"""The key goes to Dust and to this machine; to another host only if the user names it, not a file."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from wires import certificate, listening, proxying, tls

from conftest import KEY
from pytest_dust.errors import SettingsError
from pytest_dust.settings import resolve

__all__ = ["certificate"]
ELSEWHERE = "http://elsewhere.example"
OPEN = {"DUST_MODE": "live", "DUST_ALLOW_HTTP": "true"}


@pytest.fixture
def key_only(one, monkeypatch):
    """The project `one` with the key exported and no address, beside a proxy that catches all requests."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    environ = {name: value for name, value in one.environ.items() if name != "DUST_BASE_URL"}
    return one.offline().exporting(**environ)


def ini(*lines):
    """Give the text of an ini file with these lines."""
    return "\n".join(["[pytest]", *lines, ""])


def is_refused(result, *told):
    """Hold a run of pytest against what every refusal keeps to."""
    assert result.ret == 4
    (line,) = [line for line in result.err.splitlines() if line.startswith("ERROR: ")]
    for words in told:
        assert words in line
    assert "Traceback" not in result.out + result.err
    assert KEY not in result.out + result.err


# ── a project's files ────────────────────────────────────────────────────────────────────────────

MODE, ALLOW, URL = "dust_mode = live", "dust_allow_http = true", f"dust_base_url = {ELSEWHERE}"
SECURE = "dust_base_url = https://elsewhere.example"
FILES = {
    "ini": {"pytest.ini": ini(MODE, ALLOW, URL)},
    "encrypted": {"pytest.ini": ini(MODE, SECURE)},
    "addopts": {
        "pytest.ini": ini(f"addopts = --dust-mode=live --dust-allow-http --dust-base-url={ELSEWHERE}")
    },
    "addopts, apart": {"pytest.ini": ini(f"addopts = --dust-base-url {ELSEWHERE} --dust-allow-http", MODE)},
    "addopts, overriding": {
        "pytest.ini": ini(f"addopts = -o {URL.replace(' ', '')} --dust-allow-http", MODE)
    },
    "addopts, encrypted": {"pytest.ini": ini("addopts = --dust-base-url=https://elsewhere.example", MODE)},
    "pyproject": {
        "pytest.ini": None,
        "pyproject.toml": '[tool.pytest.ini_options]\ndust_mode = "live"\ndust_allow_http = "true"\n'
        f'dust_base_url = "{ELSEWHERE}"\n',
    },
    "tox.ini": {"pytest.ini": None, "tox.ini": ini(MODE, ALLOW, URL)},
    "setup.cfg": {
        "pytest.ini": None,
        "setup.cfg": ini(MODE, ALLOW, URL).replace("[pytest]", "[tool:pytest]"),
    },
    "drift": {"pytest.ini": ini("dust_drift = true", ALLOW, URL)},
    "another version": {"pytest.ini": ini("dust_specification_hash = latest", ALLOW, URL)},
}


@pytest.mark.parametrize("files", FILES)
def test_no_file_of_a_project_sends_the_key_elsewhere(key_only, files):
    """Whatever the project's configuration says, a plain `pytest` sends the key to no host of its choice."""
    with proxying(9) as proxy:
        address = f"http://{proxy.address}"
        example = key_only.having(FILES[files]).exporting(HTTP_PROXY=address, HTTPS_PROXY=address)
        result = example.run()
    is_refused(result, "elsewhere.example", "dust.tt", "--dust-base-url=", "export DUST_BASE_URL=")
    assert proxy.seen == []


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("errand", ["--dust-apps", "--dust-new=9f1d3b5a7c"])
def test_commands_send_the_key_nowhere_else_either(key_only, files, errand):
    """`--dust-apps` and `--dust-new`, which ask the service in every mode, refuse such an address too."""
    with proxying(9) as proxy:
        address = f"http://{proxy.address}"
        example = key_only.having(FILES[files]).exporting(HTTP_PROXY=address, HTTPS_PROXY=address)
        result = example.run(*errand.split("="))
    is_refused(result, "elsewhere.example")
    assert proxy.seen == []


def test_an_xdist_run_refuses_too(key_only):
    """With xdist, the controller refuses before any worker begins."""
    is_refused(key_only.having(FILES["addopts"]).run("-n1"), "elsewhere.example")


def test_a_replay_takes_any_address(one):
    """A replay sends nothing, so the project's own address disturbs it as little as another."""
    recorded = one.run("--dust-mode=record").example.offline()
    assert recorded.having({"pytest.ini": ini(ALLOW, URL)}).run().outcomes == {"passed": 1}


NAMED = {
    "option": (["--dust-base-url=http://service.test"], {}),
    "option, apart": (["--dust-base-url", "http://service.test"], {}),
    "environment": ([], {"DUST_BASE_URL": "http://service.test"}),
    "exported options": ([], {"PYTEST_ADDOPTS": "--dust-base-url=http://service.test"}),
    "overriding": (["-o", "dust_base_url=http://service.test"], {}),
    "overriding, together": (["-odust_base_url=http://service.test"], {}),
    "overriding, in full": (["--override-ini=dust_base_url=http://service.test"], {}),
}
ALLOWED = {
    "option": (["--dust-allow-http"], {}),
    "environment": ([], {"DUST_ALLOW_HTTP": "true"}),
    "overriding": (["-o", "dust_allow_http=true"], {}),
}


@pytest.mark.parametrize("allowed", ALLOWED)
@pytest.mark.parametrize("named", NAMED)
def test_the_command_line_and_the_environment_name_any_host(key_only, server, named, allowed):
    """Who runs pytest may name any address, by an option or a variable, whatever the ini file says."""
    args, environ = NAMED[named]
    more, others = ALLOWED[allowed]
    with proxying(server.port) as proxy:
        environ = {**environ, **others, "HTTP_PROXY": f"http://{proxy.address}"}
        example = key_only.having({"pytest.ini": ini(MODE, URL)}).exporting(**environ)
        assert example.run(*args, *more).outcomes == {"passed": 1}
    assert len(proxy.asked) == 1
    assert proxy.asked[0].startswith("POST http://service.test/")


@pytest.mark.parametrize("file", [ini(MODE, ALLOW), ini("addopts = --dust-allow-http --dust-mode=live")])
@pytest.mark.parametrize("named", ["option", "environment"])
def test_no_file_of_a_project_allows_plain_http(key_only, named, file):
    """`allow_http` of the ini file counts for nothing: an open line needs the user's own word."""
    args, environ = NAMED[named]
    result = key_only.having({"pytest.ini": file}).exporting(**environ).run(*args)
    is_refused(result, "not encrypted", "--dust-allow-http on the command line", "does not count")


def test_the_environment_wins_over_addopts_in_what_is_sent_where(key_only, server):
    """An address in `addopts` is one of the ini file, even where another is exported."""
    example = key_only.having({"pytest.ini": ini(f"addopts = --dust-base-url={ELSEWHERE}", MODE)})
    is_refused(example.exporting(DUST_BASE_URL=server.base_url).run(), "elsewhere.example", "addopts")
    assert server.requests == []


@pytest.mark.parametrize("by", ["ini", "addopts"])
def test_a_project_may_name_this_machine(key_only, server, by):
    """A project may name an address on this machine, over plain http."""
    url = server.base_url
    lines = [f"dust_base_url = {url}"] if by == "ini" else [f"addopts = --dust-base-url={url}"]
    assert key_only.having({"pytest.ini": ini(MODE, *lines)}).run().outcomes == {"passed": 1}
    assert server.runs == 1


@pytest.mark.parametrize("host", ["dust.tt", "eu.dust.tt", "EU.Dust.TT"])
def test_a_project_may_name_dust(key_only, server, certificate, host):
    """A project may name Dust itself, in either region, over an encrypted line."""
    with tls(server.port, certificate) as port, proxying(port) as proxy:
        environ = {"HTTPS_PROXY": f"http://{proxy.address}", "SSL_CERT_FILE": str(certificate)}
        file = ini(MODE, f"dust_base_url = https://{host}")
        assert key_only.having({"pytest.ini": file}).exporting(**environ).run().outcomes == {"passed": 1}
    assert proxy.asked == [f"CONNECT {host.lower()}:443 HTTP/1.1"]


def test_no_key_of_a_suite_leads_elsewhere(one, server):
    """A suite has no key for an address, and none of its ids makes one."""
    for line in ("base_url: https://elsewhere.example", "app: {id: ../../../x, base_url: https://e.example}"):
        text = one.files["a.dust.yaml"].decode()
        result = one.having({"a.dust.yaml": f"{line}\n{text}"}).run("--dust-mode=live")
        assert result.outcomes == {"error": 1}
    assert server.requests == []


def test_no_redirect_takes_the_key_along(key_only):
    """An address that redirects elsewhere is told, and nothing is sent there."""
    reached = []
    with listening(lambda connection: reached.append(connection.recv(1))) as other:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n"
        with proxying(9, moved.encode()) as front:
            result = key_only.exporting(DUST_BASE_URL=f"http://{front.address}").run("--dust-mode=live")
    assert result.outcomes == {"failed": 1}
    assert "redirects are not followed" in result.out
    assert reached == []


# ── hosts that look like others ──────────────────────────────────────────────────────────────────

LOOK_ALIKES = [
    "https://dust.tt.example",
    "https://dust.tt.",
    "https://evil-dust.tt",
    "https://evildust.tt",
    "https://a.dust.tt",
    "https://us.eu.dust.tt",
    "https://dust.tt-e.example",
    "https://dust.tt:443.example",
    "https://dust.tt@elsewhere.example",
    "https://dust.tt:x@elsewhere.example",
    "https://elsewhere.example/dust.tt",
    "https://elsewhere.example\\.dust.tt",
    "https://elsewhere.example\\@dust.tt",
    "https://elsewhere.example?@dust.tt",
    "https://elsewhere.example#@dust.tt",
    "https://dust%2ett",
    "https://dust.tt%00.example",
    "https://düst.tt",
    "https://ԁust.tt",
    "https://dust。tt",
    "https://xn--ust-7ed.tt",
    "http://dust.tt",
    "http://eu.dust.tt",
    "HTTP://DUST.TT",
    "http://localhost.example",
    "http://localhost.",
    "http://a.localhost",
    "http://127.0.0.1.example",
    "http://127.0.0.1.",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.1",
    "http://127.1",
    "http://0177.0.0.1",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::ffff:192.0.2.7]",
    "http://[fe80::1%25lo]",
    "http://169.254.169.254",
]


@pytest.mark.parametrize("url", LOOK_ALIKES)
def test_what_looks_like_dust_or_this_machine_is_another_host(url):
    """An address that only looks like Dust, or like this machine, gets no key from a project's file."""
    with pytest.raises(SettingsError) as caught:
        resolve({}, {"DUST_MODE": "live"}, {"dust_base_url": url, "dust_allow_http": "true"})
    assert "\n" not in str(caught.value)


# ── addresses that are none ──────────────────────────────────────────────────────────────────────

BAD = [
    "https://dust.tt/a b",
    "https://du st.tt",
    "https://dust\n.tt",
    "https://dust\t.tt",
    "https://dust.tt/\x00",
    "https://dust.tt/\x7f",
    "https://dust\u00a0.tt",
    "https://dust\u200b.tt",
    "https://düst.tt",
    "https://dust.tt:0",
    "https://dust.tt:65536",
    "https://dust.tt:-1",
    "https://dust.tt:８０",
    "https://dust.tt:http",
    "https://1.2.3.4.5",
    "https://256.1.1.1",
    "https://1234567890",
    "https://a..b",
    "https://.dust.tt",
    f"https://{'a' * 64}.tt",
    f"https://{'a.' * 130}tt",
    f"https://dust.tt/{'a' * 5000}",
    "https://[::1",
    "https://[dust.tt]",
    "https://[1.2.3.4]",
    "https://[::1%25eth0]",
    "https://@dust.tt",
    "https://:@dust.tt",
    "https:dust.tt",
    "https:/dust.tt",
    "//dust.tt",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("mode", ["replay", "live"])
def test_an_address_that_is_none_stops_the_session(one, url, mode):
    """An address that no request can be sent to is told at the start, in one line, replayed or not."""
    result = one.run(f"--dust-mode={mode}", f"--dust-base-url={url}")
    is_refused(result, "--dust-base-url: ", "cannot be used; ")


EDGES = ["\n", " ", "\r\n", "\t", "\u00a0", "  \n"]
VALUES = {
    "DUST_MODE": "record",
    "DUST_TIMEOUT": "5",
    "DUST_CONCURRENCY": "2",
    "DUST_ALLOW_HTTP": "false",
    "DUST_ON_CHANGE": "report",
    "DUST_CASSETTE_DIR": "cassettes",
    "DUST_MAX_RUNS": "5",
    "DUST_MAX_TOKENS": "5000",
    "DUST_FRESH": "true",
    "DUST_DIFF_DIR": "diffs",
}


@pytest.mark.parametrize("edge", EDGES, ids=repr)
@pytest.mark.parametrize("side", ["before", "after"])
def test_blanks_around_a_variable_are_left_out(one, server, edge, side):
    """A line break or a blank around any value of the environment, as files leave it, is left out."""
    values = {**VALUES, **server.environment}
    dirty = {name: edge + value if side == "before" else value + edge for name, value in values.items()}
    recorded = one.exporting(**dirty).run()
    assert recorded.outcomes == {"passed": 1}
    assert set(recorded.example.cassettes) == {"cassettes/a/a.json"}
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    del dirty["DUST_MODE"]
    assert recorded.example.offline().exporting(**dirty).run().outcomes == {"passed": 1}


@pytest.mark.parametrize("name", ["DUST_BASE_URL", "DUST_WORKSPACE_ID", "DUST_SPACE_ID", *VALUES])
def test_a_line_break_inside_a_variable_is_refused(one, name):
    """A line break inside a value is told at the start, in one line that names the variable."""
    if name in ("DUST_CASSETTE_DIR", "DUST_DIFF_DIR"):
        pytest.skip("a folder may be called anything")
    value = {**VALUES, **one.environ}[name]
    result = one.exporting(**{name: f"{value[:1]}\n{value[1:]}x"}).run(
        "--dust-mode=replay" if name != "DUST_MODE" else "-q"
    )
    is_refused(result, f"environment variable {name}: ", "cannot be used", "\\n")


@given(st.text() | st.from_regex(r"https?://[!-~]*", fullmatch=True) | st.from_regex(r"\w+://\S*"))
@hypothesis_settings(max_examples=100, deadline=None)
def test_an_address_that_is_taken_can_be_sent_to(text):
    """Whatever address is taken as one, the HTTP client takes too, and a socket its host and port."""
    try:
        url = resolve({"base-url": text}, {}, {}).base_url
    except SettingsError:
        return
    taken = httpx.URL(url)
    assert taken.host
    assert taken.raw_path.isascii()
    assert 0 < (taken.port or 443) < 65536
    taken.host.encode("idna")
