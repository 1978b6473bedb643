"""The desk of a running server, reached over its loopback endpoint."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from bot.desk import Progress, Rows
from bot.errors import BotError, ServerError
from bot.home import ServerAddress
from tone_tuning.prompt import Message

__all__ = ["RemoteDesk"]


class RemoteDesk:
    """`Desk` by HTTP. Refusals of the server come back as `BotError` with its sentence."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.client = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(10, read=None),
            trust_env=False,
        )

    def answers(self) -> bool:
        """Whether a server is there: its file may be left over, and its process id given to another program."""
        try:
            return "degraded" in self.client.get("/health").json()
        except (httpx.HTTPError, ValueError):
            return False

    def add(self, path: Path, on_progress: Progress) -> Rows:
        """See `Desk.add`; the server reads the path itself, being on the same machine."""
        results: Rows = []
        for event in self._events("/internal/documents", {"path": str(path.absolute())}):
            if "results" in event:
                results = event["results"]
            else:
                on_progress(event["done"], event["total"], event["name"])
        return results

    def missing(self, folder: Path) -> Rows:
        """See `Desk.missing`."""
        return self._call("GET", "/internal/missing", folder=str(folder.absolute()))

    def list(self) -> Rows:
        """See `Desk.list`."""
        return self._call("GET", "/internal/documents")

    def show(self, reference: str, version: int | None) -> dict[str, Any]:
        """See `Desk.show`."""
        extra = {} if version is None else {"version": str(version)}
        return self._call("GET", "/internal/document", reference=reference, **extra)

    def remove(self, reference: str) -> dict[str, Any]:
        """See `Desk.remove`."""
        return self._call("DELETE", "/internal/document", reference=reference)

    def search(self, query: str, top_k: int) -> Rows:
        """See `Desk.search`."""
        return self._call("GET", "/internal/search", query=query, top_k=str(top_k))

    def ask(self, question: str, history: Sequence[Message]) -> Iterator[str | dict[str, Any]]:
        """See `Desk.ask`."""
        for event in self._events("/internal/ask", {"question": question, "history": list(history)}):
            yield event["text"] if "text" in event and len(event) == 1 else event["answer"]

    def close(self) -> None:
        """Close the connection; the server goes on."""
        self.client.close()

    def _call(self, method: str, path: str, **query: str) -> Any:  # noqa: ANN401 - whatever JSON the verb answers
        try:
            response = self.client.request(method, path, params=query)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _refusal(response)
        return response.json()

    def _events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            with self.client.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                for line in response.iter_lines():
                    event = json.loads(line)
                    if "error" in event:
                        raise BotError(event["error"])
                    yield event
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(
            f"The server at {self.address.url} (process {self.address.pid}) does not answer ({error}): "
            "restart it with `frontdesk serve`."
        )


def _refusal(response: httpx.Response) -> BotError:
    """The server's own sentence, or what is known where it has none."""
    try:
        body = response.json()
    except ValueError:
        body = None
    sentence = body.get("error") if isinstance(body, dict) else None
    return BotError(sentence or f"The server failed with status {response.status_code}: see its log.")
