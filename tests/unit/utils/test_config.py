from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from aurl.utils.config import Config, dump_yaml, load_config, merge, parse_overrides, read_yaml, save_config
from aurl.utils.errors import ConfigError, StorageError, UnknownNameError
from aurl.utils.registry import Registry

SHAPES: Registry[object] = Registry("test_shapes")


class CircleConfig(Config):
    name: Literal["circle"] = "circle"
    radius: float = 1.0
    """Half the way across."""
    centre: Path = Path("origin")


class SquareConfig(Config):
    name: Literal["square"] = "square"
    side: float = Field(1.0, gt=0)


SHAPES.register(CircleConfig)(lambda config: config)
SHAPES.register(SquareConfig)(lambda config: config)


class Inner(Config):
    width: int = Field(8, ge=1, le=64)
    shape: Annotated[Config, SHAPES.field()] = CircleConfig(radius=2.0)

    @model_validator(mode="after")
    def _check(self):
        if self.width == 13:
            raise ConfigError("a width of 13 brings bad luck")
        if self.width == 17:
            raise ValueError("17 does too")
        return self


class Outer(Config):
    name: str = "run"
    rate: float = 0.1
    folder: Path = Path("runs")
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = Inner()
    others: tuple[Inner, ...] = ()
    maybe: Inner | None = None


class Required(Config):
    value: int


def parse(**values) -> Outer:
    return Outer.parse(values)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


outers = st.builds(
    Outer,
    name=st.text(),
    rate=st.floats(allow_nan=False),
    folder=st.sampled_from([Path("a"), Path("b/ü")]),
    sizes=st.lists(st.integers(), max_size=4).map(tuple),
    inner=st.builds(
        Inner,
        width=st.sampled_from([1, 8, 64]),
        shape=st.one_of(
            st.builds(CircleConfig, radius=st.floats(allow_nan=False)),
            st.builds(SquareConfig, side=st.floats(min_value=1e-300, exclude_min=True)),
        ),
    ),
)


@given(outers)
@example(Outer(name="line\x85break"))
def test_saved_config_rebuilds_an_equal_one(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    save_config(config, path)
    assert load_config(Outer, path) == config


@given(outers)
def test_yaml_of_a_config_is_plain(config):
    assert Outer.parse(yaml.safe_load(dump_yaml(config))) == config


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Outer().rate = 1.0


@pytest.mark.parametrize(
    ("values", "key", "close"),
    [
        ({"rat": 1}, "'rat'", "'rate'"),
        ({"inner": {"widht": 1}}, "'inner.widht'", "'width'"),
        ({"inner": {"shape": {"name": "circle", "radios": 1}}}, "'inner.shape.radios'", "'radius'"),
        ({"inner": {"shape": {"radios": 1}}}, "'inner.shape.radios'", "'radius'"),
        ({"others": [{}, {"with": 1}]}, "'others.1.with'", "'width'"),
        ({"maybe": {"shap": 1}}, "'maybe.shap'", "'shape'"),
    ],
)
def test_unknown_key_is_refused_with_its_path_and_the_closest_one(values, key, close):
    with pytest.raises(UnknownNameError) as caught:
        Outer.parse(values)
    assert str(caught.value) == f"unknown key; found: {key}; did you mean {close}?"


def test_unknown_key_like_no_other_lists_those_known():
    with pytest.raises(UnknownNameError, match="known: shape, width"):
        parse(inner={"zzzzz": 1})


def test_key_that_is_no_text_is_refused():
    with pytest.raises(UnknownNameError, match="found: '7'"):
        Outer.parse({7: 1})


def test_unknown_part_is_refused_with_its_path_and_the_closest_one():
    with pytest.raises(UnknownNameError) as caught:
        parse(inner={"shape": "squaer"})
    assert str(caught.value) == "inner.shape: unknown test_shapes; found: 'squaer'; did you mean 'square'?"


@pytest.mark.parametrize("value", [3, None, {"name": 3}, Inner()])
def test_part_without_a_name_is_refused(value):
    with pytest.raises(ConfigError, match=r"inner\.shape: one of the test_shapes needs a name"):
        parse(inner={"shape": value})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"width": 65}}, r"inner\.width: .*less than or equal to 64; found: 65"),
        ({"inner": {"shape": {"name": "square", "side": -1}}}, r"inner\.shape\.side: .*greater than 0; found: -1"),
        ({"inner": {"width": 13}}, "^a width of 13 brings bad luck$"),
        ({"inner": {"width": 17}}, "^inner: 17 does too"),
        ({"inner": 3}, "^inner: "),
    ],
)
def test_invalid_value_is_a_config_error(values, message):
    with pytest.raises(ConfigError, match=message):
        Outer.parse(values)


def test_missing_value_is_named():
    with pytest.raises(ConfigError, match=r"^value: Field required$"):
        Required.parse({})


def test_extends_joins_files_later_ones_winning(tmp_path):
    write(tmp_path / "a.yaml", "rate: 1\ninner: {width: 1}\nname: a")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub/b.yaml", "extends: ../a.yaml\nrate: 2")
    write(tmp_path / "c.yaml", "inner: {shape: {radius: 5}}")
    path = write(tmp_path / "d.yaml", "extends: [sub/b.yaml, c.yaml]\nname: d")
    assert load_config(Outer, path, ["inner.width=3"]) == Outer(
        name="d", rate=2, inner=Inner(width=3, shape=CircleConfig(radius=5))
    )


def test_one_file_may_be_reached_twice_but_not_by_itself(tmp_path):
    write(tmp_path / "base.yaml", "rate: 1")
    write(tmp_path / "a.yaml", "extends: base.yaml")
    write(tmp_path / "b.yaml", "extends: base.yaml")
    assert read_yaml(write(tmp_path / "c.yaml", "extends: [a.yaml, b.yaml]")) == {"rate": 1}
    write(tmp_path / "a.yaml", "extends: c.yaml")
    with pytest.raises(ConfigError, match=r"circle.*c.yaml -> .*a.yaml -> .*c.yaml"):
        read_yaml(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rate: [", "not valid YAML"),
        (b"name: 2024-99-99", "config.yaml is not valid YAML; found: month must be in"),
        (b"- 1", "must hold a mapping; found: list"),
        (b"0", "must hold a mapping; found: int"),
        (b"\xff\xfe\xfa", "not text in UTF-8"),
        (b"extends: 3", "must be a file name or a list"),
        (b"extends: [3]", "must be a file name or a list"),
        (b"extends: nowhere.yaml", "cannot read .*nowhere.yaml; found: No such file"),
    ],
)
def test_unusable_file_is_a_config_error(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(Outer, path)


def test_empty_file_gives_the_defaults(tmp_path):
    assert load_config(Outer, write(tmp_path / "empty.yaml", "")) == Outer() == load_config(Outer)


def test_unwritable_place_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot write the configuration"):
        save_config(Outer(), tmp_path / "nowhere" / "config.yaml")


@pytest.mark.parametrize("item", ["rate", "=1", ""])
def test_override_without_key_or_value_is_refused(item):
    with pytest.raises(ConfigError, match=r"key\.sub=value"):
        parse_overrides([item])


@pytest.mark.parametrize("text", ["[", "2024-99-99"])
def test_override_that_is_no_yaml_is_refused(text):
    with pytest.raises(ConfigError, match="the value of 'rate' is not valid YAML"):
        parse_overrides([f"rate={text}"])


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("-2E+5", -2e5), (".5e1", 5.0), ("3", 3), ("", None), ("[1, 2]", [1, 2]), ("a=b", "a=b"),
     ("1e", "1e"), ("true", True)],
)  # fmt: skip
def test_override_values_are_yaml(text, value):
    assert parse_overrides([f"a.b={text}"]) == {"a": {"b": value}}


@given(st.floats(allow_nan=False))
def test_any_number_can_be_an_override(number):
    config = load_config(Outer, overrides=[f"rate={number!r}".replace("inf", ".inf")])
    assert config.rate == number
    assert math.copysign(1, config.rate) == math.copysign(1, number)


def test_name_of_the_whole_can_be_overridden_alone(tmp_path):
    path = write(tmp_path / "config.yaml", "name: first\nrate: 7")
    assert load_config(Outer, path, ["name=second"]) == Outer(name="second", rate=7)


@pytest.mark.parametrize("written", ["{name: circle, radius: 9}", "{radius: 9}", "circle"])
@pytest.mark.parametrize("override", ["inner.shape=square", "inner.shape.name=square", "inner.shape={name: square}"])
def test_part_whose_name_changes_keeps_none_of_its_parameters(tmp_path, written, override):
    path = write(tmp_path / "config.yaml", f"inner: {{shape: {written}}}")
    assert load_config(Outer, path, [override]).inner.shape == SquareConfig()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("name", ["inner.shape.name=square", "inner.shape=square"])
def test_new_part_takes_its_own_parameters(order, name):
    overrides = [name, "inner.shape.side=3"][::order]
    if overrides[-1] == "inner.shape=square":
        overrides.reverse()
    assert load_config(Outer, overrides=overrides).inner.shape == SquareConfig(side=3)


@pytest.mark.parametrize("override", ["inner.shape=circle", "inner.shape.name=circle"])
def test_part_named_again_keeps_its_parameters(tmp_path, override):
    path = write(tmp_path / "config.yaml", "inner: {shape: {name: circle, radius: 9}}")
    assert load_config(Outer, path, [override]).inner.shape == CircleConfig(radius=9)


def test_mapping_without_name_refines_the_default_part():
    assert parse(inner={"shape": {"centre": "x"}}).inner.shape == CircleConfig(radius=2.0, centre=Path("x"))


def test_merged_validates():
    assert Outer().merged({"inner": {"width": 5}}).inner.width == 5
    with pytest.raises(UnknownNameError):
        Outer().merged({"inner": {"depth": 5}})


def test_merge_leaves_its_arguments_alone():
    base, over = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merge(base, over) == {"a": {"b": 1, "c": 2}}
    assert (base, over) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def references(schema: object) -> list[str]:
    if isinstance(schema, dict):
        return [v for k, v in schema.items() if k == "$ref"] + [r for v in schema.values() for r in references(v)]
    return [r for v in schema for r in references(v)] if isinstance(schema, list) else []


def test_json_schema_describes_registered_parts():
    schema = Outer.model_json_schema()
    shape = schema["$defs"]["Inner"]["properties"]["shape"]
    circle, square, names = shape["anyOf"]
    assert circle["properties"]["radius"]["description"] == "Half the way across."
    assert square["properties"]["side"]["exclusiveMinimum"] == 0
    assert names == {"type": "string", "enum": ["circle", "square"]}
    assert shape["default"] == {"name": "circle", "radius": 2.0, "centre": "origin"}
    assert schema["additionalProperties"] is False


def test_json_schema_of_parts_that_hold_configs_resolves():
    deep: Registry[object] = Registry("test_deep")

    class Point(Config):
        x: int = 0

    class LineConfig(Config):
        name: Literal["line"] = "line"
        start: Point = Point()
        end: Point = Point()

    class RayConfig(Config):
        name: Literal["ray"] = "ray"
        start: Point = Point()
        shape: Annotated[Config, SHAPES.field()] = CircleConfig()
        more: tuple[LineConfig, ...] = ()

    deep.register(LineConfig)(lambda config: config)
    deep.register(RayConfig)(lambda config: config)

    class Drawing(Config):
        first: Annotated[Config, deep.field()] = LineConfig()
        second: Annotated[Config, deep.field()] = RayConfig()
        origin: Point = Point()

    schema = Drawing.model_json_schema()
    assert "#/$defs/Point" in references(schema)
    assert {r.removeprefix("#/$defs/") for r in references(schema)} <= set(schema["$defs"])
    with pytest.raises(UnknownNameError, match=r"'second\.more\.0\.end\.y'"):
        Drawing.parse({"second": {"name": "ray", "more": [{"end": {"y": 1}}]}})
