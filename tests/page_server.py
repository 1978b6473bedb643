"""The real page in a process of its own, and a browser to look at it, for the tests that drive it."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.conftest import ROOT

__all__ = ["BROWSER", "ask", "find_chromium", "home_with", "open_browser", "open_document", "open_tab",
           "serve_page", "show", "upload", "watched_tab"]  # fmt: skip

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
WAIT = 120_000  # milliseconds; the machine may be busy with other things


def find_chromium():
    """Debian's browser; Playwright's own download is out of reach."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def serve_page(home, *flags):
    """`python -m ui` over `home` on a free port; `.url` is where it answers, `.said` what it told on the way."""
    command = [sys.executable, "-m", "ui", "--home", str(home), "--port", "0", *flags]
    environ = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with (home.parent / f"{home.name}.log").open("w+") as log:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=log, text=True, cwd=ROOT, env=environ)
        process.said = ""
        try:
            while "Frontdesk is at" not in process.said:
                line = process.stderr.readline()
                assert line, process.said
                process.said += line
            process.url = process.said.split("Frontdesk is at ")[1].strip()
            yield process
        finally:
            process.terminate()
            process.said += process.communicate(timeout=30)[1]


@contextmanager
def open_browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def open_tab(browser, url, width=1280, height=900):
    """The page in a visitor's own session; `.faults` are what its console and its network complained about."""
    context = browser.new_context(viewport={"width": width, "height": height})
    tab = context.new_page()
    tab.set_default_timeout(WAIT)
    tab.faults, tab.hosts = [], set()
    tab.on("console", lambda message: message.type == "error" and tab.faults.append(message.text))
    tab.on("pageerror", lambda error: tab.faults.append(str(error)))
    tab.on("request", lambda request: tab.hosts.add(request.url.split("/")[2] if "://" in request.url else ""))
    tab.goto(url)
    tab.wait_for_selector("#question textarea")
    yield tab
    context.close()


BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed"),
]


@contextmanager
def watched_tab(browser, url, **size):
    """`open_tab`, after which nothing was complained about and no other host was called."""
    with open_tab(browser, url, **size) as tab:
        yield tab
        assert tab.faults == []
        assert tab.hosts == {url.removeprefix("http://")}


def home_with(prepared_base, place):
    """A home folder that has the prepared base already."""
    home = place / "home"
    home.mkdir()
    (home / "models").symlink_to(prepared_base.path.parent)
    return home


def ask(tab, question):
    """Type a question and wait until the whole answer is there; returns its text."""
    before = tab.locator("#chat .bot .said").count()
    tab.fill("#question textarea", question)
    tab.press("#question textarea", "Enter")
    tab.wait_for_function("n => document.querySelectorAll('#chat .bot .said').length > n", arg=before)
    tab.wait_for_function("() => document.querySelector('#status').innerText.includes(' s')")
    tab.wait_for_selector("#question textarea:enabled")
    return tab.locator("#chat .bot .said").last.inner_text()


def show(tab, name, selector):
    """Go to a tab of the page and wait for what it shows."""
    tab.get_by_role("tab", name=name, exact=True).click()
    tab.wait_for_selector(f"{selector} >> visible=true")


def upload(tab, tmp_path, **files):
    """Drop files and wait for their results; returns the table's text."""
    paths = []
    for name, content in files.items():
        paths.append(tmp_path / name.replace("__", "."))
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    show(tab, "Documents", "#files")
    tab.evaluate("() => document.querySelector('#results .table')?.setAttribute('data-old', '')")
    tab.set_input_files("#files input[type=file]", paths)
    tab.wait_for_selector("#results .table.results:not([data-old])")
    return tab.locator("#results").inner_text()


def open_document(tab, title):
    """Open a document of the list; returns what its head says."""
    show(tab, "Documents", "#documents")
    tab.locator("#documents button", has_text=title).first.click()
    tab.wait_for_selector("#timeline .lane >> visible=true")
    return tab.locator("#head").inner_text()
