"""The pages form one site, and also read well as files."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from doc_pages import PAGES, PROJECT, fences, headings, links, text

CONFIG = yaml.load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
DOCS = [page for page in PAGES if page != "README"]


def in_navigation(entries: list) -> list[str]:
    """Return the pages of the navigation, from top to bottom."""
    values = [value for entry in entries for value in entry.values()]
    return [
        name for value in values for name in (in_navigation(value) if isinstance(value, list) else [value])
    ]


def test_the_navigation_has_every_page_once():
    """Each page of docs/ is one entry of the navigation."""
    assert sorted(in_navigation(CONFIG["nav"])) == sorted(f"{page}.md" for page in DOCS)


def test_the_site_loads_nothing_from_elsewhere():
    """The site opens from disk: no font of Google's, links with file names, search without a server."""
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["use_directory_urls"] is False
    assert {"search", "offline"} <= set(CONFIG["plugins"])
    assert [url for url in CONFIG["extra"]["polyfills"] if not (PROJECT / "docs" / url).is_file()] == []
    assert CONFIG["strict"] is True
    assert not {"site_url", "repo_url", "extra_javascript", "extra_css"} & set(CONFIG)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Every file that a page links to exists, and every heading."""
    for target in links(page):
        name, _, heading = target.partition("#")
        path = PAGES[page].parent / name
        assert not name or path.is_file(), target
        assert page == "README" or path.resolve().is_relative_to(PROJECT / "docs"), target
        if heading:
            assert heading in headings(path.stem if name else page), target


@pytest.mark.parametrize("page", DOCS)
def test_a_page_begins_with_what_it_answers(page):
    """A page has one title, and then a sentence."""
    first, _, rest = text(page).partition("\n\n")
    assert re.fullmatch("# .+", first)
    assert (
        len(
            re.findall(
                r"^# ",
                re.sub(r"^ *```.*?^ *```", "", text(page), flags=re.DOTALL | re.MULTILINE),
                re.MULTILINE,
            )
        )
        == 1
    )
    assert re.match(r"\w[^|#`]*[.:]", rest), "say in one sentence what the page answers"


def commands() -> list[tuple[str, str]]:
    """Return the pytest commands in the running text, with their pages."""
    return sorted(
        {(page, words) for page in PAGES for words in re.findall(r"`(pytest [^`]*--[^`]+)`", text(page))}
    )


@pytest.mark.parametrize(("page", "words"), commands())
def test_commands_in_the_text_are_ones_that_pytest_takes(project, page, words):
    """Every pytest command in the text has options that exist."""
    shown = [word for word in shlex.split(words.split(">")[0])[1:] if word.startswith("-")]
    assert "unrecognized arguments" not in project.run("--help", *shown).err, page


def test_suites_shown_are_the_example_files():
    """A suite that a page says is a file is that file, letter by letter."""
    named = re.findall(r"This is\s+`(example_suites/[^`]+)`", text("suites"))
    assert len(named) == 2
    shown = [fence.text for fence in fences("suites") if fence.language == "yaml"]
    assert [name for name in named if (PROJECT / name).read_text(encoding="utf-8") not in shown] == []
