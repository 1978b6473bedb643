"""Where the page listens: this machine only, and deaf to the pages of other sites."""

import socket

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from bot.errors import ServerError
from bot.loopback import OnlyFromHere, open_port


@pytest.fixture
def client():
    app = FastAPI()
    app.add_middleware(OnlyFromHere)
    app.get("/")(lambda: "here")
    app.post("/")(lambda: "done")

    @app.websocket("/socket")
    async def answer(connection: WebSocket):
        await connection.accept()
        await connection.send_text("open")
        await connection.close()

    return TestClient(app, base_url="http://127.0.0.1:7860", headers={"host": "127.0.0.1:7860"})


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "127.0.0.1"])
def test_the_page_of_this_machine_is_answered(client, host):
    """By number and by name, with and without the Origin that a browser sends along."""
    assert client.get("/", headers={"host": host}).json() == "here"
    assert client.post("/", headers={"host": host, "origin": f"http://{host}"}).json() == "done"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:7860", "localhost.evil.example", "[::1]:7860", ""]
)
def test_another_host_name_is_refused(client, host):
    """A name that was rebound to this machine is not ours."""
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:7860", "http://127.0.0.1:9999", "http://localhost:7860"],
)
def test_another_origin_is_refused(client, origin):
    """Pages of other sites, of other ports and of other names for this machine cannot post here."""
    refused = client.post("/", headers={"origin": origin})

    assert refused.status_code == 403
    assert "only its own page" in refused.text


def test_a_websocket_from_elsewhere_is_refused(client):
    """The same holds for a connection that stays open."""
    with client.websocket_connect("/socket") as socket_:
        assert socket_.receive_text() == "open"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/socket", headers={"origin": "http://evil.example"}),
    ):
        pass
    assert refused.value.status_code == 403


def test_a_free_port_is_taken_at_once():
    """It listens on 127.0.0.1 before any model is loaded."""
    with open_port("localhost", 0) as listening, socket.create_connection(listening.getsockname()) as caller:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert caller.getpeername() == listening.getsockname()


def test_a_port_in_use_is_refused_with_its_number():
    """One sentence that says what to do."""
    with open_port("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(
            ServerError, match=rf"^Port {port} cannot be used \(.*in use\): choose another with --port\.$"
        ):
            open_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    """The same sentence, not a traceback."""
    with pytest.raises(ServerError, match=f"Port {port} cannot be used"):
        open_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "example.org", ""])
def test_an_address_that_others_can_reach_is_refused(host):
    """There is no sign-in yet."""
    with pytest.raises(ServerError, match="no sign-in"):
        open_port(host, 0)
