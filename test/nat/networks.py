"""The internet of the test, its server, and each kind of network that customers sit in.

Any address will do inside of namespaces; the public ones here are of ranges that the relay takes
for public, unlike those which are set aside for documentation."""
import dataclasses

import nat
from topology import Host

PUBLIC = "44.10.0.{}"
PUBLIC6 = "2a10:44::{}"
SERVER = PUBLIC.format(1)  # web and media
SERVER_TURN = PUBLIC.format(2)  # TURN, also on port 443; the second address of RFC 5780
SERVER6 = PUBLIC6.format(1)
SERVER6_TURN = PUBLIC6.format(2)
HOME = "192.168.{}.{}"
CGNAT = "100.64.{}.{}"


@dataclasses.dataclass
class Network:
    name: str
    title: str
    host: Host
    address: str  # of the client
    number: int
    router: Host = None
    udp: bool = True
    only_443: bool = False
    v6: bool = False

    @property
    def server(self):
        return f"[{SERVER6}]" if self.v6 else SERVER

    @property
    def turn(self):
        return f"[{SERVER6_TURN}]" if self.v6 else SERVER_TURN


def internet(lab):
    """The switch in the middle, and the server with two addresses of each family."""
    switch = lab.switch("internet")
    server = lab.host("server")
    lab.plug(server, "wan", switch)
    for address in (SERVER, SERVER_TURN):
        server.address("wan", f"{address}/24")
    for address in (SERVER6, SERVER6_TURN):
        server.address("wan", f"{address}/64")
    return switch, server


def router(lab, switch, name, wan, rules):
    """A router with its outer side on the switch; its inner side is plugged by others."""
    made = lab.host(name)
    lab.plug(made, "wan", switch)
    made.set(net__ipv4__ip_forward=1)
    made.address("wan", f"{wan}/24")
    made.filter(rules(wan))
    return made


def behind(lab, name, gateway, number):
    """A client in the home network of a router."""
    client = lab.host(name)
    lab.cable(client, "eth0", gateway, "lan")
    gateway.address("lan", f"{HOME.format(number, 1)}/24")
    address = HOME.format(number, 2)
    client.address("eth0", f"{address}/24")
    client.route(HOME.format(number, 1))
    return client, address


def home(lab, switch, number, name, title, rules, **more):
    gateway = router(lab, switch, f"{name}-nat", PUBLIC.format(100 + number), rules)
    client, address = behind(lab, name, gateway, number)
    return Network(name, title, client, address, number, gateway, **more)


def public(lab, switch, number, name, title):
    client = lab.host(name)
    lab.plug(client, "eth0", switch)
    address = PUBLIC.format(100 + number)
    client.address("eth0", f"{address}/24")
    return Network(name, title, client, address, number)


def only_v6(lab, switch, number, name, title):
    client = lab.host(name)
    lab.plug(client, "eth0", switch)
    address = PUBLIC6.format(100 + number)
    client.address("eth0", f"{address}/64")
    return Network(name, title, client, address, number, v6=True)


def double(lab, switch, number, name, title):
    """A home router behind the symmetric NAT of a provider."""
    provider = router(lab, switch, f"{name}-isp", PUBLIC.format(100 + number), nat.symmetric)
    gateway = lab.host(f"{name}-nat")
    lab.cable(gateway, "wan", provider, "lan")
    provider.address("lan", f"{CGNAT.format(number, 1)}/24")
    wan = CGNAT.format(number, 2)
    gateway.address("wan", f"{wan}/24")
    gateway.route(CGNAT.format(number, 1))
    gateway.set(net__ipv4__ip_forward=1)
    gateway.filter(nat.port_restricted(wan))
    client, address = behind(lab, name, gateway, number)
    return Network(name, title, client, address, number, gateway)


def moving(lab, switch, number, name, title):
    """A phone at home, with mobile data beside it: use_second leads it there."""
    made = home(lab, switch, number, name, title, nat.symmetric)
    mobile = router(lab, switch, f"{name}-2nd", PUBLIC.format(200 + number), nat.symmetric)
    lab.cable(made.host, "eth1", mobile, "lan")
    mobile.address("lan", f"{CGNAT.format(number, 1)}/24")
    made.host.address("eth1", f"{CGNAT.format(number, 2)}/24")
    made.host.ip("link", "set", "eth1", "down")
    return made


def use_second(network):
    """The first uplink is gone, address and all; the second takes its place."""
    network.host.ip("link", "set", "eth0", "down")
    network.host.ip("link", "set", "eth1", "up")
    network.host.route(CGNAT.format(network.number, 1))


def use_first(network):
    network.host.ip("link", "set", "eth1", "down")
    network.host.ip("link", "set", "eth0", "up")
    network.host.route(HOME.format(network.number, 1))


def renumber(network, last):
    """The provider gives the home another address: the router's connections are gone with it.
    (Masquerading forgets those of an address that is taken away.)"""
    network.router.ip("address", "flush", "dev", "wan")
    network.router.address("wan", f"{PUBLIC.format(last)}/24")


KINDS = {
    "open": (public, "public address"),
    "cone": (home, "full cone", nat.full_cone),
    "address": (home, "address-restricted cone", nat.address_restricted),
    "port": (home, "port-restricted cone", nat.port_restricted),
    "symm": (home, "symmetric", nat.symmetric),
    "double": (double, "double: home and CGNAT"),
    "noudp": (home, "UDP blocked", nat.udp_blocked),
    "tcp443": (home, "all but TCP 443 blocked", nat.only_tcp_443),
    "ipv6": (only_v6, "IPv6 only"),
    "moves": (moving, "changes its address"),
}
MORE = {"noudp": {"udp": False}, "tcp443": {"udp": False, "only_443": True}}


def clients(lab, switch, names):
    made = []
    for number, (name, (build, *arguments)) in enumerate(KINDS.items(), 1):
        if name in names:
            made.append(build(lab, switch, number, name, *arguments, **MORE.get(name, {})))
    return made
