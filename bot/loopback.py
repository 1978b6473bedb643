"""Where the page listens: a port of this machine, which no other site's pages may call."""

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import PlainTextResponse

from bot.errors import ServerError

__all__ = ["LOCAL_HOSTS", "OnlyFromHere", "open_port"]

LOCAL_HOSTS = ("127.0.0.1", "localhost")
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class OnlyFromHere:
    """ASGI middleware: refuses other host names (rebound DNS) and what the pages of other sites send."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Pass a request on, or answer it with 403."""
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1")
            origin = headers.get(b"origin", f"http://{host}".encode("latin-1")).decode("latin-1")
            if host.rsplit(":", 1)[0] not in LOCAL_HOSTS or origin != f"http://{host}":
                refusal = PlainTextResponse("Frontdesk answers only its own page on this machine.", 403)
                return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


def open_port(host: str, port: int) -> socket.socket:
    """A listening socket, to be taken before any model loads.

    Raises:
        ServerError: the address is not this machine's own, or the port is taken.
    """
    if host not in LOCAL_HOSTS:
        raise ServerError(f"The page has no sign-in yet, so the address '{host}' is refused: use --host 127.0.0.1.")
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOCAL_HOSTS[0], port))
        listening.listen(64)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"Port {port} cannot be used ({reason}): choose another with --port.") from error
    return listening
