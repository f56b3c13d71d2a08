"""Write docs/images/report.png, a picture of the HTML report: `python docs/picture.py`.

It tries the edited version of the example app on a copy of its suites. It needs Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
PICTURE = PROJECT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1080, 800
APP = "9f1d3b5a7c"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def report(folder: Path) -> Path:
    """Return the report of a session in which the app changed."""
    sys.path.insert(0, str(PROJECT))
    from example_suites.dust_server import DustServer

    suites = shutil.copytree(PROJECT / "example_suites" / "support", folder / "support")
    with DustServer(0) as server:
        server.save_edited(APP)
        environ = {
            **os.environ,
            "DUST_BASE_URL": server.base_url,
            "DUST_API_KEY": server.api_key,
            "DUST_WORKSPACE_ID": server.workspace,
            "DUST_SPACE_ID": server.space,
        }
        options = ["--dust-specification-hash=latest", "--dust-report=report.html"]
        subprocess.run([sys.executable, "-m", "pytest", "-q", *options], cwd=suites, env=environ, check=False)
    return suites / "report.html"


def photograph(page: Path, picture: Path) -> None:
    """Write a picture of the page, with its first case open."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        photograph(report(Path(name)), PICTURE)
