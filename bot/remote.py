"""The desk of a running server, reached over its loopback endpoint: every verb by its name."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from bot.arguments import texts_in
from bot.desk import ASK, VERBS, WORKS, LocalDesk
from bot.errors import BotError, ServerError
from bot.home import ServerAddress
from knowledge.folders import readable

__all__ = ["RemoteDesk"]


class RemoteDesk:
    """`LocalDesk` by HTTP. Refusals of the server come back as `BotError` with its sentence."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.client = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(10, read=None),
            trust_env=False,
        )

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """The verb of `LocalDesk` with the same arguments, done by the server."""
        if verb not in VERBS | WORKS | {ASK}:
            raise AttributeError(verb)
        takes = inspect.signature(getattr(LocalDesk, verb))

        def call(*positional: object, **named: object) -> Any:  # noqa: ANN401 - whatever the verb answers
            arguments = dict(takes.bind(self, *positional, **named).arguments)
            del arguments["self"]
            on_progress = arguments.pop("on_progress", None)
            body = {name: _sent(value) for name, value in arguments.items()}
            _check_texts(body)
            if verb == ASK:
                return self._pieces(body)
            return self._work(verb, body, on_progress) if verb in WORKS else self._call(verb, body)

        return call

    def answers(self) -> bool:
        """Whether a server is there: its file may be left over, and its process id given to another program."""
        try:
            return "degraded" in self.client.get("/health").json()
        except (httpx.HTTPError, ValueError):
            return False

    def close(self) -> None:
        """Close the connection; the server goes on."""
        self.client.close()

    def _call(self, verb: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            response = self.client.post(f"/internal/{verb}", json=body)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _refusal(response)
        return response.json()

    def _work(self, verb: str, body: dict[str, Any], on_progress: Callable[..., None] | None) -> Any:  # noqa: ANN401
        result = None
        for event in self._events(verb, body, "result"):
            if "result" in event:
                result = event["result"]
            elif on_progress:
                on_progress(event["done"], event["total"], event["name"])
        return result

    def _pieces(self, body: dict[str, Any]) -> Iterator[str | dict[str, Any]]:
        for event in self._events(ASK, body, "answer"):
            yield event["text"] if "text" in event else event["answer"]

    def _events(self, verb: str, body: dict[str, Any], last: str) -> Iterator[dict[str, Any]]:
        """What the server streams, up to the event `last`."""
        try:
            with self.client.stream("POST", f"/internal/{verb}", json=body) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    event = json.loads(line)
                    if "error" in event:
                        raise BotError(event["error"])
                    yield event
                    if last in event:
                        return
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreachable(error) from error
        raise self._unreachable(f"it stopped before the {last}")

    def _unreachable(self, error: object) -> ServerError:
        return ServerError(
            f"The server at {self.address.url} (process {self.address.pid}) does not answer ({error}): "
            "restart it with `frontdesk serve`."
        )


def _sent(value: object) -> object:
    """A path as the server has to read it, which works in another folder."""
    return str(value.absolute()) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _check_texts(body: dict[str, Any]) -> None:
    """Names of files may have bytes that are no text; JSON cannot carry them."""
    for text in texts_in(body):
        if readable(text) != text:
            raise BotError(f"'{readable(text)}' is no text, so the running server cannot be told: rename it.")


def _refusal(response: httpx.Response) -> BotError:
    """The server's own sentence, or what is known where it has none."""
    try:
        body = response.json()
    except ValueError:
        body = None
    sentence = body.get("error") or body.get("detail") if isinstance(body, dict) else None
    return BotError(sentence or f"The server failed with status {response.status_code}: see its log.")
