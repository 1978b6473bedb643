"""Web servers on this machine that behave as they are told, badly too; and a wire that ends at them."""

import gzip
import io
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore

__all__ = ["PUBLIC", "Wire", "drip", "gzip_bomb", "html", "look_up", "make_certificate", "redirect", "serve"]

PUBLIC = "93.184.216.34"  # an address that may be called; the wire leads it here


def html(body, **headers):
    """An answer with a page."""
    return 200, {"Content-Type": "text/html; charset=utf-8", **_named(headers)}, body.encode()


def redirect(location, status=302):
    """An answer that leads on."""
    return status, {"Location": location}, b""


def drip(head, part=b"x", pause=0.05, times=400):
    """A server that sends `head` and then a few bytes at a time: never silent, never done."""

    def answer(handler):
        handler.wfile.write(head)
        for _ in range(times):
            handler.wfile.write(part)
            time.sleep(pause)

    return answer


def gzip_bomb(mebibytes):
    """A few kilobytes that unpack to that many MiB."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(mebibytes):
            file.write(bytes(2**20))
    return 200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, packed.getvalue()


@contextmanager
def serve(routes, certificate=None):
    """A server on a free port of 127.0.0.1; yields it with `.port` and `.asked`, the (path, headers) of all requests.

    `routes` maps a path to (status, headers, body), or to a function of the request handler that answers itself.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            answer = routes.get(self.path, (404, {}, b"not here"))
            self.close_connection = True
            if callable(answer):
                answer = answer(self)
            if answer is not None:
                status, headers, body = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    if value is not None:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_):
            pass  # the other side hangs up on purpose

    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.port = [], server.server_address[1]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def make_certificate(folder, host):
    """A file with a certificate for `host`, signed by itself, and its key."""
    path = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout", path, "-out", folder / "c.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + (folder / "c.pem").read_bytes())
    return path


def look_up(**answers):
    """A name server: `shop="1.2.3.4"` answers for shop.example; a list of lists is one answer a question."""
    asked = []

    def resolve(host, port, type=0):
        asked.append(host)
        found = answers[host.removesuffix(".example")] if host.endswith(".example") else [host]
        if isinstance(found, list) and isinstance(found[0], list):
            found = found[min(asked.count(host), len(found)) - 1]
        return [(2, type, 6, "", (address, port)) for address in ([found] if isinstance(found, str) else found)]

    resolve.asked = asked
    return resolve


class Wire(httpcore.NetworkBackend):
    """Leads every call to a port of this machine, and keeps which address was really called."""

    def __init__(self, port):
        self.port = port
        self.called = []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.called.append(host)
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self.port, timeout, local_address, socket_options)


def _named(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}
