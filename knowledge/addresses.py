"""Which web addresses may be called: scheme, listed host, and only the very address that was checked."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from knowledge.errors import AddressRefused, SourceError
from knowledge.folders import readable

__all__ = ["AddressPolicy", "CheckedNetwork", "Resolve", "host_entry", "is_public", "list_hosts", "read_address"]

Resolve = Callable[..., Iterable[tuple[Any, ...]]]
PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# What Python 3.11 takes for public and is not: protocol assignments (a cloud's metadata lives there), the 6to4 relay,
# Azure's own host, Teredo and its kin, 6to4, local NAT64, documentation, segment routing, site-local.
NOT_PUBLIC = [
    *map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "2002::/16")),
    *map(ipaddress.ip_network, ("64:ff9b:1::/48", "3fff::/20", "5f00::/16", "fec0::/10")),
]
# What an intranet is made of, and this machine; metadata of clouds, multicast and the rest stay out in any case.
PRIVATE = [
    *map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")),
    *map(ipaddress.ip_network, ("fc00::/7", "::1/128")),
]
CLOUD = [*map(ipaddress.ip_network, ("100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128"))]
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class AddressPolicy:
    """`hosts` may be called, written as `list_hosts` gives them, and nothing else.

    `allow_private` opens the addresses of an intranet and of this machine, for the listed hosts only.
    """

    hosts: frozenset[str]
    allow_private: bool = False

    def check(self, address: str) -> httpx.URL:
        """The address taken apart, without its fragment.

        Raises:
            AddressRefused: no http(s) address, one with a user name, or of a host that is not listed.
        """
        url = read_address(address)
        shown = _shown(address)
        if url.userinfo:
            raise AddressRefused(f"'{shown}' came with a user name in it: leave that out.")
        if url.scheme not in PORTS or not url.host:
            raise AddressRefused(f"'{shown}' is no web address: use one that begins with https:// or http://.")
        if host_entry(url) not in self.hosts:
            raise AddressRefused(
                f"'{shown}' is on the host '{host_entry(url)}', which is not listed: "
                "add it to the hosts of this source, or leave the page out."
            )
        return url

    def resolve(self, host: str, port: int, resolve: Resolve = socket.getaddrinfo) -> list[str]:
        """The addresses of a host, each of them checked; a host with one bad address is refused.

        Raises:
            AddressRefused: an address that may not be called.
            SourceError: the host is unknown.
        """
        try:
            found = [str(entry[4][0]) for entry in resolve(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            raise SourceError(f"The host '{host}' is not found: check its name and the network.") from error
        for text in found:
            if not self._may_call(text):
                raise AddressRefused(
                    f"The host '{host}' leads to the address {text}, which is not public: leave it out"
                    f"{'.' if self.allow_private else ', or allow private addresses for this source.'}"
                )
        return list(dict.fromkeys(found))

    def _may_call(self, text: str) -> bool:
        return is_public(text) or (self.allow_private and _is_intranet(text))


def read_address(address: str) -> httpx.URL:
    """An address taken apart and put right, without its fragment.

    Raises:
        AddressRefused: it is none.
    """
    try:
        url = httpx.URL(address.strip()).copy_with(fragment=None)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise AddressRefused(f"'{_shown(address)}' is no web address: correct it.") from error
    if not re.fullmatch(rb"[\w.:-]*", url.raw_host) or (url.port or 0) > 65535:
        raise AddressRefused(f"'{_shown(address)}' has a host or port that cannot be: correct it.")
    return url


def host_entry(url: httpx.URL) -> str:
    """How the host of an address is listed: its port is named where it is none of 80 and 443."""
    host = url.raw_host.decode("ascii").lower().rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = url.port or PORTS.get(url.scheme, 0)
    return host if port in PORTS.values() else f"{host}:{port}"


def list_hosts(entries: Iterable[str]) -> frozenset[str]:
    """The hosts of a list, for `AddressPolicy`: "shop.example" means ports 80 and 443, "shop.example:8080" that port.

    Raises:
        AddressRefused: an entry is no host.
    """
    hosts = set()
    for entry in entries:
        url = read_address(f"https://{entry.strip()}")
        if not url.host or url.raw_path != b"/" or url.userinfo:
            raise AddressRefused(f"'{entry}' is no host: write it like 'shop.example' or 'shop.example:8080'.")
        hosts.add(host_entry(url))
    return frozenset(hosts)


def is_public(text: str) -> bool:
    """Whether an IP address can only be a machine on the public internet."""
    address = _unwrapped(text)
    return (
        address is not None
        and address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local)
        and not any(address in network for network in NOT_PUBLIC)
    )


def _shown(address: str) -> str:
    """The address for people: short, printable, without a user's name and password."""
    return readable(re.sub(r"//[^/]*@", "//", address)[:200])


def _is_intranet(text: str) -> bool:
    address = _unwrapped(text)
    return (
        address is not None
        and any(address in network for network in PRIVATE)
        and not any(address in network for network in CLOUD)
    )


def _unwrapped(text: str) -> Address | None:
    """The address that is meant: an IPv6 one may carry an IPv4 one; None if it is none, or tied to a network card."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return None
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that `policy` has checked a moment before, and to no other; all ends at `deadline`.

    The name is looked up once and the connection goes to what was found: a name that changes its address between
    look-up and call ("DNS rebinding") gains nothing. TLS still checks the certificate against the name.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        deadline: float,
        now: Callable[[], float],
        resolve: Resolve = socket.getaddrinfo,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        self.policy = policy
        self.deadline = deadline
        self.now = now
        self.lookup = resolve
        self.network = network or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that answers.

        Raises:
            SourceError: the host is unknown or one of its addresses may not be called.
            httpcore.NetworkError: none answers in time.
        """
        fault: Exception = httpcore.ConnectError("no address")
        for address in self.policy.resolve(host, port, self.lookup):
            try:
                stream = self.network.connect_tcp(address, port, self._left(timeout), local_address, socket_options)
                return _TimedStream(stream, self._left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault

    def _left(self, timeout: float | None) -> float:
        """Seconds that the next step may take."""
        left = self.deadline - self.now()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for this page is over")
        return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step is cut to the time that is left: no server can drip for ever."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[float | None], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _TimedStream(secured, self._left)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._stream.get_extra_info(info)
