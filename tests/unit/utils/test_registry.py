from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Literal

import pytest

from aurl.utils import registry as module
from aurl.utils.config import Config
from aurl.utils.errors import ConfigError, UnknownNameError
from aurl.utils.registry import Registry


class EchoConfig(Config):
    name: Literal["echo"] = "echo"
    times: int = 1


class LateConfig(Config):
    name: Literal["late"] = "late"


@pytest.fixture
def echoes() -> Registry[str]:
    registry: Registry[str] = Registry("echoes")

    @registry.register(EchoConfig)
    def build_echo(config: EchoConfig, text: str, *, end: str = "") -> str:
        return text * config.times + end

    return registry


@pytest.fixture
def plugin(monkeypatch):
    """Announce entry points; gives the function that does so and the names that were asked to load."""
    loaded: list[str] = []

    class Spy(EntryPoint):
        def load(self):
            loaded.append(self.name)
            return super().load()

    def announce(**values: str) -> list[str]:
        entries = [Spy(name, value, "aurl.echoes") for name, value in values.items()]

        def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
            return [e for e in entries if e.group == group and name in (None, e.name)]

        monkeypatch.setattr(module, "entry_points", entry_points)
        return loaded

    return announce


def test_builds_from_a_config_with_arguments(echoes):
    assert echoes.build(EchoConfig(times=2), "ha", end="!") == "haha!"


@pytest.mark.parametrize("value", ["echo", {"name": "echo"}, EchoConfig()])
def test_parses_names_mappings_and_configs(echoes, value):
    assert echoes.parse(value) == EchoConfig()


def test_parse_names_a_bad_parameter(echoes):
    with pytest.raises(UnknownNameError, match="did you mean 'times'"):
        echoes.parse({"name": "echo", "time": 2})


def test_two_parts_cannot_share_a_name(echoes):
    with pytest.raises(ConfigError, match="two echoes have the same name; found: 'echo'"):
        echoes.register(EchoConfig)


def test_builder_is_returned_unchanged():
    class Part:
        def __init__(self, config: EchoConfig) -> None:
            self.config = config

    parts: Registry[Part] = Registry("parts")
    assert parts.register(EchoConfig)(Part) is Part
    assert parts.config_class("echo") is EchoConfig


def test_unknown_name_suggests_the_closest(echoes):
    with pytest.raises(UnknownNameError, match="unknown echoes; found: 'ecko'; did you mean 'echo'"):
        echoes.config_class("ecko")


def test_config_of_another_registry_is_refused(echoes):
    with pytest.raises(UnknownNameError, match="found: 'late'"):
        echoes.parse(LateConfig())


def test_plugin_is_imported_only_when_its_name_is_needed(echoes, plugin, tmp_path, monkeypatch):
    (tmp_path / "late_echo.py").write_text("import builtins\nbuiltins.register_late_echo()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "builtins.register_late_echo", lambda: echoes.register(LateConfig)(lambda config: "late"), raising=False
    )
    loaded = plugin(late="late_echo")
    assert echoes.names() == ["echo", "late"]
    assert echoes.build(EchoConfig(), "a") == "a"
    assert loaded == []
    assert echoes.build(echoes.parse("late")) == "late"
    assert loaded == ["late"]
    sys.modules.pop("late_echo")


def test_plugin_that_cannot_be_imported_is_named(echoes, plugin):
    plugin(broken="no_such_module_at_all")
    with pytest.raises(ConfigError, match="the plug-in 'no_such_module_at_all' cannot be imported"):
        echoes.config_class("broken")


def test_plugins_are_named_among_the_known(echoes, plugin):
    plugin(brokem="no_such_module_at_all")
    with pytest.raises(UnknownNameError, match="did you mean 'brokem'"):
        echoes.config_class("broken")
