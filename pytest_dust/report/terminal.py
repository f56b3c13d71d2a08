"""What a report's lines look like on pytest's terminal."""

from __future__ import annotations

from pytest_dust.characters import safe


def safe_lines(text: str) -> str:
    """The text with each of its lines safe to print."""
    if text.isascii() and text.isprintable() and "::" not in text and "##[" not in text:
        return text  # most texts, in a tenth of the time
    return "\n".join(inert(safe(line)) for line in text.split("\n"))


def inert(line: str) -> str:
    """The line, so that GitHub Actions does not take it for a command: `::…` at its start, `##[` anywhere."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", "\\u003a:", 1)
    return line.replace("##[", "\\u0023#[")


def markup(line: str) -> dict[str, bool]:
    """The colours of a line of the report."""
    if line.startswith("    expected "):
        return {"green": True}
    if line.startswith("    actual "):
        return {"red": True}
    if "it begins in " in line:
        return {"bold": True}
    return {}
