#!/usr/bin/env python3
"""The site that `make site` built, read as a browser reads it: no link leads nowhere, nothing is loaded from elsewhere, and no page
says anything on the console of a headless Chromium. KARPCTL_KEEP_PICTURES, a folder, keeps a picture of a page.
"""

import html.parser
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

BOOK = pathlib.Path(__file__).resolve().parents[2] / "target/book"


class Page(html.parser.HTMLParser):
    """The anchors of a page, where it links to, and what it loads."""

    def __init__(self, file):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag in ("link", "script", "img", "source"):
            self.loads += [given[name] for name in ("href", "src") if given.get(name)]


def links():
    pages = {file: Page(file) for file in BOOK.rglob("*.html")}
    followed = 0
    for file, page in pages.items():
        for target in page.links + page.loads:
            url = urllib.parse.urlsplit(target)
            if url.scheme in ("http", "https", "data", "javascript"):
                assert target in page.links or url.scheme == "data", f"{file.name} loads {target}"
                continue
            to = file if not url.path else (file.parent / urllib.parse.unquote(url.path)).resolve()
            to = to / "index.html" if to.is_dir() else to
            # The page for what is not there is served from anywhere, and so names its files from the root.
            if file.name == "404.html":
                continue
            assert to.is_file(), f"{file.name}: {target} leads nowhere"
            if url.fragment and to in pages:
                assert urllib.parse.unquote(url.fragment) in pages[to].anchors, f"{file.name}: there is no {target}"
            followed += 1
    print(f"site: {len(pages)} pages, {followed} links and files are there")


def browser():
    if not shutil.which("chromium"):
        assert "CI" not in os.environ, "there is no chromium"
        print("\nSKIPPED, NOTHING TESTED: there is no chromium: `make lab` installs it\n", file=sys.stderr)
        return
    kept = os.environ.get("KARPCTL_KEEP_PICTURES")
    pages = sorted(file for file in BOOK.glob("*.html") if file.name not in ("404.html", "toc.html"))
    for file in pages:
        with tempfile.TemporaryDirectory() as profile:
            picture = pathlib.Path(kept or profile) / f"{file.stem}.png"
            ended = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-logging=stderr",
                 f"--user-data-dir={profile}", "--window-size=1200,1600", f"--screenshot={picture}", file.as_uri()],
                capture_output=True, text=True, timeout=120)
            said = [line for line in ended.stderr.splitlines() if ":CONSOLE" in line]
            assert ended.returncode == 0 and picture.stat().st_size > 10_000 and not said, (file.name, said, ended.stderr[-2000:])
    print(f"site: {len(pages)} pages are shown, and none of them says anything on the console")


links()
browser()
