from __future__ import annotations

import sys

import pytest

from millstream.sandbox.preloading import preload


@pytest.fixture
def package(tmp_path, monkeypatch):
    directory = tmp_path / "a_package_to_preload"
    (directory / "within").mkdir(parents=True)
    for name in ("__init__", "one", "within/__init__", "within/two"):
        (directory / f"{name}.py").write_text("")
    (directory / "other_system.py").write_text("raise ImportError")
    (directory / "__main__.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)
    yield directory.name
    for name in [name for name in sys.modules if name.startswith(directory.name)]:
        del sys.modules[name]


def test_all_modules_of_a_package(package):
    preload([package])
    loaded = {name for name in sys.modules if name.startswith(package)}
    assert loaded == {package} | {f"{package}.{name}" for name in ("one", "within", "within.two")}


def test_a_module_that_is_none_is_a_mistake():
    with pytest.raises(ImportError):
        preload(["millstream.no_such_module"])


def test_what_the_standard_library_imports_late():
    preload([])
    assert {"encodings.idna", "concurrent.futures.thread"} <= set(sys.modules)
