"""What the README shows runs as it stands there."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import millstream
from millstream.testing.content import single_file_torrent

README = Path(__file__).parents[2] / "README.md"


async def test_the_librarys_example_downloads(tmp_path):
    content = bytes(range(256)) * 4096
    (tmp_path / "album.torrent").write_bytes(single_file_torrent("album", content, 65536))
    seed_folder = tmp_path / "seed"
    seed_folder.mkdir()
    (seed_folder / "album").write_bytes(content)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    config = millstream.EngineConfig(network=millstream.NetworkConfig(listen_hosts=("127.0.0.1",)))
    async with millstream.create_native_engine(config, save_path=seed_folder) as engine:
        torrent = await engine.add(tmp_path / "album.torrent")
        await torrent.wait_complete()
        assert "127.0.0.1:6881" in example
        script = example.replace("127.0.0.1:6881", f"127.0.0.1:{engine.listen_port}")
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "100%" in done.stdout
    assert (tmp_path / "downloads" / "album").read_bytes() == content


def test_every_local_link_leads_somewhere():
    for page in [README, *README.parent.glob("docs/**/*.md"), README.parent / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
