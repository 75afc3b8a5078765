"""Whether what a request brings has the shape that its receiver expects; what comes from outside may be anything."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from page.server.crowds import visitor_of
from page.studio.queue import UNEXPECTED
from page.studio.visitors import CURRENT, Visitor
from page.ui.words import without_folders

LOG = logging.getLogger(__name__)

MOST_VALUES = 20_000  # of a message; the page itself sends some hundreds
DEEPEST = 40
LARGEST_WHOLE = 2**53  # what JavaScript counts exactly
NO_JSON = "The request holds no JSON that the page understands."
MISFIT = "What was sent does not fit what the page asks for."
RELOAD = "Load the page again and repeat what you did."
AGAIN = "Do the same once more."
FILLED_IN = (gr.Request, gr.EventData)
LEFT_OUT = object()
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class EventValues(dict[str, Any]):
    """An event's data from the browser: texts, numbers, yes and no; what it does not hold is None."""

    def __init__(self, sent: Any) -> None:
        held = sent.items() if isinstance(sent, Mapping) else ()
        super().__init__({name: value for name, value in held if isinstance(value, (str, int, float))})

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> None:
        return None


class CheckedBlocks(gr.Blocks):
    """A page whose functions get values of the types that they declare, and whose errors reach the caller in words.

    Gradio prints a traceback where a widget cannot read a value, and sends `null` in place of the error.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> Any:
        if block_fn.api_visibility == "public":  # gradio's clients fill these in, others need not
            inputs = [*inputs, *_defaults(block_fn.fn)[len(inputs) :]]
        try:
            values = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            raise gr.Error(without_folders(error.message), print_exception=False) from None
        except Exception:  # whatever a widget makes of a value that is none
            raise gr.Error(f"{MISFIT} {RELOAD}", print_exception=False) from None
        if not all(map(_fits, values, _declared(block_fn.fn))):
            raise gr.Error(f"{MISFIT} {RELOAD}", print_exception=False)
        return values

    async def call_function(
        self,
        block_fn: Any,
        processed_input: list[Any],
        iterator: Any = None,
        requests: Any = None,
        event_id: str | None = None,
        event_data: gr.EventData | None = None,
        *more: Any,
        **named: Any,
    ) -> Any:
        event = None if event_data is None else gr.EventData(event_data.target, EventValues(event_data._data))
        given = (block_fn, processed_input, iterator, requests, event_id, event, *more)
        CURRENT.set(_visitor(requests))  # for this task, and the threads that it begins
        try:
            return await super().call_function(*given, **named)
        except gr.Error:
            raise
        except Exception:  # the last boundary before the caller: logged here, in plain words there
            LOG.exception("%s failed", getattr(block_fn, "name", "a function"))
            raise gr.Error(f"{UNEXPECTED} {AGAIN}", print_exception=False) from None


def _visitor(requests: Any) -> Visitor | None:
    """Who sent a request of gradio's."""
    request = requests[0] if isinstance(requests, list) and requests else requests
    inner = getattr(request, "request", None)
    return None if inner is None else visitor_of(inner.scope)


@functools.cache
def _declared(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The types of a function's arguments, without those that gradio fills in itself."""
    hints = typing.get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if hints.get(name) not in FILLED_IN]
    return tuple(hints.get(name, Any) for name in names)


@functools.cache
def _defaults(function: Callable[..., Any]) -> tuple[Any, ...]:
    """What a function's arguments are where they are left out; of one that must be given LEFT_OUT, which is no JSON."""
    return tuple(
        LEFT_OUT if argument.default is inspect.Parameter.empty else argument.default
        for argument in inspect.signature(function).parameters.values()
    )


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a declared type, as far as that is one of JSON's."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is list:
        return isinstance(value, list) and all(_fits(entry, inner[0]) for entry in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint in (str, bool, type(None)):
        return isinstance(value, hint)
    return True


def read_body(body: bytes) -> Any:
    """The JSON of a request.

    Raises
    ------
    ValueError: what is none, or what no page sends.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_int=_read_whole, parse_float=_read_float)
        json.dumps(value, ensure_ascii=False).encode()  # half characters, which cannot be sent back
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    left, count = [(value, 0)], 0
    while left:
        entry, depth = left.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST:
            raise ValueError("too much, or nested too deeply")
        if isinstance(entry, (dict, list)):
            inner = entry.values() if isinstance(entry, dict) else entry
            left += [(part, depth + 1) for part in inner]
    return value


def misfit(route: str, body: Any, blocks: gr.Blocks) -> str:
    """What is wrong with the body of a request to one of gradio's routes, in words; "" where it is in order."""
    if not isinstance(body, dict):
        return NO_JSON
    session = body.get("session_hash")
    if session is not None and not is_session(session):
        return "The session has no name that gradio gives."
    if route == "queue/join":
        return _misfit_event(body, blocks)
    if route == "component_server":
        return _misfit_component(body, blocks)
    return ""


def called_function(route: str, body: Mapping[str, Any], blocks: gr.Blocks) -> int | None:
    """The number of the function that a request wants called, by its name where it is the API's; None for none."""
    if not route.startswith("call/"):
        return int(body["fn_index"])
    name = route.rpartition("/")[2]
    known = (index for index, fn in blocks.fns.items() if fn.api_visibility == "public" and str(fn.api_name) == name)
    return next(known, None)


def is_session(text: object) -> bool:
    """Whether a text can be a session's hash."""
    return isinstance(text, str) and _SESSION.fullmatch(text) is not None


def _misfit_event(body: Mapping[str, Any], blocks: gr.Blocks) -> str:
    index, data = body.get("fn_index"), body.get("data")
    if not _fits(index, int) or index not in blocks.fns or blocks.fns[index].fn is None:
        return "The page has no such function."
    if not isinstance(data, list) or len(data) < len(blocks.fns[index].inputs):
        return MISFIT
    if not _fits(body.get("trigger_id"), int | None) or body.get("batched"):
        return MISFIT
    return ""


def _misfit_component(body: Mapping[str, Any], blocks: gr.Blocks) -> str:
    component, name = body.get("component_id"), body.get("fn_name")
    if not is_session(body.get("session_hash")) or not isinstance(name, str) or "data" not in body:
        return MISFIT
    if not _fits(component, int) or component not in blocks.blocks:
        return "The page has no such part."
    if not getattr(getattr(blocks.blocks[component], name, None), "_is_server_fn", False):
        return "The part has no such function."
    return ""


def _read_whole(text: str) -> int:
    value = int(text)
    if abs(value) > LARGEST_WHOLE:
        raise ValueError("a number too large")
    return value


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(text)
