"""Any settings file, any tables and any variables: a configuration, or an error that names them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.engine.config import EngineConfig
from millstream.errors import ConfigError
from millstream.settings.catalogue import ANY, all_settings, build, find_setting
from millstream.settings.loading import load, load_settings
from millstream.settings.sources import from_tables
from millstream.settings.values import to_toml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 1024, 1 << 20, 10**400, "none", "prefer", "full"])
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
# Tables that the user names are called `a`.
SETTINGS = st.sampled_from(
    [
        find_setting(tuple("a" if name == ANY else name for name in setting.path))
        for setting in all_settings()
    ]
)
VARIABLES = st.sampled_from([setting for setting in all_settings() if setting.variable])


def outcome(act):
    """What it gives, or else what its one error says; any other error is a bug."""
    try:
        return act(), ""
    except ConfigError as error:
        return None, str(error)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("settings") / "settings.toml"


@given(data=st.binary(max_size=200))
def test_any_bytes(file, data):
    file.write_bytes(data)
    config, error = outcome(lambda: load_settings(file, {}))
    assert isinstance(config, EngineConfig) or error.startswith(f"{file}: ")


@given(text=st.text(alphabet="[]{}='\"\n.,#-_0123456789abcdefilmnorstw", max_size=80))
def test_anything_like_toml(file, text):
    file.write_text(text)
    config, error = outcome(lambda: load_settings(file, {}))
    assert isinstance(config, EngineConfig) or error.startswith(f"{file}: ")


@given(setting=SETTINGS, raw=VALUES)
def test_any_value_of_any_setting(setting, raw):
    tables = raw
    for name in reversed(setting.path):
        tables = {name: tables}
    values, error = outcome(lambda: list(from_tables(tables, "file")))
    if error:
        assert setting.key in error
        assert setting.expected in error
        return
    [value] = values
    others = {}
    if setting.path[:2] == ("limits", "schedule"):
        others = {("limits", "schedule", name): 0 for name in ("begin", "end")}
    if setting.path[0] == "watch":
        others = {("watch", "a", "folder"): "/watched"}
    built, error = outcome(lambda: build({**others, value.path: value.value}))
    if error:
        # Of the right type, and no path, URL or template.
        assert setting.path[0] in {"watch", "hooks", "webhooks", "log"}, error
    else:
        assert setting.of(built) == value.value


@given(
    tables=st.dictionaries(
        st.sampled_from(["network", "limits", "seed", "watch", "hooks", "x"]), VALUES
    )
)
def test_any_tables(tables):
    _, error = outcome(lambda: list(from_tables(tables, "file")))
    assert len(error) < 500


@given(setting=VARIABLES, text=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_variable(file, setting, text):
    file.write_text("")
    loaded, error = outcome(lambda: load(file, {setting.variable: text}))
    if error:
        assert error.startswith(f"{setting.variable}: ")
    else:
        assert to_toml(setting.of(loaded.settings))
