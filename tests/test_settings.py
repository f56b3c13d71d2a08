"""Options: command line > environment > ini > default, each value checked."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pytest_dust.errors import SettingsError
from pytest_dust.settings import LISTS, OPTIONS, Mode, Option, resolve

# name: (flag, variable, ini, default, three texts, what they are read as)
TABLE: dict[str, tuple[str, str, str, Any, tuple[str, str, str], tuple[Any, Any, Any]]] = {
    "mode": (
        "--dust-mode",
        "DUST_MODE",
        "dust_mode",
        Mode.REPLAY,
        ("live", "record", "rerecord"),
        (Mode.LIVE, Mode.RECORD, Mode.RERECORD),
    ),
    "base-url": (
        "--dust-base-url",
        "DUST_BASE_URL",
        "dust_base_url",
        "https://dust.tt",
        ("https://eu.dust.tt/", "http://localhost:3000", "http://[::1]/x/"),
        ("https://eu.dust.tt", "http://localhost:3000", "http://[::1]/x"),
    ),
    "workspace": ("--dust-workspace", "DUST_WORKSPACE_ID", "dust_workspace", None, ("a", "b-1", "c_2"), ()),
    "space": ("--dust-space", "DUST_SPACE_ID", "dust_space", None, ("vlt_a", "vlt_b", "vlt_c"), ()),
    "timeout": (
        "--dust-timeout",
        "DUST_TIMEOUT",
        "dust_timeout",
        300.0,
        ("1", "2.5", "1e3"),
        (1.0, 2.5, 1e3),
    ),
    "concurrency": (
        "--dust-concurrency",
        "DUST_CONCURRENCY",
        "dust_concurrency",
        8,
        ("1", "2", "64"),
        (1, 2, 64),
    ),
    "allow-http": (
        "--dust-allow-http",
        "DUST_ALLOW_HTTP",
        "dust_allow_http",
        False,
        ("true", "off", "1"),
        (True, False, True),
    ),
    "on-change": (
        "--dust-on-change",
        "DUST_ON_CHANGE",
        "dust_on_change",
        None,
        ("fail", "report", "fail"),
        (),
    ),
    "specification-hash": (
        "--dust-specification-hash",
        "DUST_SPECIFICATION_HASH",
        "dust_specification_hash",
        {},
        ("latest", "AB" * 32, f"9f1d3b5a7c={'0' * 64},latest"),
        ({"": "latest"}, {"": "ab" * 32}, {"9f1d3b5a7c": "0" * 64, "": "latest"}),
    ),
    "gate": ("--dust-gate", "DUST_GATE", "dust_gate", False, ("true", "off", "1"), (True, False, True)),
    "gate-attempts": (
        "--dust-gate-attempts",
        "DUST_GATE_ATTEMPTS",
        "dust_gate_attempts",
        3,
        ("1", "5", "50"),
        (1, 5, 50),
    ),
    "gate-false-alarms": (
        "--dust-gate-false-alarms",
        "DUST_GATE_FALSE_ALARMS",
        "dust_gate_false_alarms",
        0.05,
        ("0.01", "1e-3", "0.5"),
        (0.01, 0.001, 0.5),
    ),
    "drift": ("--dust-drift", "DUST_DRIFT", "dust_drift", False, ("true", "off", "1"), (True, False, True)),
    "fresh": ("--dust-fresh", "DUST_FRESH", "dust_fresh", False, ("true", "off", "1"), (True, False, True)),
    "max-runs": ("--dust-max-runs", "DUST_MAX_RUNS", "dust_max_runs", None, ("1", "0", "500"), (1, 0, 500)),
    "max-tokens": (
        "--dust-max-tokens",
        "DUST_MAX_TOKENS",
        "dust_max_tokens",
        None,
        ("1", "0", "500000"),
        (1, 0, 500_000),
    ),
    "diff-dir": ("--dust-diff-dir", "DUST_DIFF_DIR", "dust_diff_dir", None, ("diffs", "a/b", ".diffs"), ()),
    "report": (
        "--dust-report",
        "DUST_REPORT",
        "dust_report",
        (),
        ("a.json", "a.html,b/c.md", "A.HTML"),
        (("a.json",), ("a.html", "b/c.md"), ("A.HTML",)),
    ),
    "github": (
        "--dust-github",
        "DUST_GITHUB",
        "dust_github",
        True,
        ("off", "auto", "off"),
        (False, True, False),
    ),
    "cassette-dir": (
        "--dust-cassette-dir",
        "DUST_CASSETTE_DIR",
        "dust_cassette_dir",
        "cassettes",
        ("tapes", "a/b", ".tapes"),
        (),
    ),
    "pending-dir": (
        "--dust-pending-dir",
        "DUST_PENDING_DIR",
        "dust_pending_dir",
        ".dust/pending",
        ("waiting", "a/b", ".waiting"),
        None,
    ),
}
each_option = pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])


def _value(option: Option, typed: str | None = None, variable: str = "", ini: str = "") -> Any:
    """What the settings say where an option is set so."""
    environ = {option.environment: variable} if variable else {}
    others = {"specification-hash": "latest"} if option.name == "gate" else {}
    chosen = resolve({**others, option.name: typed}, environ, {option.ini: ini})
    return getattr(chosen, option.name.replace("-", "_"))


def test_every_option_is_in_the_table() -> None:
    """No option goes without the tests below."""
    assert [option.name for option in OPTIONS] == list(TABLE)


@each_option
def test_an_option_has_three_names(option: Option) -> None:
    """Every option is a flag, an environment variable and an ini value, named as documented."""
    assert (option.flag, option.environment, option.ini) == TABLE[option.name][:3]


@each_option
def test_the_command_line_comes_before_the_environment_before_the_ini(option: Option) -> None:
    """Command line > environment > ini > default."""
    *_, default, (typed, variable, ini), read = TABLE[option.name]
    one, two, three = read or (typed, variable, ini)
    assert _value(option, typed, variable, ini) == one
    assert _value(option, None, variable, ini) == two
    assert _value(option, None, "", ini) == three
    assert _value(option) == default
    assert _value(option, typed) == one
    assert _value(option, typed, "", ini) == one


BAD: dict[str, list[str]] = {
    "mode": ["Live", "replya", "all"],
    "base-url": [
        "dust.tt",
        "ftp://dust.tt",
        "https://",
        "https://x:port",
        "https://dust.tt?a=1",
        "https://dust.tt#a",
        "http://[::1",
    ],
    "workspace": ["a b", "a/b", "../x", "é", "٣"],
    "space": ["a b", "a/b", "$x"],
    "timeout": ["0", "-1", "nan", "inf", "30s", "1e999"],
    "concurrency": ["0", "-1", "1.5", "many", "²", "9" * 5000],
    "allow-http": ["maybe", "2", "truee"],
    "on-change": ["Fail", "fali", "true"],
    "specification-hash": ["newest", "ab" * 31, "=latest", "a b=latest", "latest,", "9f1d=abc", "x=y=latest"],
    "gate": ["maybe"],
    "gate-attempts": ["0", "51", "1.5", "many", "²"],
    "gate-false-alarms": ["0", "0.6", "5%", "nan", "inf"],
    "drift": ["maybe"],
    "fresh": ["2"],
    "max-runs": ["-1", "1.5", "many", "²", "9" * 5000],
    "max-tokens": ["-1", "1e6", "1,000"],
    "cassette-dir": [" "],
    "pending-dir": [" "],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, texts in BAD.items() for text in texts],
    ids=lambda text: text[:12],
)
def test_a_wrong_value_names_where_it_came_from(name: str, text: str) -> None:
    """A value that cannot be used is told with its source, itself and what is allowed."""
    option = next(option for option in OPTIONS if option.name == name)
    for source, given_so in (
        (option.flag, {"typed": text}),
        (f"environment variable {option.environment}", {"variable": text}),
        (f"ini {option.ini}", {"ini": text}),
    ):
        with pytest.raises(SettingsError) as caught:
            _value(option, **given_so)
        told = str(caught.value)
        assert told.startswith(f'{source}: "{text[:20]}')
        assert "cannot be used; " in told
        assert len(told) < 300


def test_the_gate_needs_another_version() -> None:
    """`--dust-gate` alone is a mistake; as ini value, it is for the sessions that try another version."""
    with pytest.raises(
        SettingsError, match="--dust-gate compares two versions of an app; give the other one"
    ):
        resolve({"gate": "true"}, {}, {})
    with pytest.raises(SettingsError, match="environment variable DUST_GATE compares"):
        resolve({}, {"DUST_GATE": "1"}, {})
    assert not resolve({}, {}, {"dust_gate": "true"}).gate
    assert resolve({"specification-hash": "latest"}, {}, {"dust_gate": "true"}).gate


def test_the_gate_turns_the_services_cache_off() -> None:
    """All runs of a gate are new ones; without it, that is left to --dust-fresh."""
    assert resolve({"specification-hash": "latest", "gate": "true"}, {}, {}).fresh
    assert not resolve({"specification-hash": "latest"}, {}, {}).fresh


def test_the_gate_decides_on_the_apps_that_have_another_version() -> None:
    """`APP_ID=HASH` leaves the other apps of the session to the usual rules."""
    one = resolve({"specification-hash": "9f1d3b5a7c=latest", "gate": "true"}, {}, {})
    every = resolve({"specification-hash": "latest", "gate": "true"}, {}, {})
    assert (one.is_gated("9f1d3b5a7c"), one.is_gated("51aa0c7e2d")) == (True, False)
    assert every.is_gated("51aa0c7e2d")


def test_a_wrong_mode_gets_a_suggestion() -> None:
    """A slip in the mode lists the modes and names the nearest."""
    with pytest.raises(SettingsError) as caught:
        resolve({"mode": "rercord"}, {}, {})
    assert str(caught.value) == (
        '--dust-mode: "rercord" cannot be used; '
        "there are: replay, record, rerecord, live (did you mean rerecord?)"
    )


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    """A password in the base URL is refused, and not repeated in the message."""
    with pytest.raises(SettingsError) as caught:
        resolve({"base-url": "https://ada:hunter2@dust.tt"}, {}, {})
    assert "no user" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["workspace", "space"])
def test_an_empty_id_on_the_command_line_unsets_it(name: str) -> None:
    """`--dust-workspace=` puts nothing in place of what environment or ini say."""
    option = next(option for option in OPTIONS if option.name == name)
    assert _value(option, "", "from-environment", "from-ini") is None


@pytest.mark.parametrize("name", ["mode", "base-url", "timeout", "concurrency", "allow-http", "cassette-dir"])
def test_an_empty_value_on_the_command_line_is_told(name: str) -> None:
    """An option typed without a value is a mistake and no default."""
    option = next(option for option in OPTIONS if option.name == name)
    with pytest.raises(SettingsError, match=f"{option.flag}: "):
        _value(option, "")


def test_what_was_typed_is_kept_for_suggested_commands() -> None:
    """The options of the command line, but not the mode, are repeated in the commands we suggest."""
    typed = {"mode": "live", "space": "vlt_a", "timeout": "3"}
    chosen = resolve(typed, {"DUST_CONCURRENCY": "2"}, {"dust_cassette_dir": "tapes"})
    assert chosen.typed == ("--dust-space=vlt_a", "--dust-timeout=3")


def test_a_switch_is_repeated_without_a_value() -> None:
    """A switch of the command line is repeated in suggested commands as it was typed."""
    assert resolve({"allow-http": "true"}, {}, {}).typed == ("--dust-allow-http",)


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "on", "false", "0", "No", "off"])
def test_a_switch_is_read_in_the_words_of_environments(word: str) -> None:
    """In environment and ini, a switch is on or off by the usual words, in letters of any case."""
    wanted = word.lower() in ("true", "1", "yes", "on")
    assert resolve({}, {"DUST_ALLOW_HTTP": word}, {}).allow_http is wanted
    assert resolve({}, {}, {"dust_allow_http": word}).allow_http is wanted


@pytest.mark.parametrize("name", LISTS)
def test_ini_lists_are_passed_on(name: str) -> None:
    """What the ini lists name reaches the settings, and nothing where they are not set."""
    attribute = name.removeprefix("dust_")
    assert getattr(resolve({}, {}, {}), attribute) == ()
    assert getattr(resolve({}, {}, {}, {name: ("TEAM", "x")}), attribute) == ("TEAM", "x")


# ── where the key may go ─────────────────────────────────────────────────────────────────────────

ONLINE = [mode for mode in Mode if mode is not Mode.REPLAY]
OPEN = ["http://dust.example", "http://192.0.2.7:8080", "HTTP://dust.example", "http://127.0.0.1.example"]
CLOSED = [
    "https://dust.example",
    "HTTPS://dust.example",
    "http://localhost:3000",
    "http://LOCALHOST",
    "http://127.0.0.1:3000",
    "http://127.1.2.3",
    "http://[::1]:3000",
]


@pytest.mark.parametrize("mode", ONLINE)
@pytest.mark.parametrize("url", OPEN)
def test_the_key_goes_over_no_open_line(mode: Mode, url: str) -> None:
    """Where the network is used, http:// to another machine is refused, with both ways out."""
    with pytest.raises(SettingsError) as caught:
        resolve({"mode": mode, "base-url": url}, {}, {})
    told = str(caught.value)
    assert url in told
    assert "not encrypted" in told
    assert "https://" in told
    assert "--dust-allow-http" in told


@pytest.mark.parametrize("mode", ONLINE)
@pytest.mark.parametrize("url", CLOSED)
def test_an_encrypted_line_or_this_machine_is_used(mode: Mode, url: str) -> None:
    """https:// to anywhere and http:// to this machine need no leave."""
    assert resolve({"mode": mode, "base-url": url}, {}, {}).base_url == url


@pytest.mark.parametrize("url", OPEN)
def test_an_open_line_is_used_by_leave_alone(url: str) -> None:
    """Replay sends nothing, so it takes any address; `--dust-allow-http` lifts the refusal."""
    assert resolve({"base-url": url}, {}, {}).base_url == url
    chosen = resolve({"mode": "live", "base-url": url, "allow-http": "true"}, {}, {})
    assert chosen.base_url == url


@given(st.sampled_from(OPTIONS), st.text() | st.from_regex(r"https?://\S*", fullmatch=True))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_text_is_a_value_or_a_settings_error(option: Option, text: str) -> None:
    """No text makes an option raise anything but SettingsError."""
    with suppress(SettingsError):
        assert resolve({option.name: text}, {}, {})
