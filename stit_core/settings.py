"""What is known of a setting beside its type and default: range, unit, choices and help; and how values are checked.

Whoever shows or takes settings (the command line, the page, `--set`) reads it with `setting_of`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stit_core.errors import ConfigError

_SHOWN = 60  # characters of a value that an error repeats
_METADATA = "setting"
_WORDS: Mapping[type, tuple[str, tuple[type, ...]]] = {  # kind -> what it is called, and what it takes
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a word", (str,)),
    tuple: ("a list", (tuple,)),
}


@dataclass(frozen=True)
class Setting:
    """What is known of one setting.

    Attributes
    ----------
    help: what it is, in a few words.
    unit: of its value, where it has one.
    low, high: smallest and largest value of a number.
    choices: what a word may be; empty for any.
    advanced: whether the page offers it among the advanced settings; not what has a widget of its own, nor the limits
        that the host of the page sets.
    """

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    advanced: bool = True

    @property
    def about(self) -> str:
        """Unit and help in one line."""
        return ", ".join(filter(None, (self.unit, self.help)))


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Iterable[str] = (),
    advanced: bool = True,
) -> Any:
    """A field of a dataclass of settings: its default, and what else is known of it (see `Setting`)."""
    known = Setting(help, unit, low, high, tuple(choices), advanced)
    return dataclasses.field(default=default, metadata={_METADATA: known})


def settings_of(kind: type) -> dict[str, Setting]:
    """What is known of each setting of a dataclass of settings, by name."""
    found = {field.name: field.metadata[_METADATA] for field in dataclasses.fields(kind) if _METADATA in field.metadata}
    return {name: dataclasses.replace(known, choices=_choices(kind, name, known)) for name, known in found.items()}


def kind_of(kind: type, name: str) -> tuple[type, bool]:
    """Of a field: bool, int, float, str, tuple, or a dataclass, and whether it may be None."""
    hint = _hints(kind)[name]
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)
    if optional:
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    origin = get_origin(hint)
    if origin is Literal:
        return str, optional
    return origin or hint, optional


def shown(value: object) -> str:
    """A value as an error shows it, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def is_finite(value: object) -> bool:
    """Whether a value is a number, and a finite one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class Settings:
    """A dataclass of settings, checked on construction: types first, then ranges, then what they say together."""

    def __post_init__(self) -> None:
        kind = type(self)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            self._check_kind(field.name)
        for name, known in settings_of(kind).items():
            self._check_value(name, known)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ConfigError where values cannot be, or not beside each other; each alone is of its type and range."""

    def _check_kind(self, name: str) -> None:
        value, (kind, optional) = getattr(self, name), kind_of(type(self), name)
        if kind not in _WORDS or (value is None and optional):
            return
        wanted, kinds = _WORDS[kind]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            message = f"{type(self).__name__}.{name} is {shown(value)}, but it takes {wanted}."
            raise ConfigError(message, "Write numbers plainly, true or false, lists as [1, 2].")

    def _check_value(self, name: str, known: Setting) -> None:
        value = getattr(self, name)
        if value is None:
            return
        if known.choices and value not in known.choices:
            message = f"{type(self).__name__}.{name} is {shown(value)}."
            raise ConfigError(message, f"Choose one of {', '.join(known.choices)}.")
        if known.low is not None and known.high is not None:
            self._check_range(name, known.low, known.high)

    def _check_range(self, name: str, low: float, high: float) -> None:
        """Refuse a number out of range."""
        value = getattr(self, name)
        if not low <= value <= high:
            number = "number" if kind_of(type(self), name)[0] is float else "whole number"
            message = f"{type(self).__name__}.{name} is {shown(value)}."
            raise ConfigError(message, f"Choose a {number} from {low:g} to {high:g} for '{name}'.")


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _choices(kind: type, name: str, known: Setting) -> tuple[str, ...]:
    """Those that are named, else those of a Literal."""
    hint = _hints(kind)[name]
    return get_args(hint) if get_origin(hint) is Literal else known.choices
