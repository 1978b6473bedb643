"""HTTP below the page: stored documents opened at a passage, health, and the loopback endpoint of the CLI."""

import hmac
import html
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from bot.arguments import check_arguments
from bot.desk import ASK, VERBS, WORKS, LocalDesk
from bot.errors import BotError, CallError
from bot.one_thread import in_one_thread
from bot.service import Service
from bot.times import day_of
from knowledge.audiences import PUBLIC
from knowledge.errors import DocumentNotFound, KnowledgeError
from knowledge.indexing import DocumentIndex
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
    app.add_exception_handler(RequestValidationError, _as_faults)


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
        date=day_of(document["effective_from"]),
        body=body,
    )


def _public_routes(service: Service, token: str) -> APIRouter:
    router = APIRouter()
    desk = LocalDesk(service)

    @router.get("/documents/{document_id}", response_class=HTMLResponse)
    def open_document(
        document_id: str, version: int | None = None, start: int = 0, end: int = 0, key: str = ""
    ) -> HTMLResponse:
        with suppress(DocumentNotFound):
            found = desk.show(document_id, version)
            has_key = hmac.compare_digest(key.encode(), staff_key(token, found["id"]).encode())
            if has_key or _is_open(service.documents, found):
                return HTMLResponse(document_page(found, start, end), headers=INERT)
        # The same words whether it is not there or not for everybody: nobody learns of it by asking.
        sentence = f"<p>There is no document '{html.escape(document_id)}' for everybody.</p>"
        return HTMLResponse(sentence, status_code=404, headers=INERT)

    @router.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "degraded" if service.degraded() else "ok", "degraded": service.degraded()}

    return router


def _internal_routes(desk: LocalDesk, token: str) -> APIRouter:
    def check(authorization: str = Header(default="")) -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(403, "This endpoint wants the token of the home folder.")

    router = APIRouter(prefix="/internal", dependencies=[Depends(check)])

    @router.post("/{verb}", response_model=None)
    def call(verb: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the verb answers
        if verb not in VERBS | WORKS | {ASK}:
            raise HTTPException(404, f"There is no verb '{verb}'.")
        check_arguments(getattr(LocalDesk, verb), arguments)
        if verb == ASK:
            return _ndjson(verb, _saying(desk, arguments))
        if verb in WORKS:
            return _ndjson(verb, _working(desk, verb, arguments))
        return getattr(desk, verb)(**arguments)

    return router


def _is_open(documents: DocumentIndex, found: dict[str, Any]) -> bool:
    """Whether everybody may read a version: one that is planned is for staff, and so is one that never began."""
    version = documents.version(found["id"], found["version"])
    has_begun = version.effective_from <= documents.clock()
    is_void = version.withdrawn_at is not None and version.withdrawn_at <= version.effective_from
    return found["audience"] == PUBLIC and has_begun and not is_void


def _saying(desk: LocalDesk, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Pieces of an answer as events, the answer last; one thread does it all."""
    for piece in in_one_thread(lambda: desk.ask(**arguments)):
        yield {"text": piece} if isinstance(piece, str) else {"answer": piece}


def _working(desk: LocalDesk, verb: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Progress of a verb as events, the result last; one thread does it all, and goes on when nobody listens."""
    events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def tell(done: int, total: int, name: str) -> None:
        events.put({"done": done, "total": total, "name": name})

    def work() -> None:
        for event in _told(verb, lambda: [{"result": getattr(desk, verb)(on_progress=tell, **arguments)}]):
            events.put(event)
        events.put(None)

    threading.Thread(target=work, daemon=True).start()
    get: Callable[[], dict[str, Any] | None] = events.get
    yield from iter(get, None)


def _told(verb: str, begin: Callable[[], Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Events, with an error as the last one: a stream has no status any more, and must not end in silence."""
    try:
        yield from begin()
    except OUR_ERRORS as error:
        yield {"error": str(error)}
    except Exception:
        log.exception("'%s' failed", verb)
        yield {"error": f"'{verb}' failed in a way nobody foresaw: see the server's log."}


def _ndjson(verb: str, events: Iterator[dict[str, Any]]) -> StreamingResponse:
    lines = (json.dumps(event) + "\n" for event in _told(verb, lambda: events))
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _as_sentence(request: Request, error: Exception) -> JSONResponse:
    status = 404 if isinstance(error, DocumentNotFound) else 422 if isinstance(error, CallError) else 400
    return JSONResponse({"error": str(error)}, status_code=status)


async def _as_faults(request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    named = ", ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in faults)
    return JSONResponse({"error": f"The request cannot be read ({named}): correct it."}, status_code=422)
