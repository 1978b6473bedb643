"""Pages of the web: what comes, what is refused, and servers that behave badly."""

import gzip
import ipaddress
import socket
import ssl
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.addresses import AddressPolicy, is_public, list_hosts
from knowledge.errors import AddressRefused, KnowledgeError, PageGone, SourceError
from knowledge.sitemaps import list_pages, read_sitemap
from knowledge.web import Fetcher, FetchLimits, Validators
from tests.web_servers import PUBLIC, Wire, drip, gzip_bomb, html, look_up, make_certificate, redirect, serve

SMALL = FetchLimits(max_bytes=2**20, connect_seconds=5, read_seconds=10, total_seconds=20)
HASTY = FetchLimits(max_bytes=2**20, connect_seconds=0.5, read_seconds=0.4, total_seconds=1.0)
ROUTES = {}
SHUT = """
    127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
    100.100.100.200 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
    255.255.255.255 168.63.129.16 192.88.99.1 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 64:ff9b::7f00:1
    64:ff9b::a9fe:a9fe 64:ff9b:1::1 fe80::1 fe80::1%eth0 2606:4700::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1
    2001:db8::1 2001::1 2002:7f00:1:: 3fff::1 5f00::1 100::1 not-an-address 1.2.3 2130706433
"""
OPEN = "93.184.216.34 1.1.1.1 172.32.0.1 100.128.0.1 2606:4700:4700::1111 ::ffff:1.1.1.1 64:ff9b::101:101"


@pytest.fixture(scope="module")
def server():
    with serve(ROUTES) as server:
        yield server


@pytest.fixture
def web(server):
    """A server whose answers are set by path, and a fetcher that takes it for a machine of the public internet."""
    ROUTES.clear()
    server.asked.clear()
    server.routes = ROUTES
    server.wire = Wire(server.port)
    server.names = look_up(shop=PUBLIC, other=PUBLIC)
    policy = AddressPolicy(list_hosts(["shop.example"]))
    server.fetcher = Fetcher(policy, SMALL, server.names, network=server.wire)
    return server


def fetch(web, path="/", known=None):
    return web.fetcher.fetch(f"http://shop.example{path}", known)


def test_a_page_comes_with_its_bytes_name_and_validators(web):
    """The name ends as its format is called, so that the converter knows it."""
    web.routes["/help/returns.html?a=1"] = html("<p>45 days</p>", ETag='"one"', Last_Modified="yesterday")

    page = fetch(web, "/help/returns.html?a=1#top")

    assert (page.name, page.data) == ("returns.html", b"<p>45 days</p>")
    assert page.validators == Validators('"one"', "yesterday", "http://shop.example/help/returns.html?a=1")
    assert web.wire.called == [PUBLIC]
    ((path, headers),) = web.asked
    assert (path, headers["Host"], headers["User-Agent"]) == (
        "/help/returns.html?a=1",
        "shop.example",
        "Frontdesk",
    )


def test_a_page_that_did_not_change_is_not_sent_again(web):
    """Both validators are sent back, and nothing but them tells the server who asks."""

    def answer(handler):
        same = (handler.headers["If-None-Match"], handler.headers["If-Modified-Since"]) == ('"one"', "yesterday")
        return (304, {}, b"") if same else html("<p>new</p>", ETag='"one"', Last_Modified="yesterday")

    web.routes["/"] = answer
    first = fetch(web)

    second = fetch(web, known=first.validators)

    assert first.data == b"<p>new</p>"
    assert (second.data, second.validators) == (None, first.validators)
    assert set(web.asked[1][1]) == {
        "Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "If-None-Match", "If-Modified-Since",
    }  # fmt: skip


def test_validators_of_one_address_are_not_shown_to_another(web):
    """A page that moved may have the same ETag by chance; a 304 that nobody asked for is a fault."""
    web.routes["/"] = redirect("/new")
    web.routes["/new"] = html("<p>moved</p>", ETag='"one"')
    known = Validators('"one"', "", "http://shop.example/old")

    assert fetch(web, known=known).data == b"<p>moved</p>"
    assert not any("If-None-Match" in headers for _, headers in web.asked)
    web.routes["/new"] = (304, {}, b"")
    with pytest.raises(SourceError, match="answers with status 304"):
        fetch(web, known=known)


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("text/html", "/", "shop.example.html"),
        ("TEXT/HTML;charset=x", "/a/", "a.html"),
        ("application/xhtml+xml", "/a.php", "a.html"),
        ("text/plain", "/a.txt", "a.txt"),
        ("text/plain; charset=utf-8", "/read%20me.md", "read me.md"),
        ("text/markdown", "/b", "b.md"),
        ("application/pdf", "/c.pdf", "c.pdf"),
        ("application/pdf", "/%2e%2e%2fetc%2fpasswd", "passwd.pdf"),
    ],
)
def test_the_content_type_decides_the_format(web, kind, path, name):
    """Whatever the address ends in."""
    web.routes[path] = (200, {"Content-Type": kind}, b"text")

    assert fetch(web, path).name == name


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", "<p>caf\xe9 \x80</p>".encode("latin-1"), "<p>café €</p>"),
        ("text/html", b'<meta charset="koi8-r"><p>\xf0\xd2</p>', '<meta charset="koi8-r"><p>Пр</p>'),
        ("text/html; charset=shift_jis", "<p>日本</p>".encode("shift_jis"), "<p>日本</p>"),
        ("text/plain; charset=utf-16le", "ä".encode("utf-16le"), "ä"),
        ("text/html; charset=utf-8", b'<meta charset="koi8-r">\xc3\xa4', '<meta charset="koi8-r">ä'),
        ("text/html", b'<meta charset="utf-16"><p>\xc3\xa4', '<meta charset="utf-16"><p>ä'),
        ("text/html; charset=punycode", b"<p>a-b</p>", "<p>a-b</p>"),
        ("text/html; charset=zip", b"<p>a</p>", "<p>a</p>"),
        ("text/html; charset=no-such", b"<p>a</p>", "<p>a</p>"),
    ],
)
def test_a_page_comes_in_utf_8_whatever_it_was_written_in(web, kind, body, text):
    """The server's word counts before the page's; odd encodings, which could take hours, are left alone."""
    web.routes["/"] = (200, {"Content-Type": kind}, body)

    assert fetch(web).data.decode() == text


def test_a_packed_page_is_unpacked(web):
    """In one part or several."""
    packed = gzip.compress(b"<p>one</p>") + gzip.compress(b"<p>two</p>" * 20_000)
    web.routes["/"] = (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, packed)

    assert fetch(web).data == b"<p>one</p>" + b"<p>two</p>" * 20_000


def test_a_page_that_moved_is_followed_five_times(web):
    """With every status that leads on, to a relative address or a whole one."""
    for number, status in enumerate([301, 302, 303, 307, 308]):
        web.routes[f"/{number}"] = redirect(f"{'http://shop.example' if number else ''}/{number + 1}", status)
    web.routes["/5"] = html("<p>end</p>")

    page = fetch(web, "/0")

    assert (page.data, page.validators.url) == (b"<p>end</p>", "http://shop.example/5")
    web.routes["/5"] = redirect("/6")
    web.routes["/6"] = html("<p>end</p>")
    with pytest.raises(SourceError, match=r"'http://shop\.example/0' leads on more than 5 times"):
        fetch(web, "/0")


def test_a_page_that_leads_to_itself_ends(web):
    """After the sixth request."""
    web.routes["/"] = redirect("/")

    with pytest.raises(SourceError, match="leads on more than 5 times: use the address where it ends"):
        fetch(web)
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://other.example/",
        "http://shop.example:22/",
        "file:///etc/passwd",
        "ftp://shop.example/",
        "gopher://shop.example/",
        "//other.example/",
        "http://user@shop.example/",
        "http://[::1]/",
        "http://2130706433/",
        "http://shop.example\\@other.example/",
        "http://[",
        "javascript:alert(1)",
    ],
)
def test_a_page_may_not_lead_to_what_is_not_listed(web, location):
    """Every hop is checked like the first; nothing is called but the first address."""
    web.routes["/"] = redirect(location)

    with pytest.raises(AddressRefused, match=r"^'http://shop\.example/' leads (elsewhere|on to no web address)"):
        fetch(web)
    assert web.wire.called == [PUBLIC] and len(web.asked) == 1


def test_a_listed_host_that_leads_inside_is_refused(web):
    """Being on the list opens no private address, at the first call or at a later hop."""
    web.fetcher.policy = AddressPolicy(list_hosts(["shop.example", "inside.example"]))
    web.fetcher.resolve = look_up(shop=PUBLIC, inside=[PUBLIC, "10.0.0.5"])
    web.routes["/"] = redirect("http://inside.example/")

    for address in ["http://shop.example/", "http://inside.example/"]:
        with pytest.raises(AddressRefused, match=r"'inside\.example' leads to the address 10\.0\.0\.5, which is not"):
            web.fetcher.fetch(address)
    assert web.wire.called == [PUBLIC] and len(web.asked) == 1


def test_a_name_that_changes_its_address_gains_nothing(web):
    """It is looked up once a call, and what was checked is called: no DNS rebinding."""
    names = web.fetcher.resolve = look_up(shop=[[PUBLIC], ["127.0.0.1"]])
    web.routes["/"] = html("<p>fine</p>")

    assert fetch(web).data == b"<p>fine</p>"
    assert (names.asked, web.wire.called) == (["shop.example"], [PUBLIC])
    with pytest.raises(AddressRefused, match=r"leads to the address 127\.0\.0\.1"):
        fetch(web)
    assert web.wire.called == [PUBLIC]


def test_the_next_address_of_a_host_is_tried(server):
    """When the first does not answer; each was checked."""
    names = look_up(shop=["127.0.0.2", "127.0.0.1"])
    policy = AddressPolicy(list_hosts([f"shop.example:{server.port}"]), allow_private=True)
    ROUTES["/"] = html("<p>here</p>")

    assert Fetcher(policy, SMALL, names).fetch(f"http://shop.example:{server.port}/").data == b"<p>here</p>"


def test_private_addresses_are_opened_for_listed_hosts_only(server):
    """For an intranet; metadata of a cloud stays shut, as do hosts and ports that are not listed."""
    ROUTES["/"] = html("<p>intranet</p>")
    address = f"http://127.0.0.1:{server.port}/"
    hosts = list_hosts([f"127.0.0.1:{server.port}", "169.254.169.254"])

    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1, which is not public: leave it out, or allow private"):
        Fetcher(AddressPolicy(hosts), SMALL).fetch(address)
    fetcher = Fetcher(AddressPolicy(hosts, allow_private=True), SMALL)
    assert fetcher.fetch(address).data == b"<p>intranet</p>"
    for other, why in {
        f"http://localhost:{server.port}/": "is on the host 'localhost:",
        "http://127.0.0.1:1/": r"is on the host '127\.0\.0\.1:1', which is not listed",
        "http://169.254.169.254/": r"169\.254\.169\.254, which is not public: leave it out\.$",
    }.items():
        with pytest.raises(AddressRefused, match=why):
            fetcher.fetch(other)


@pytest.mark.parametrize(
    "address",
    SHUT.split(),
)
def test_what_is_not_public_is_known(address):
    """Loopback, private, link-local, multicast, reserved, and all of them wrapped in IPv6."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    OPEN.split(),
)
def test_what_is_public_is_known(address):
    """Also where an IPv6 address carries one of IPv4."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("10.0.0.1", True), ("172.31.0.1", True), ("192.168.0.1", True), ("100.64.0.1", True), ("127.0.0.1", True),
        ("fd00::1", True), ("::1", True), ("::ffff:10.0.0.1", True), ("1.1.1.1", True),
        ("169.254.169.254", False), ("100.100.100.200", False), ("fd00:ec2::254", False), ("fe80::1", False),
        ("0.0.0.0", False), ("::", False), ("224.0.0.1", False), ("255.255.255.255", False), ("192.0.0.192", False),
        ("168.63.129.16", False), ("::ffff:169.254.169.254", False), ("fd00::1%eth0", False),
    ],
)  # fmt: skip
def test_an_intranet_has_no_metadata_of_a_cloud(address, is_open):
    """What private addresses are opened for is other machines and this one."""
    policy = AddressPolicy(list_hosts(["shop.example"]), allow_private=True)
    if is_open:
        assert policy.resolve("shop.example", 80, look_up(shop=address)) == [address]
        return
    with pytest.raises(AddressRefused, match="which is not public"):
        policy.resolve("shop.example", 80, look_up(shop=address))


@given(st.ip_addresses())
def test_no_private_address_is_taken_for_public(address):
    """Whatever Python's own judgement refuses is refused."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        is_wrapped = getattr(address, "ipv4_mapped", None) or address in ipaddress.ip_network("64:ff9b::/96")
        assert is_wrapped or not is_public(str(address))


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "ftp://shop.example/", "shop.example", "", "http://", "http:///x", "javascript:alert(1)",
        "gopher://shop.example:80/", "http://shop.example:x/", "http://user:secret@shop.example/",
        "ftp://user:secret@shop.example/", "http://user:secret@shop.example:x/", "http://user:secret@sh op.example/",
        "http://shop.example.evil.example/", "http://evilshop.example/", "http://sub.shop.example/",
        "http://evil.example#@shop.example/", "http://evil.example\\@shop.example/", "http://sh op.example/",
        "http://shop.example\r\nX: y/",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused_before_anything_is_looked_up(web, address):
    """By scheme, host, port or user name; a password in it is not repeated."""
    with pytest.raises(AddressRefused) as refused:
        web.fetcher.fetch(address)
    assert "secret" not in str(refused.value)
    assert web.names.asked == [] and web.wire.called == []


@pytest.mark.parametrize("address", ["http://SHOP.example./", "https://shop.example:443/", "http://shop.example:80"])
def test_one_host_may_be_written_in_several_ways(web, address):
    """In capitals, with a final dot, with the port that it has anyway."""
    assert web.fetcher.policy.check(address).host.rstrip(".") == "shop.example"


def test_hosts_are_listed_with_their_port_where_it_is_unusual():
    """Anything but a host is a mistake that is told."""
    listed = list_hosts([" Shop.example ", "a.example:8080", "münchen.example", "[::1]:81", "b.example:80"])

    assert listed == {"shop.example", "a.example:8080", "xn--mnchen-3ya.example", "[::1]:81", "b.example"}
    for wrong in ["https://shop.example", "shop.example/help", "u@shop.example", "", "a b", "a:99999"]:
        with pytest.raises(AddressRefused):
            list_hosts([wrong])


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_says_so(web, status):
    """Which is told from a fault: it may be removed."""
    web.routes["/"] = (status, {}, b"")

    with pytest.raises(PageGone, match=rf"is gone \(status {status}\)"):
        fetch(web)


@pytest.mark.parametrize("status", [204, 206, 300, 304, 400, 401, 403, 429, 500, 503])
def test_any_other_status_is_a_fault(web, status):
    """And no page."""
    web.routes["/"] = (status, {"Content-Type": "text/html"}, b"")

    with pytest.raises(SourceError, match=f"answers with status {status}: check it in a browser") as fault:
        fetch(web)
    assert not isinstance(fault.value, PageGone)


@pytest.mark.parametrize("kind", ["image/png", "application/json", "application/octet-stream", "text/css", "", None])
def test_other_kinds_of_content_are_refused(web, kind):
    """By what the server says they are, before they are read."""
    web.routes["/a.html"] = (200, {"Content-Type": kind}, b"<p>page</p>")

    with pytest.raises(SourceError, match=f"is of the type '{kind or ''}', which is not read: use application/pdf"):
        fetch(web, "/a.html")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def endless(handler):
    handler.wfile.write(HEAD + b"\r\n")
    while True:
        handler.wfile.write(bytes(2**16))


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "text/html", "Content-Length": str(10**12)}, b"short"),
        (200, {"Content-Type": "text/html"}, bytes(2**20 + 1)),
        endless,
        gzip_bomb(2),
        gzip_bomb(200),
    ],
    ids=["announced", "one byte more", "endless", "unpacked", "bomb"],
)
def test_a_page_that_is_too_large_is_cut_off(web, answer):
    """As it is sent and as it is unpacked, without waiting for its end."""
    web.routes["/"] = answer

    with pytest.raises(SourceError, match="has more than 1 MiB, the limit"):
        fetch(web)


def test_a_bomb_does_not_fill_the_memory(web):
    """A packed page is unpacked in small pieces, however much a few of its bytes stand for."""
    import tracemalloc

    web.routes["/"] = gzip_bomb(200)
    tracemalloc.start()
    with pytest.raises(SourceError):
        fetch(web)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * 2**20


def test_a_page_at_the_limit_comes(web):
    """To the byte."""
    web.routes["/"] = (200, {"Content-Type": "text/html"}, b"a" * 2**20)

    assert len(fetch(web).data) == 2**20


@pytest.mark.parametrize(
    "answer",
    [
        drip(HEAD + b"\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nX: "),
        drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        lambda handler: time.sleep(10),
        lambda handler: (handler.wfile.write(HEAD + b"Content-Length: 9\r\n\r\n"), time.sleep(10))[2:],
    ],
    ids=["body", "headers", "hints", "silent", "silent after the headers"],
)
def test_a_server_that_takes_for_ever_is_left(web, answer):
    """Silent ones after the time for a sign of life, dripping ones after the time for all."""
    web.routes["/"], web.fetcher.limits = answer, HASTY
    began = time.monotonic()

    with pytest.raises(
        SourceError, match=r"takes too long \(the limit is 1 seconds in all\): what was read before stays"
    ):
        fetch(web)
    assert time.monotonic() - began < 6


def test_hops_share_one_limit_on_time(web):
    """A chain of slow pages cannot take five times as long."""

    def slow(handler):
        time.sleep(0.3)
        return redirect(handler.path + "x")

    web.fetcher.limits = HASTY
    for number in range(6):
        web.routes["/" + "x" * number] = slow

    with pytest.raises(SourceError, match="takes too long"):
        fetch(web)
    assert len(web.asked) <= 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda handler: handler.connection.close(), "cannot be reached"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n") and None, "cannot be reached"),
        (lambda handler: handler.wfile.write(HEAD + b"Content-Length: 99\r\n\r\nx") and None, "cannot be reached"),
        (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + bytes(2**18)) and None, "cannot be reached"),
        ((200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, b"no gzip"), "is packed as gzip and damaged"),
        ((200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(b"a" * 99)[:-4]), "broke off"),
        ((200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, b""), "broke off before its end"),
        ((200, {"Content-Type": "text/html", "Content-Encoding": "br"}, b"x"), "comes packed as 'br'"),
    ],
    ids=["hangs up", "no HTTP", "cut", "huge header", "no gzip", "cut gzip", "empty gzip", "br"],
)
def test_an_answer_that_is_none_is_a_sentence(web, answer, why):
    """Nothing foreign gets out, and half a page is no page."""
    web.routes["/"] = answer

    with pytest.raises(SourceError, match=why):
        fetch(web)


def test_a_host_that_is_not_there_is_a_sentence(web):
    """Neither in the list of names nor on its port."""
    web.fetcher.network = None
    web.fetcher.policy = AddressPolicy(list_hosts(["no-such.invalid", "127.0.0.1:1"]), allow_private=True)
    web.fetcher.resolve = socket.getaddrinfo

    with pytest.raises(SourceError, match=r"'no-such\.invalid' is not found: check its name and the network"):
        web.fetcher.fetch("http://no-such.invalid/")
    with pytest.raises(SourceError, match=r"'http://127\.0\.0\.1:1/' cannot be reached \(.*refused"):
        web.fetcher.fetch("http://127.0.0.1:1/")


def test_no_proxy_of_the_environment_is_used(web, monkeypatch):
    """It would call addresses that nobody checked."""
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"]:
        monkeypatch.setenv(name, "http://10.9.9.9:3128")
    web.routes["/"] = html("<p>direct</p>")

    assert fetch(web).data == b"<p>direct</p>" and web.wire.called == [PUBLIC]


def test_a_certificate_must_be_of_the_host_that_is_meant(tmp_path):
    """The connection goes to a checked address, and yet it is the name that counts."""
    certificate = make_certificate(tmp_path, "shop.example")
    tls = ssl.create_default_context(cafile=str(certificate))
    with serve({"/": html("<p>safe</p>")}, certificate) as server:
        policy = AddressPolicy(list_hosts(["shop.example", "other.example"]))
        names = look_up(shop=PUBLIC, other=PUBLIC)
        fetcher = Fetcher(policy, SMALL, names, tls=tls, network=Wire(server.port))

        assert fetcher.fetch("https://shop.example/").data == b"<p>safe</p>"
        with pytest.raises(SourceError, match="certificate verify failed: Hostname mismatch"):
            fetcher.fetch("https://other.example/")
        strict = Fetcher(policy, SMALL, names, network=Wire(server.port))
        with pytest.raises(SourceError, match="certificate verify failed: self-signed"):
            strict.fetch("https://shop.example/")


# Sitemaps


def sitemap(*addresses, kind="urlset", item="url"):
    inside = "".join(f"<{item}><loc> {address} </loc><lastmod>2026</lastmod></{item}>" for address in addresses)
    head = f'<?xml version="1.0"?><{kind} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    return 200, {"Content-Type": "application/xml"}, f"{head}{inside}</{kind}>".encode()


def index(*addresses):
    return sitemap(*addresses, kind="sitemapindex", item="sitemap")


def pages(web, most=5):
    return list_pages(web.fetcher, "http://shop.example/sitemap.xml", most)


def test_a_sitemap_lists_its_pages(web):
    """Each once and in order, also those that stay to be refused."""
    web.routes["/sitemap.xml"] = sitemap("http://shop.example/b?x=1&amp;y=2", "http://x/a", "http://x/a", " ")

    assert pages(web) == ["http://shop.example/b?x=1&y=2", "http://x/a"]


def test_addresses_of_pictures_are_no_pages(web):
    """Only what stands right in an entry counts."""
    body = (
        b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/image/1.1">'
        b"<url><loc>http://x/a</loc><image:image><image:loc>http://x/p.png</image:loc></image:image></url></urlset>"
    )
    web.routes["/sitemap.xml"] = (200, {"Content-Type": "text/xml"}, body)

    assert pages(web) == ["http://x/a"]


def test_an_index_of_sitemaps_is_followed(web):
    """The pages of all of them, in a packed file and a plain text as well."""
    web.routes["/sitemap.xml"] = index(
        "http://shop.example/1.xml", "http://shop.example/2.xml.gz", "http://shop.example/3.txt"
    )
    web.routes["/1.xml"] = sitemap("http://x/a", "http://x/b")
    packed = gzip.compress(sitemap("http://x/b", "http://x/c")[2])
    web.routes["/2.xml.gz"] = (200, {"Content-Type": "application/gzip"}, packed)
    web.routes["/3.txt"] = (
        200,
        {"Content-Type": "text/plain"},
        b"\xef\xbb\xbfhttp://x/d\r\n\r\nno address\nhttps://x/e",
    )

    assert pages(web) == [f"http://x/{name}" for name in "abc"] + ["http://x/d", "https://x/e"]


BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<urlset><url><loc>http://x/&b;</loc></url></urlset>"""
OUTSIDE = b'<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>&f;</loc></url></urlset>'


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (sitemap(*(f"http://x/{n}" for n in range(6))), "lists more than 5 pages"),
        (index(*(f"http://shop.example/{n}.xml" for n in range(51))), "lists 51 sitemaps, the limit is 50"),
        (index("http://shop.example/sitemap.xml"), "is an index inside of an index"),
        (index("http://shop.example/gone.xml"), "is gone"),
        (index("http://10.0.0.1/sitemap.xml"), "which is not listed"),
        (sitemap(), "lists no page"),
        (html("<html><body>Not found</body></html>"), "is of the type 'text/html'"),
        ((200, {"Content-Type": "text/xml"}, b"<html><body/></html>"), r"is no sitemap \(it begins with <html>"),
        ((200, {"Content-Type": "text/xml"}, b"<urlset><url><loc>http://x/a"), "is no sitemap"),
        ((200, {"Content-Type": "text/xml"}, b""), "is no sitemap"),
        ((200, {"Content-Type": "text/xml"}, BILLION_LAUGHS), "declares a document type"),
        ((200, {"Content-Type": "text/xml"}, BILLION_LAUGHS.decode().encode("utf-16")), "declares a document type"),
        ((200, {"Content-Type": "text/xml"}, OUTSIDE), "declares a document type"),
        ((200, {"Content-Type": "application/gzip"}, gzip.compress(bytes(11 * 2**20))), "unpacks to more than 10 MiB"),
        ((200, {"Content-Type": "application/gzip"}, b"no gzip"), "packed as gzip and damaged"),
        ((500, {}, b""), "answers with status 500"),
    ],
)
def test_a_sitemap_that_cannot_be_trusted_is_refused_as_a_whole(web, answer, why):
    """A list cut short would make the rest look gone; entities are never read."""
    web.routes["/sitemap.xml"] = answer

    with pytest.raises(SourceError, match=why):
        pages(web)


@given(st.binary(max_size=300), st.sampled_from([".xml", ".txt", ".gz"]))
def test_any_bytes_are_a_sitemap_or_a_sentence(data, suffix):
    """Nothing else gets out of the reader."""
    try:
        _, found = read_sitemap("http://x/", data, suffix)
    except KnowledgeError:
        return
    assert all(address.strip() == address for address in found)


@given(st.lists(st.text("abc/<&>'\" é", min_size=1, max_size=10).map(str.strip).filter(bool), unique=True))
def test_what_is_written_into_a_sitemap_comes_out(paths):
    """Escaped as XML wants it."""
    from xml.sax.saxutils import escape

    addresses = [f"http://x/{path}" for path in paths]
    _, _, body = sitemap(*map(escape, addresses))

    assert read_sitemap("http://x/", body, ".xml") == (False, addresses)
