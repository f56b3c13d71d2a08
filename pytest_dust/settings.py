"""The table of all options, and their values: command line > environment > ini > default."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pytest_dust.constants import HASH, LATEST
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
    """An option: `--dust-NAME`, ini `dust_NAME` and an environment variable."""

    name: str
    default: str
    read: Callable[[str], Any]
    metavar: str
    help: str
    variable: str = ""
    switch: bool = False
    """Given on the command line without a value."""
    many: bool = False
    """May be given several times; in ini and environment, commas separate its values."""
    lasting: bool = True
    """If it was typed, the commands that reports suggest have it too."""
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
"""An id that can be one segment of an address."""
ON_CHANGE = ("fail", "report")
"""What a change since the recording may do to a live case."""


MAX_GATE_ATTEMPTS = 50
"""Maximum number of fresh runs of each version for a case of the gate."""
MAX_FALSE_ALARMS = 0.5
"""Maximum rate of false alarms of the gate."""
REPORTS = (".json", ".html", ".md")
"""The suffixes of the reports that can be written."""
GITHUB = ("auto", "off")
"""Whether to write annotations and a summary on GitHub Actions."""
LABEL = r"[A-Za-z0-9_-]{1,63}"
"""One part of the name of a host."""
LONGEST_URL = 2000
HOSTS = ("dust.tt", "eu.dust.tt")
"""The hosts, beside this machine, to which the key may be sent even if only a project file names them."""
FILE = "ini "
"""Beginning of a source's name if a file of the project sets the option."""


class _Refused(ValueError):
    """What is wrong with a value, and what is allowed."""


def _mode(text: str) -> Mode:
    if text not in list(Mode):
        raise _Refused(f"there are: {', '.join(Mode)}{did_you_mean(text, Mode)}")
    return Mode(text)


def _base_url(text: str) -> str:
    if not re.fullmatch(r"[!-~]*", text):
        raise _Refused(
            "it holds a blank, a line break or a letter outside of ASCII; "
            "give an address such as https://dust.tt"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or port == 0 or not _is_host(host):
        raise _Refused("give an address such as https://dust.tt or https://eu.dust.tt")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise _Refused("give only scheme, host, port and path; no user, query or fragment")
    if len(text) > LONGEST_URL:
        raise _Refused(f"give an address of at most {LONGEST_URL} characters")
    return text.rstrip("/")


def _is_host(host: str) -> bool:
    """Whether this is a name or an address that a request can be sent to."""
    if re.fullmatch(r"[0-9.]+|.*:.*", host):
        from ipaddress import ip_address  # 3 ms

        try:
            return "%" not in host and bool(ip_address(host))
        except ValueError:
            return False
    return len(host) < 254 and re.fullmatch(rf"{LABEL}(\.{LABEL})*\.?", host) is not None


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


def _gate_attempts(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MAX_GATE_ATTEMPTS):
        raise _Refused(f"give a whole number from 1 to {MAX_GATE_ATTEMPTS}")
    return int(text)


def _false_alarms(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_FALSE_ALARMS:
        raise _Refused(f"give a number greater than 0, at most {MAX_FALSE_ALARMS}, such as 0.05")
    return rate


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
    """The version of each app; the app "" stands for all apps that have no version of their own."""
    versions: dict[str, str] = {}
    for each in text.split(",") if text else ():
        app, given, version = each.strip().rpartition("=")
        if (given and not SEGMENT.fullmatch(app)) or not (version == LATEST or HASH.fullmatch(version)):
            raise _Refused("give 64 hex digits or latest, or APP_ID=HASH")
        if versions.setdefault(app, version.lower()) != version.lower():
            raise _Refused(f"{f'the app {app}' if app else 'every app'} is given two versions; give one")
    return versions


def _optional_folder(text: str) -> str | None:
    return text.strip() or None


def _reports(text: str) -> tuple[str, ...]:
    """The files of the reports; the suffix of each decides what it holds."""
    files = tuple(dict.fromkeys(filter(None, map(str.strip, re.split(r"[,\n]", text)))))
    for file in files:
        if PurePath(file).suffix.lower() not in REPORTS:
            raise _Refused(f"name a file that ends in {', '.join(REPORTS[:-1])} or {REPORTS[-1]}")
    return files


def _github(text: str) -> bool:
    if text not in GITHUB:
        raise _Refused(f"there are: {', '.join(GITHUB)}{did_you_mean(text, GITHUB)}")
    return text == "auto"


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
        "replay (from cassettes, offline), record (cases whose cassette is missing or does "
        "not fit), rerecord (all cases) or live (run all cases, and compare with the cassettes)",
        lasting=False,
    ),
    Option("base-url", "https://dust.tt", _base_url, "URL", "address of Dust; https://eu.dust.tt for Europe"),
    Option(
        "workspace",
        "",
        _id,
        "ID",
        "workspace, for suites that give none",
        "DUST_WORKSPACE_ID",
        may_be_empty=True,
    ),
    Option("space", "", _id, "ID", "space, for suites that give none", "DUST_SPACE_ID", may_be_empty=True),
    Option("timeout", "300", _seconds, "SECONDS", "maximum time of one run, if the suite sets none"),
    Option("concurrency", "8", _count, "N", "maximum number of live runs at the same time"),
    Option(
        "allow-http",
        "false",
        _switch,
        "",
        "let the key be sent over plain http:// to another machine",
        switch=True,
    ),
    Option(
        "on-change",
        "",
        _change,
        "WHAT",
        "result of a live case that changed since its recording: fail or report",
        lasting=False,
    ),
    Option(
        "specification-hash",
        "",
        _versions,
        "HASH",
        "run all suites live against this version of their app (64 hex digits or latest; APP_ID=HASH for one "
        "app), and compare with the recordings; may be repeated",
        many=True,
        lasting=False,
    ),
    Option(
        "gate",
        "false",
        _switch,
        "",
        "with --dust-specification-hash: run both versions of each app as often as it takes to say whether "
        "the other one is worse; that alone fails the session, not single cases",
        switch=True,
        lasting=False,
    ),
    Option(
        "gate-attempts",
        "3",
        _gate_attempts,
        "N",
        "fresh runs of each version for a case of the gate, if the suite sets none",
        lasting=False,
    ),
    Option(
        "gate-false-alarms",
        "0.05",
        _false_alarms,
        "RATE",
        "maximum share of sessions without a change in which an app's gate fails, if the suite sets none",
        lasting=False,
    ),
    Option(
        "drift",
        "false",
        _switch,
        "",
        "compare each pinned version with the one saved at Dust",
        switch=True,
        lasting=False,
    ),
    Option(
        "fresh",
        "false",
        _switch,
        "",
        "turn off the service's cache in live and recording runs",
        switch=True,
        lasting=False,
    ),
    Option("max-runs", "", _ceiling, "N", "maximum number of runs in a session", lasting=False),
    Option("max-tokens", "", _ceiling, "N", "maximum number of tokens in a session", lasting=False),
    Option(
        "diff-dir",
        "",
        _optional_folder,
        "DIR",
        "folder for the full differences from the recordings",
        lasting=False,
    ),
    Option(
        "report",
        "",
        _reports,
        "FILE",
        "write a report of the session to a file that ends in .json (the record of all cases), .html (a page "
        "for people) or .md (short, for a pull request); may be repeated",
        many=True,
        lasting=False,
    ),
    Option(
        "github",
        "auto",
        _github,
        "WHEN",
        "on GitHub Actions, write an annotation for each failed case, and a job summary: auto or off",
        lasting=False,
    ),
    Option("cassette-dir", "cassettes", _folder, "DIR", "folder of the cassettes, relative to each suite"),
    Option(
        "pending-dir",
        ".dust/pending",
        _folder,
        "DIR",
        "folder of the pending answers, relative to the rootdir; on the command line, to the working "
        "directory",
    ),
)

LISTS = {
    "dust_env": "environment variables that suites may read, besides DUST_…",
    "dust_secrets": "environment variables whose values are masked in cassettes and reports, like the key",
    "dust_redact": "names of values to mask in requests and answers, or patterns such as inputs.*.email",
}
"""Ini lists, which have no option."""


class Settings(NamedTuple):
    """The checked settings; no dataclass, as creating one would take half of the plugin's start-up."""

    mode: Mode
    base_url: str
    workspace: str | None
    space: str | None
    timeout: float
    concurrency: int
    cassette_dir: str
    pending_dir: str
    allow_http: bool
    on_change: str | None
    specification_hash: Mapping[str, str]
    gate: bool
    gate_attempts: int
    gate_false_alarms: float
    drift: bool
    fresh: bool
    max_runs: int | None
    max_tokens: int | None
    diff_dir: str | None
    report: tuple[str, ...] = ()
    github: bool = True
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    """The options on the command line that the commands in reports repeat."""
    sources: Mapping[str, str] = {}
    """By option, where it was set, such as `ini dust_mode`."""
    barred: str = ""
    """Why the key may not be sent to the base URL; empty if it may."""

    @property
    def without_runs(self) -> Settings:
        """The settings of a session that runs nothing, whatever was asked for."""
        nothing: dict[str, Any] = {"specification_hash": {}, "drift": False, "on_change": None, "gate": False}
        return self._replace(mode=Mode.REPLAY, report=(), github=False, **nothing)

    @property
    def limited(self) -> bool:
        """Whether there is a ceiling on the runs or tokens of a session."""
        return self.max_runs is not None or self.max_tokens is not None

    def only_ini(self, option: str) -> bool:
        """Whether only the ini file sets the option, which is for all sessions of the project."""
        return self.sources.get(option, "").startswith("ini ")

    def address(self, app: App) -> App:
        """An app's address, with workspace and space from the settings if the suite names none."""
        if app.workspace and app.space:
            return app
        from msgspec.structs import replace  # loaded by then, as there is an app

        return replace(app, workspace=app.workspace or self.workspace, space=app.space or self.space)

    def is_gated(self, app: str) -> bool:
        """Whether --dust-gate decides on an app, so that its single cases fail nothing."""
        return self.gate and (app in self.specification_hash or "" in self.specification_hash)

    def version_of(self, app: str, pinned: str) -> str:
        """The version of an app that runs live: that of --dust-specification-hash, else the pinned one."""
        return self.specification_hash.get(app, self.specification_hash.get("", pinned))


def resolve(
    command_line: Mapping[str, str | list[str] | None],
    environ: Mapping[str, str],
    ini: Mapping[str, str],
    lists: Mapping[str, tuple[str, ...]] | None = None,
    words: Sequence[str] | None = None,
) -> Settings:
    """The settings by precedence; raises SettingsError for a value that cannot be used.

    `words` is what the user typed; an option of `command_line` that is not in it comes from the ini file's
    `addopts`. None: all of `command_line` was typed.
    """
    values: dict[str, Any] = {}
    typed: list[str] = []
    sources: dict[str, str] = {}
    for option in OPTIONS:
        written, source = _chosen(option, command_line, environ, ini, words)
        text = written.strip()
        sources[option.name] = source
        try:
            values[option.name.replace("-", "_")] = _read(option, text, typed=source == option.flag)
        except _Refused as error:
            raise SettingsError(f'{source}: "{_shown(written)}" cannot be used; {error}') from None
        if source == option.flag and option.lasting:
            typed.append(option.flag if option.switch else f"{option.flag}={text}")
    values |= {name.removeprefix("dust_"): listed for name, listed in (lists or {}).items()}
    chosen = Settings(**values, typed=tuple(typed), sources=sources)
    if chosen.specification_hash:
        chosen = _against_versions(chosen)
    if chosen.gate:
        chosen = _with_gate(chosen)
    chosen = chosen._replace(barred=_barred(chosen))
    if chosen.barred and (chosen.mode is not Mode.REPLAY or chosen.drift):
        raise SettingsError(chosen.barred)
    return chosen


def _read(option: Option, text: str, *, typed: bool) -> Any:
    """The option's value; an empty one is refused on the command line, as an unset variable would give it."""
    if typed and not (text.strip() or option.default or option.may_be_empty):
        raise _Refused("give a value, or leave the option out")
    return option.read(text)


def _shown(text: str) -> str:
    """A value on one line, without the password of an address."""
    printable = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[:80])
    return re.sub(r"//[^/@]*@", "//…@", printable)


def _against_versions(chosen: Settings) -> Settings:
    """The settings for running other versions of apps: live, so that nothing is written."""
    if chosen.mode in (Mode.RECORD, Mode.RERECORD):
        raise SettingsError(
            f"--dust-specification-hash runs live and writes nothing; leave out --dust-mode={chosen.mode}"
        )
    return chosen._replace(mode=Mode.LIVE)


def _with_gate(chosen: Settings) -> Settings:
    """The settings for comparing two versions: the service's cache is off, as all runs must be new."""
    if chosen.specification_hash:
        return chosen._replace(fresh=True)
    if chosen.only_ini("gate"):  # for the sessions of the project that try another version
        return chosen._replace(gate=False)
    raise SettingsError(
        f"{chosen.sources['gate']} compares two versions of an app; give the other one with "
        "--dust-specification-hash=latest, or a hash"
    )


def _barred(chosen: Settings) -> str:
    """Why the key may not be sent to the base URL; empty if it may.

    A file of the project may not decide that: anyone who can change the project could get the key.
    """
    url, sources = chosen.base_url, chosen.sources
    address = urlsplit(url)
    host = address.hostname or ""
    if is_this_machine(host):
        return ""
    if host not in HOSTS and sources["base-url"].startswith(FILE):
        return (
            f"{sources['base-url']}: the API key is sent to {', '.join(HOSTS)} and this machine only, "
            f"unless you name another address yourself: --dust-base-url={url}, or export DUST_BASE_URL={url}"
        )
    ignored = chosen.allow_http and sources["allow-http"].startswith(FILE)
    if address.scheme == "https" or (chosen.allow_http and not ignored):
        return ""
    instead = f" on the command line ({sources['allow-http']} does not count)" if ignored else ""
    return (
        f"{url} is not encrypted, and the API key would be sent to it; "
        f"use https:// or, if you must, --dust-allow-http{instead}"
    )


def is_on_github(environ: Mapping[str, str]) -> bool:
    """Whether the session runs on GitHub Actions."""
    return environ.get("GITHUB_ACTIONS", "").lower() not in ("", "false", "0")


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine."""
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
    words: Sequence[str] | None,
) -> tuple[str, str]:
    """The option's text, and its source."""
    typed = command_line.get(option.name)
    if typed is not None:
        source = option.flag if words is None or _has_flag(words, option.flag) else f"{FILE}addopts"
        return typed if isinstance(typed, str) else ",".join(typed), source
    if environ.get(option.environment):
        return environ[option.environment], f"environment variable {option.environment}"
    if ini.get(option.ini):
        overridden = any(each.partition("=")[0] == option.ini for each in _overrides(words or ()))
        return ini[option.ini], f"-o {option.ini}" if overridden else f"{FILE}{option.ini}"
    return option.default, "default"


def _has_flag(words: Sequence[str], flag: str) -> bool:
    return any(word == flag or word.startswith(f"{flag}=") for word in words)


def _overrides(words: Sequence[str]) -> Iterator[str]:
    """The `name=value` of each `-o` among the words."""
    for before, word in zip(("", *words), words, strict=False):
        if before in ("-o", "--override-ini"):
            yield word
        elif word.startswith("--override-ini="):
            yield word.removeprefix("--override-ini=")
        elif word.startswith("-o"):
            yield word.removeprefix("-o").removeprefix("=")
