#!/usr/bin/env python3
"""The page of `--report` by keyboard: Tab is pressed in a headless Chromium from the first link to the last.

Every link and every step is reached, in the order in which the page has them, and looks otherwise where the focus is on it.
"""

import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

from empty_account import Account

LONGEST = 60  # seconds for one answer
ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl")).resolve()
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--window-size=1100,900", "--remote-debugging-pipe"]
KEYS = {"Tab": {"windowsVirtualKeyCode": 9}, "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"}}
# The place of the element that has the focus among all that can be followed or opened; where it is on the page.
FOCUSED = """(() => {
  const element = document.activeElement, box = element.getBoundingClientRect(), edge = 8;
  return {
    place: [...document.querySelectorAll('a[href], summary')].indexOf(element), name: element.outerHTML.slice(0, 120),
    clip: {x: Math.max(0, box.x - edge), y: Math.max(0, box.y + scrollY - edge), width: box.width + 2 * edge, height: box.height + 2 * edge, scale: 1},
    inView: box.bottom > 0 && box.top < innerHeight,
  };
})()"""


class Browser:
    """A Chromium that shows one page, driven over a pair of pipes."""

    def __init__(self, folder, text):
        page, profile = folder / "page.html", folder / "profile"
        page.write_text(text)
        reads, self.commands = os.pipe()
        self.answers, writes = os.pipe()
        # Chromium reads from 3 and writes to 4, whatever numbers the pipes have here.
        high = [os.dup(reads), os.dup(writes)]
        wired = f'exec "$@" 3<&{high[0]} 4>&{high[1]}'
        argv = ["bash", "-c", wired, "bash", *CHROMIUM, f"--user-data-dir={profile}", page.as_uri()]
        self.program = subprocess.Popen(argv, pass_fds=high, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (reads, writes, *high):
            os.close(end)
        self.unread, self.asked, self.session = b"", 0, None
        pages = lambda: [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.until(pages, "a page")
        self.session = self.ask("Target.attachToTarget", targetId=pages()[0]["targetId"], flatten=True)["sessionId"]
        self.until(lambda: self.js("location.protocol + document.readyState") == "file:complete", "the page as a whole")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session = None
        self.ask("Browser.close")
        self.program.wait(60)
        os.close(self.commands)
        os.close(self.answers)

    def until(self, there, what):
        end = time.monotonic() + LONGEST
        while not there():
            assert time.monotonic() < end, f"chromium does not show {what}"
            time.sleep(0.05)

    def ask(self, method, **params):
        self.asked += 1
        message = {"id": self.asked, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.unread:
                assert select.select([self.answers], [], [], LONGEST)[0], f"chromium does not answer {method}"
                part = os.read(self.answers, 1 << 20)
                assert part, "chromium ended"
                self.unread += part
            said, _, self.unread = self.unread.partition(b"\0")
            said = json.loads(said)
            if said.get("id") == self.asked:
                assert "error" not in said, (method, said)
                return said["result"]

    def js(self, expression):
        said = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def press(self, key):
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **KEYS[key])
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=KEYS[key]["windowsVirtualKeyCode"])

    def picture(self, clip):
        """A part of the page, once it is drawn to the end: two pictures of it are the same."""
        pictures = [None]
        while len(pictures) < 20:
            pictures.append(self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])
            if pictures[-1] == pictures[-2]:
                return pictures[-1]
        raise AssertionError(f"the page does not come to rest at {clip}")


def tabbed(browser):
    """The places that Tab reaches, one after the other, until it leaves the page."""
    reached = []
    while True:
        browser.press("Tab")
        focused = browser.js(FOCUSED)
        if focused["place"] < 0:
            assert focused["name"].startswith("<body"), f"the focus is on what leads nowhere: {focused['name']}"
            return reached
        assert focused["inView"], f"the focus is out of sight: {focused['name']}"
        with_focus = browser.picture(focused["clip"])
        # The next Tab goes on from here nevertheless.
        browser.js("document.activeElement.blur()")
        assert with_focus != browser.picture(focused["clip"]), f"nothing shows that the focus is here: {focused['name']}"
        reached.append(focused["place"])


def pressed(browser):
    """Enter on the first link leads past the other links above the content; Enter on a step opens and closes it."""
    for key in ("Tab", "Enter", "Tab"):
        browser.press(key)
    assert browser.js("document.activeElement.closest('main') !== null"), browser.js(FOCUSED)["name"]
    while browser.js("document.activeElement.tagName") != "SUMMARY":
        browser.press("Tab")
    was_open = browser.js("document.activeElement.parentElement.open")
    for expected in (not was_open, was_open):
        browser.press("Enter")
        assert browser.js("document.activeElement.parentElement.open") == expected, browser.js(FOCUSED)["name"]


def written(folder):
    """The page of a run whose steps are done, fail, and never run."""
    account = Account(folder)
    words = ["bootstrap", "--cluster-name", "demo", "--yes", "--report", "report.html"]
    ended = subprocess.run([KARPCTL, *words], env=account.env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    account.close()
    assert ended.returncode == 1, ended
    return (folder / "report.html").read_text()


def main():
    if not shutil.which("chromium"):
        assert "CI" not in os.environ, "there is no chromium"
        print("\nSKIPPED, NOTHING TESTED: there is no chromium: `make lab` installs it\n", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text = written(folder)
        with Browser(folder, text) as browser:
            links, steps = (browser.js(f"document.querySelectorAll('{what}').length") for what in ("a[href]", "summary"))
            assert links > 20 and steps > 5, text
            reached = tabbed(browser)
            assert reached == list(range(links + steps)), f"of {links + steps} these are reached: {reached}"
            pressed(browser)
        # Of a page that hides where the focus is, that is said.
        with Browser(folder, text.replace("</style>", "a:focus { outline:none !important }</style>")) as browser:
            try:
                tabbed(browser)
            except AssertionError as e:
                assert "nothing shows that the focus is here" in str(e), e
            else:
                raise AssertionError("a focus that nothing shows is not found out")
    print(f"report page: {links} links and {steps} steps are reached by Tab, each shows the focus, and Enter follows and opens")


if __name__ == "__main__":
    main()
