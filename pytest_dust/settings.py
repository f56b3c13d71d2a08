"""The one table of options, and their values: command line > environment > ini > default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pytest_dust.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from pytest_dust.model import App  # 15 ms, and settings are read in every pytest run


class Mode(StrEnum):
    """Where runs come from, and what becomes of cassettes."""

    REPLAY = "replay"
    RECORD = "record"
    RERECORD = "rerecord"
    LIVE = "live"


class Option(NamedTuple):
    """An option: `--dust-NAME`, ini `dust_NAME`, and an environment variable."""

    name: str
    default: str
    read: Callable[[str], Any]
    metavar: str
    help: str
    variable: str = ""
    switch: bool = False
    """Given on the command line without a value."""
    many: bool = False
    """May be given several times; elsewhere its values are parted by commas."""
    lasting: bool = True
    """Belongs into the commands that reports suggest, if it was typed."""
    may_be_empty: bool = False
    """An empty value on the command line unsets it."""

    @property
    def flag(self) -> str:
        """The option as typed on the command line."""
        return f"--dust-{self.name}"

    @property
    def ini(self) -> str:
        """The option's name in pytest's configuration file."""
        return f"dust_{self.name.replace('-', '_')}"

    @property
    def environment(self) -> str:
        """The environment variable that sets the option."""
        return self.variable or self.ini.upper()


SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
"""An id that stands in an address as one piece."""
ON_CHANGE = ("fail", "report")
"""What a change against the recording may do to a live case."""


HASH = re.compile(r"[0-9a-fA-F]{64}")


class _Refused(ValueError):
    """What is wrong with a value, and what is allowed."""


def _mode(text: str) -> Mode:
    if text not in list(Mode):
        raise _Refused(f"there are: {', '.join(Mode)}{did_you_mean(text, Mode)}")
    return Mode(text)


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _Refused("give an address such as https://dust.tt or https://eu.dust.tt")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _Refused("give only scheme, host, port and path; no user, query or fragment")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise _Refused("give a number of seconds greater than 0")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise _Refused("give a whole number, 1 or more")
    return int(text)


def _id(text: str) -> str | None:
    if text and not SEGMENT.fullmatch(text):
        raise _Refused("give the id from the address in Dust: letters, digits, _ and -")
    return text or None


def _change(text: str) -> str | None:
    if text not in ("", *ON_CHANGE):
        raise _Refused(f"there are: {', '.join(ON_CHANGE)}{did_you_mean(text, ON_CHANGE)}")
    return text or None


def _ceiling(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) < 16) and text:
        raise _Refused("give a whole number, 0 or more")
    return int(text) if text else None


def _versions(text: str) -> Mapping[str, str]:
    """Which version of which app; the app "" is every app that has no version of its own."""
    versions: dict[str, str] = {}
    for each in text.split(",") if text else ():
        app, given, version = each.strip().rpartition("=")
        if (given and not SEGMENT.fullmatch(app)) or not (version == "latest" or HASH.fullmatch(version)):
            raise _Refused("give 64 hex digits or latest, or APP_ID=HASH")
        if versions.setdefault(app, version.lower()) != version.lower():
            raise _Refused(f"{f'the app {app}' if app else 'every app'} is given two versions; give one")
    return versions


def _optional_folder(text: str) -> str | None:
    return text.strip() or None


def _switch(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False}
    words["off"] = False
    if text.lower() not in words:
        raise _Refused("give true or false")
    return words[text.lower()]


def _folder(text: str) -> str:
    if not text.strip():
        raise _Refused("give the name of a folder, such as cassettes")
    return text


OPTIONS = (
    Option(
        "mode",
        "replay",
        _mode,
        "MODE",
        "replay (from cassettes, offline), record (what is missing or does "
        "not fit), rerecord (everything) or live (compare with the cassettes)",
        lasting=False,
    ),
    Option("base-url", "https://dust.tt", _base_url, "URL", "the service; https://eu.dust.tt for Europe"),
    Option(
        "workspace",
        "",
        _id,
        "ID",
        "the workspace of suites that name none",
        "DUST_WORKSPACE_ID",
        may_be_empty=True,
    ),
    Option("space", "", _id, "ID", "the space of suites that name none", "DUST_SPACE_ID", may_be_empty=True),
    Option("timeout", "300", _seconds, "SECONDS", "for one whole run, where a suite sets none"),
    Option("concurrency", "8", _count, "N", "live runs under way at once"),
    Option(
        "allow-http",
        "false",
        _switch,
        "",
        "send the key over plain http:// to a host other than this machine",
        switch=True,
    ),
    Option(
        "on-change",
        "",
        _change,
        "WHAT",
        "fail or report: what a change since the recording does to a case",
        lasting=False,
    ),
    Option(
        "specification-hash",
        "",
        _versions,
        "HASH",
        "run every suite live against this version of its app (64 hex digits or latest; APP_ID=HASH for one "
        "app), and compare with the recordings; may be given several times",
        many=True,
        lasting=False,
    ),
    Option(
        "drift",
        "false",
        _switch,
        "",
        "ask whether each pinned hash is still what is saved at Dust",
        switch=True,
        lasting=False,
    ),
    Option(
        "fresh",
        "false",
        _switch,
        "",
        "turn the service's own cache off in live runs",
        switch=True,
        lasting=False,
    ),
    Option("max-runs", "", _ceiling, "N", "make at most so many runs in a session", lasting=False),
    Option("max-tokens", "", _ceiling, "N", "use at most so many tokens in a session", lasting=False),
    Option(
        "diff-dir",
        "",
        _optional_folder,
        "DIR",
        "write what changed since the recordings here, in full",
        lasting=False,
    ),
    Option("cassette-dir", "cassettes", _folder, "DIR", "where cassettes are, beside each suite"),
)

LISTS = {
    "dust_env": "environment variables that suites may read beside DUST_…",
    "dust_secrets": "environment variables whose values are masked in cassettes and reports, as the key is",
    "dust_redact": "dotted names or patterns of values masked in requests and replies: inputs.*.email",
}
"""Ini lists, which have no option."""


class Settings(NamedTuple):
    """What the user set, checked; no dataclass, for making one would take half of the plugin's start."""

    mode: Mode
    base_url: str
    workspace: str | None
    space: str | None
    timeout: float
    concurrency: int
    cassette_dir: str
    allow_http: bool
    on_change: str | None
    specification_hash: Mapping[str, str]
    drift: bool
    fresh: bool
    max_runs: int | None
    max_tokens: int | None
    diff_dir: str | None
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    """The options given on the command line that belong into commands we suggest."""
    sources: Mapping[str, str] = {}
    """Where each option was set, by its name, such as `ini dust_mode`."""

    @property
    def limited(self) -> bool:
        """Whether there is a ceiling on what a session may spend."""
        return self.max_runs is not None or self.max_tokens is not None

    def only_ini(self, option: str) -> bool:
        """Whether the option was set in the ini file, which is for all sessions of the project."""
        return self.sources.get(option, "").startswith("ini ")

    def address(self, app: App) -> App:
        """An app's address, with workspace and space from the settings where the suite names none."""
        if app.workspace and app.space:
            return app
        return replace(app, workspace=app.workspace or self.workspace, space=app.space or self.space)

    def version_of(self, app: str, pinned: str) -> str:
        """Which version of an app is run live: the one that is tried, else the pinned one."""
        return self.specification_hash.get(app, self.specification_hash.get("", pinned))


def resolve(
    command_line: Mapping[str, str | list[str] | None],
    environ: Mapping[str, str],
    ini: Mapping[str, str],
    lists: Mapping[str, tuple[str, ...]] | None = None,
) -> Settings:
    """The settings by precedence; raises SettingsError for a value that cannot be used."""
    values: dict[str, Any] = {}
    typed: list[str] = []
    sources: dict[str, str] = {}
    for option in OPTIONS:
        text, source = _chosen(option, command_line, environ, ini)
        sources[option.name] = source
        try:
            values[option.name.replace("-", "_")] = _read(option, text, typed=source == option.flag)
        except _Refused as error:
            shown = re.sub(r"//[^/@]*@", "//…@", text[:80])  # a password in an address
            raise SettingsError(f'{source}: "{shown}" cannot be used; {error}') from None
        if source == option.flag and option.lasting:
            typed.append(option.flag if option.switch else f"{option.flag}={text}")
    values |= {name.removeprefix("dust_"): listed for name, listed in (lists or {}).items()}
    chosen = Settings(**values, typed=tuple(typed), sources=sources)
    if chosen.specification_hash:
        chosen = _against_versions(chosen)
    _refuse_open_line(chosen)
    return chosen


def _read(option: Option, text: str, *, typed: bool) -> Any:
    """The option's value; an empty one is refused on the command line, where an unset variable gives it."""
    if typed and not (text.strip() or option.default or option.may_be_empty):
        raise _Refused("give a value, or leave the option out")
    return option.read(text)


def _against_versions(chosen: Settings) -> Settings:
    """The settings for trying other versions of apps: live, so that nothing is written."""
    if chosen.mode in (Mode.RECORD, Mode.RERECORD):
        raise SettingsError(
            f"--dust-specification-hash runs live and writes nothing; leave out --dust-mode={chosen.mode}"
        )
    return chosen._replace(mode=Mode.LIVE)


def _refuse_open_line(chosen: Settings) -> None:
    """Refuse to send the key where anyone on the way can read it."""
    address = urlsplit(chosen.base_url)
    offline = chosen.mode is Mode.REPLAY and not chosen.drift
    if offline or chosen.allow_http or address.scheme == "https":
        return
    host = address.hostname or ""
    if not is_this_machine(host):
        raise SettingsError(
            f"{chosen.base_url} is not encrypted, and the API key would be sent to it; "
            "use https://, or --dust-allow-http if you must"
        )


def is_this_machine(host: str) -> bool:
    """Whether an address leads nowhere else than here."""
    if host == "localhost":
        return True
    from ipaddress import ip_address  # only where a key may go over http://: 3 ms

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _chosen(
    option: Option,
    command_line: Mapping[str, str | list[str] | None],
    environ: Mapping[str, str],
    ini: Mapping[str, str],
) -> tuple[str, str]:
    """The option's text and where it came from."""
    typed = command_line.get(option.name)
    if typed is not None:
        return typed if isinstance(typed, str) else ",".join(typed), option.flag
    if environ.get(option.environment):
        return environ[option.environment], f"environment variable {option.environment}"
    if ini.get(option.ini):
        return ini[option.ini], f"ini {option.ini}"
    return option.default, "default"
