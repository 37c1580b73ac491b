"""The native host as Chromium starts it for an extension: from `install` to a file on the disk."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

RUN = """async () => {
    const port = chrome.runtime.connectNative('com.jstorrent.native');
    const waiting = new Map();
    let count = 0;
    const ended = new Promise((_, fail) => port.onDisconnect.addListener(
        () => fail(new Error(chrome.runtime.lastError?.message ?? 'it hung up'))));
    port.onMessage.addListener(answer => waiting.get(answer.id)(answer));
    const ask = (op, fields) => Promise.race([ended, new Promise(answered => {
        waiting.set(String(++count), answered);
        port.postMessage({id: String(count), op, ...fields});
    })]);
    const hello = await ask('handshake', {extensionId: chrome.runtime.id, installId: 'this one'});
    const other = await ask('handshake', {extensionId: 'another', installId: 'this one'});
    const {root} = (await ask('pickDownloadDirectory')).payload;
    const path = new TextEncoder().encode('a..b/é #?%');
    const answer = await fetch(`http://127.0.0.1:${hello.payload.port}/write/${root.key}`, {
        method: 'POST',
        headers: {
            'X-JST-Auth': hello.payload.token,
            'X-Path-Base64': btoa(String.fromCharCode(...path)),
        },
        body: 'every byte',
    });
    const outside = await ask('openFile', {rootKey: root.key, path: '../secret'});
    const big = await ask('openFile', {rootKey: root.key, path: 'x'.repeat(8 << 20)});
    port.disconnect();
    return {other: other.error, status: answer.status, outside: outside.error, big: big.error};
}"""


@pytest.fixture
def extension(tmp_path):
    """An extension's directory, and its id, which follows from the key in its manifest."""
    directory = tmp_path / "extension"
    directory.mkdir()
    public = rsa.generate_private_key(65537, 2048).public_key()
    key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digits = hashlib.sha256(key).hexdigest()[:32]
    manifest = {
        "manifest_version": 3,
        "name": "Test",
        "version": "1",
        "key": base64.b64encode(key).decode(),
        "permissions": ["nativeMessaging"],
        "background": {"service_worker": "worker.js"},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "worker.js").write_text("")
    (directory / "page.html").write_text("<h1>Test</h1>")
    return directory, "".join(chr(ord("a") + int(digit, 16)) for digit in digits)


def install(home, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "native-host", "install", *arguments],
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Installed for Chromium" in done.stdout


async def test_an_extension_is_lent_a_folder(open_extension, extension, tmp_path):
    directory, extension_id = extension
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"")
    install(home, "--browser", "chromium", "--extension-id", extension_id)
    url = f"chrome-extension://{extension_id}/page.html"
    page = await open_extension(home, directory, url, MILLSTREAM_PICK_FOLDER=str(folder))
    told = await page.evaluate(RUN)
    assert "browser says" in told["other"]
    assert told["status"] == 200
    assert (folder / "a..b" / "é #?%").read_bytes() == b"every byte"
    assert "'../secret'" in told["outside"]
    assert "4096" in told["big"]


async def test_another_extension_does_not_reach_it(open_extension, extension, tmp_path):
    directory, extension_id = extension
    home = tmp_path / "home"
    home.mkdir()
    install(home, "--browser", "chromium", "--extension-id", "a" * 32)
    page = await open_extension(home, directory, f"chrome-extension://{extension_id}/page.html")
    from playwright.async_api import Error

    with pytest.raises(Error, match="forbidden"):
        await page.evaluate(RUN)
