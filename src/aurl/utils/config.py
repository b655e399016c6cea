"""Configuration: frozen, validated, written as YAML, joined by `extends:`, overridden by dotted keys.

A config file names its ancestors (`extends: base.yaml`, or a list, relative to the file); later files and then
overrides (`training.steps=100`) win. A part is a config below the top with a `name`, kept by a registry: written as
`optimizer: adamw` or as a mapping, and when a file or an override changes the `name`, the other parameters of the old
part are dropped. A mapping without `name` refines the default part. Unknown keys are refused with the closest known
one. `save_config` writes the resolved whole: loading it again gives an equal object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from aurl.utils.errors import ConfigError, StorageError, UnknownNameError

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every configuration: immutable, unknown keys refused, a default for each field."""

    model_config = ConfigDict(
        defer_build=True,  # a program builds the schemas of the parts that it uses
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        ser_json_inf_nan="constants",  # the default writes infinity as null
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Validate `values`; raises ConfigError naming the key, the value found and what is allowed."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _explain(cls, error.errors()[0]) from None

    def merged(self, overrides: Mapping[str, Any]) -> Self:
        """A copy with `overrides` (nested mappings) merged in and validated."""
        return self.parse(merge(self.model_dump(mode="json"), overrides))

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for key in values:
            if key not in cls.model_fields:
                hint = UnknownNameError.among("key", str(key), cls.model_fields).hint
                raise PydanticCustomError("unknown_key", "unknown key", {"key": key, "hint": hint})
        return {key: _complete(cls.model_fields[key].default, value) for key, value in values.items()}


def refusal(error: ConfigError) -> PydanticCustomError:
    """`error` in the form to which pydantic adds the place in the configuration; `Config.parse` raises it whole."""
    return PydanticCustomError("refused", "{error}", {"error": error})


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings, `over` winning; a part below the top whose `name` changes keeps no old parameters."""
    result = dict(base)
    for key, value in over.items():
        result[key] = _merge_value(result.get(key), value)
    return result


def parse_overrides(items: Iterable[str]) -> dict[str, Any]:
    """Turn `["model.width=64", "data.split=train"]` into nested mappings; values are read as YAML."""
    result: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise ConfigError("an override must look like key.sub=value", found=repr(item))
        nested = _parse_yaml(text, f"the value of {key!r}")
        for part in reversed(key.split(".")):
            nested = {part: nested}
        result = merge(result, nested)
    return result


def load_config(kind: type[C], path: Path | str | None = None, overrides: Iterable[str] = ()) -> C:
    """Read `path` with its ancestors, validate as `kind`, apply dotted `overrides`, validate again."""
    config = kind.parse(read_yaml(Path(path)) if path is not None else {})
    changes = parse_overrides(overrides)
    return config.merged(changes) if changes else config


def save_config(config: Config, path: Path | str) -> None:
    """Write the resolved configuration as YAML."""
    try:
        Path(path).write_text(dump_yaml(config), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write the configuration {path}", found=error.strerror) from None


def dump_yaml(config: Config) -> str:
    """The resolved configuration as YAML text, keys in declaration order."""
    return yaml_text(config.model_dump(mode="json"))


def yaml_text(values: Mapping[str, Any]) -> str:
    """Plain values as YAML that is read back the same; PyYAML folds Unicode's line breaks unless they are escaped."""
    breaks = {"\x85", "\u2028", "\u2029"}
    is_plain = breaks.isdisjoint(json.dumps(values, ensure_ascii=False))
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=is_plain)


def read_yaml(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read one YAML file and everything it extends into a plain nested dict; `seen` are the files that led here."""
    path = path.resolve()
    seen = (*seen, path)
    if path in seen[:-1]:
        raise ConfigError("configuration files extend each other in a circle", found=" -> ".join(map(str, seen)))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}", found=error.strerror) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", found=str(error)) from None
    values = _parse_yaml(text, str(path))
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a mapping", found=type(values).__name__)
    merged: dict[str, Any] = {}
    for parent in _parents(path, values.pop("extends", [])):
        merged = merge(merged, read_yaml(path.parent / parent, seen))
    return merge(merged, values)


def _parents(path: Path, value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"`extends` in {path} must be a file name or a list of them", found=repr(value))
    return names


def _merge_value(old: Any, new: Any) -> Any:
    """One value of `merge`; text beside a part's mapping is that part's name."""
    if isinstance(old, Mapping) and "name" in old and isinstance(new, str):
        new = {"name": new}
    elif isinstance(old, str) and isinstance(new, Mapping):
        old = {"name": old}
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    if "name" in old and new.get("name", old["name"]) != old["name"]:
        return new
    return merge(old, new)


def _complete(default: Any, value: Any) -> Any:
    """`value` with the fields of `default` where it is a mapping meant to refine a default part."""
    if isinstance(default, Config) and "name" in type(default).model_fields and isinstance(value, Mapping):
        return value if "name" in value else {**dict(default), **value}
    return value


class _Loader(yaml.SafeLoader):
    """YAML as `safe_load` reads it, save that 1e-3 is a number, as in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _parse_yaml(text: str, what: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-99-99 looks like a date
        raise ConfigError(f"{what} is not valid YAML", found=" ".join(str(error).split())) from None


def _explain(kind: type[Config], error: ErrorDetails) -> ConfigError:
    """One validation error as one sentence."""
    where = ".".join(map(str, error["loc"]))
    context = error.get("ctx", {})
    if error["type"] == "unknown_key":
        key = ".".join(map(str, [*error["loc"], context["key"]]))
        return UnknownNameError("unknown key", found=repr(key), hint=context["hint"])
    cause = context.get("error")
    if isinstance(cause, ConfigError):
        return type(cause)(f"{where}: {cause.problem}", found=cause.found, hint=cause.hint)
    problem = str(cause) if isinstance(cause, ValueError) else error["msg"]
    found = None if error["type"] == "missing" or not where else repr(error["input"])
    return ConfigError(f"{where or kind.__name__}: {problem}", found=found)
