"""Chromium from the system, driven by Playwright; what needs it is skipped where there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

# As root, Chromium's own sandbox cannot be.
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]


@pytest.fixture
def chromium() -> str:
    """The program; the test is skipped if it or Playwright is not there."""
    pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium (apt install chromium, or set $CHROMIUM)")
    return found


@pytest.fixture
async def site() -> AsyncIterator[int]:
    """The port of a web site with one empty page, on all names of this machine."""

    async def show(_: web.BaseRequest) -> web.Response:
        return web.Response(text="<h1>engine</h1>", content_type="text/html")

    runner = web.ServerRunner(web.Server(show))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def open_page(chromium: str) -> AsyncIterator[Callable[..., Any]]:
    """Open a page: `await open_page(url, *arguments of the browser)`."""
    from playwright.async_api import async_playwright

    async with contextlib.AsyncExitStack() as stack:
        driver = await stack.enter_async_context(async_playwright())

        async def opened(url: str, *arguments: str) -> Any:
            browser = await driver.chromium.launch(
                executable_path=chromium, args=[*ARGUMENTS, *arguments]
            )
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            await page.goto(url)
            return page

        yield opened


@pytest.fixture
async def open_extension(chromium: str) -> AsyncIterator[Callable[..., Any]]:
    """Open a page of an extension: `await open_extension(home, directory, url)`.

    The browser's user is new, and at home in `home`.
    """
    from playwright.async_api import async_playwright

    async with contextlib.AsyncExitStack() as stack:
        driver = await stack.enter_async_context(async_playwright())

        async def opened(home: Path, directory: Path, url: str, **environment: str) -> Any:
            context = await driver.chromium.launch_persistent_context(
                home / ".config" / "chromium",
                executable_path=chromium,
                args=[
                    *ARGUMENTS,
                    f"--disable-extensions-except={directory}",
                    f"--load-extension={directory}",
                ],
                ignore_default_args=["--disable-extensions"],
                env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": "", **environment},
            )
            stack.push_async_callback(context.close)
            page = await context.new_page()
            await page.goto(url)
            return page

        yield opened
