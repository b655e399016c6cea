"""A named set of parts that users may extend, by decorator or by entry point.

A part is a config class and a builder. Members are imported by name in their package's `__init__`; a plug-in announces
itself under the entry-point group `aurl.<kind>` and is imported only when a name is not known otherwise. What follows
a colon in a name (`miditok:REMI`) is for the part's config to read.

    OPTIMIZERS: Registry[Optimizer] = Registry("optimizers")

    class AdamWConfig(Config):
        name: Literal["adamw"] = "adamw"
        learning_rate: float = 3e-3

    @OPTIMIZERS.register(AdamWConfig)
    def build_adamw(config: AdamWConfig, parameters: ...) -> Optimizer: ...

    class TrainerConfig(Config):
        optimizer: Annotated[Config, OPTIMIZERS.field()] = AdamWConfig()

    OPTIMIZERS.build(config.optimizer, parameters)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from aurl.utils.config import Config, refusal
from aurl.utils.errors import ConfigError, UnknownNameError

T = TypeVar("T")
Builder = TypeVar("Builder", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Parts of one kind by name; `T` is what a builder returns."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, tuple[type[Config], Callable[..., T]]] = {}

    def register(self, config: type[Config]) -> Callable[[Builder], Builder]:
        """Decorate the builder (a class or a function) of the part that `config` describes by its `name` field."""
        name = config.model_fields["name"].default
        if name in self._parts:
            raise ConfigError(f"two {self.kind} have the same name", found=repr(name), hint="rename one of them")

        def add(builder: Builder) -> Builder:
            self._parts[name] = (config, builder)
            return builder

        return add

    def names(self) -> list[str]:
        """All known names, plug-ins included, sorted."""
        return sorted({*self._parts, *(e.name for e in entry_points(group=f"aurl.{self.kind}"))})

    def config_class(self, name: str) -> type[Config]:
        """The config class of the part called `name`; raises UnknownNameError with the closest name."""
        return self._part(name)[0]

    def build(self, config: Config, *args: Any, **kwargs: Any) -> T:
        """Build the part that `config` describes."""
        return self._part(config.name)[1](config, *args, **kwargs)  # type: ignore[attr-defined]

    def parse(self, value: Any) -> Config:
        """Turn a name, a mapping with a `name`, or a config into the part's validated config."""
        kind, values = self._resolve(value)
        return value if isinstance(value, Config) else kind.parse(values)

    def field(self) -> _PartField:
        """Annotation that lets a config hold any part of this registry: `Annotated[Config, REGISTRY.field()]`."""
        return _PartField(self)

    def configs(self) -> list[type[Config]]:
        """Config classes of the parts imported so far, by name."""
        return [self._parts[name][0] for name in sorted(self._parts)]

    def _resolve(self, value: Any) -> tuple[type[Config], dict[str, Any]]:
        """The config class that `value` asks for, and its parameters."""
        values = {"name": value} if isinstance(value, str) else value
        if isinstance(values, Config | Mapping):
            values = dict(values)
            if isinstance(values.get("name"), str):
                return self.config_class(values["name"].partition(":")[0]), values
        raise ConfigError(f"one of the {self.kind} needs a name", found=repr(value), hint=f"known: {self.names()}")

    def _part(self, name: str) -> tuple[type[Config], Callable[..., T]]:
        if name not in self._parts:
            for entry in entry_points(group=f"aurl.{self.kind}", name=name):
                _load_plugin(entry)
        if name not in self._parts:
            raise UnknownNameError.among(self.kind, name, self.names())
        return self._parts[name]


def _load_plugin(entry: EntryPoint) -> None:
    """Import a plug-in, which registers itself."""
    try:
        entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the plug-in {entry.value!r} cannot be imported", found=error) from error


class _PartField:
    """Pydantic annotation: parse by the registry, serialise whole, describe as one of the registered parts."""

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        parts = [handler(config.__pydantic_core_schema__) for config in self.registry.configs()]
        return {"anyOf": [*parts, {"type": "string", "enum": self.registry.names()}]}

    def _validate(self, value: Any) -> Config:
        try:
            kind, values = self.registry._resolve(value)
        except ConfigError as error:
            raise refusal(error) from error
        # A ValidationError from within gets the place of this field in front of its own.
        return value if isinstance(value, Config) else kind.model_validate(values)


def _dump(part: Config, info: core_schema.SerializationInfo) -> dict[str, Any]:
    return part.model_dump(mode=info.mode)
