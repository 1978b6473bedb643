"""The arguments of a verb as they come over the network: names and kinds are checked before anything is done."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from bot.errors import CallError

__all__ = ["check_arguments", "texts_in"]

OURS = ("self", "on_progress")  # what no caller gives
ROLES = ("user", "assistant")
NAMES = {str: "a text", Path: "a path", int: "a whole number", bool: "true or false", dict: "an object",
         NoneType: "null"}  # fmt: skip
TURNS = "a list of turns with role and content"
LONGEST_SHOWN = 60  # characters of a wrong value


def check_arguments(verb: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Compare what was sent with what the verb takes.

    Raises:
        CallError: names that it lacks or does not take, and values of a wrong kind, all of them named.
    """
    takes = {name: p for name, p in inspect.signature(verb).parameters.items() if name not in OURS}
    faults = [f"lacks '{name}'" for name, p in takes.items() if p.default is p.empty and name not in given]
    faults += [f"takes no '{_shown(name)}'" for name in given if name not in takes]
    for name, parameter in takes.items():
        kinds = _kinds(parameter.annotation)
        if name in given and not any(_is(kind, given[name]) for kind in kinds):
            wanted = " or ".join(dict.fromkeys(NAMES.get(kind, TURNS) for kind in kinds))
            faults.append(f"has {_shown(json.dumps(given[name]))} for '{name}', which has to be {wanted}")
    if faults:
        raise CallError(f"The call of '{verb.__name__}' {', '.join(faults)}: it takes {', '.join(takes) or 'nothing'}.")


def _kinds(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever stands behind the colon
    outer = get_origin(annotation)
    return get_args(annotation) if outer is UnionType else (outer if outer is dict else annotation,)


def _is(kind: Any, value: object) -> bool:  # noqa: ANN401
    if kind in (str, Path):
        return isinstance(value, str) and _is_text(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (bool, NoneType):
        return isinstance(value, kind)
    if kind is dict:
        return isinstance(value, dict) and all(map(_is_text, texts_in(value)))
    return isinstance(value, list) and all(map(_is_turn, value))


def _is_turn(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"role", "content"}
        and value["role"] in ROLES
        and _is(str, value["content"])
    )


def texts_in(value: object) -> Iterator[str]:
    """Every text in a value that JSON can carry, names of an object too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def _is_text(value: str) -> bool:
    """Whether a file system and a database can take it: JSON can also write halves of letters."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value)


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
