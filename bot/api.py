"""HTTP below the page: stored documents opened at a passage, health, and the loopback endpoint of the CLI."""

import hmac
import html
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from bot.desk import VERBS, WORKS, LocalDesk
from bot.errors import BotError
from bot.one_thread import in_one_thread
from bot.service import Service
from knowledge.audiences import PUBLIC
from knowledge.errors import DocumentNotFound, KnowledgeError
from tone_tuning.errors import ToneTuningError

__all__ = ["OUR_ERRORS", "add_routes", "document_page", "staff_key"]

OUR_ERRORS = (BotError, KnowledgeError, ToneTuningError)
# A stored document is never more than text.
INERT = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
log = logging.getLogger(__name__)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1d2733}}
header{{border-bottom:1px solid #d5dbe1;margin-bottom:1rem;padding-bottom:.5rem}}header small{{color:#5b6875}}
pre{{white-space:pre-wrap;font:inherit;overflow-wrap:anywhere}}mark{{background:#fff1b8;padding:.1em 0}}</style></head>
<body><header><strong>{title}</strong><br><small>{source} · version {version} · {date}</small></header>
<pre>{body}</pre></body></html>"""


def add_routes(app: FastAPI, service: Service, token: str) -> None:
    """Add every route of this file to `app`; /internal ones want `token`."""
    app.include_router(_public_routes(service, token))
    app.include_router(_internal_routes(LocalDesk(service), token))
    for kind in OUR_ERRORS:
        app.add_exception_handler(kind, _as_sentence)


def staff_key(token: str, document_id: str) -> str:
    """What a link to a document that is not for everybody carries, so that it cannot be guessed."""
    return hmac.new(token.encode(), document_id.encode(), "sha256").hexdigest()[:24]


def document_page(document: dict[str, Any], start: int, end: int) -> str:
    """A stored document as inert text, with the characters from `start` to `end` marked."""
    text = document["markdown"]
    start, end = max(0, min(start, len(text))), max(0, min(end, len(text)))
    body = html.escape(text)
    if start < end:
        before, passage, after = (html.escape(part) for part in (text[:start], text[start:end], text[end:]))
        body = f'{before}<mark id="passage">{passage}</mark>{after}'
    return PAGE.format(
        title=html.escape(document["title"]),
        source=html.escape(document["source"]),
        version=document["version"],
        date=html.escape(document["effective_from"][:10]),
        body=body,
    )


def _public_routes(service: Service, token: str) -> APIRouter:
    router = APIRouter()
    desk = LocalDesk(service)

    @router.get("/documents/{document_id}", response_class=HTMLResponse)
    def open_document(
        document_id: str, version: int | None = None, start: int = 0, end: int = 0, key: str = ""
    ) -> HTMLResponse:
        try:
            found = desk.show(document_id, version)
            if found["audience"] != PUBLIC and not hmac.compare_digest(key, staff_key(token, found["id"])):
                raise DocumentNotFound(f"There is no document '{document_id}' for everybody.")
            return HTMLResponse(document_page(found, start, end), headers=INERT)
        except DocumentNotFound as error:
            return HTMLResponse(f"<p>{html.escape(str(error))}</p>", status_code=404, headers=INERT)

    @router.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "degraded" if service.degraded() else "ok", "degraded": service.degraded()}

    return router


def _internal_routes(desk: LocalDesk, token: str) -> APIRouter:
    def check(authorization: str = Header(default="")) -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(403, "This endpoint wants the token of the home folder.")

    router = APIRouter(prefix="/internal", dependencies=[Depends(check)])

    @router.post("/ask")
    def ask(arguments: dict[str, Any]) -> StreamingResponse:
        pieces = in_one_thread(lambda: desk.ask(**arguments))
        return _ndjson({"text": piece} if isinstance(piece, str) else {"answer": piece} for piece in pieces)

    @router.post("/{verb}", response_model=None)
    def call(verb: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the verb answers
        if verb in WORKS:
            return _ndjson(_working(desk, verb, arguments))
        if verb not in VERBS:
            raise HTTPException(404, f"There is no verb '{verb}'.")
        return getattr(desk, verb)(**arguments)

    return router


def _working(desk: LocalDesk, verb: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Progress of a verb as events, the result last; the work runs in a thread of its own."""
    events: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def tell(done: int, total: int, name: str) -> None:
        events.put({"done": done, "total": total, "name": name})

    def work() -> None:
        try:
            events.put({"result": jsonable_encoder(getattr(desk, verb)(on_progress=tell, **arguments))})
        except OUR_ERRORS as error:
            events.put({"error": str(error)})
        except Exception:  # a thread has nobody above it who would hear of this
            log.exception("'%s' failed", verb)
            events.put({"error": f"'{verb}' failed in a way nobody foresaw: see the server's log."})
        finally:
            events.put(None)

    threading.Thread(target=work, daemon=True).start()
    get: Callable[[], dict[str, Any] | None] = events.get
    yield from iter(get, None)


def _ndjson(events: Iterator[dict[str, Any]]) -> StreamingResponse:
    def lines() -> Iterator[str]:
        try:
            for event in events:
                yield json.dumps(event) + "\n"
        except OUR_ERRORS as error:
            yield json.dumps({"error": str(error)}) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _as_sentence(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=404 if isinstance(error, DocumentNotFound) else 400)
