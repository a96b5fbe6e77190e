"""Rules of nftables for routers of each kind. Device `wan` leads to the internet, `lan` home.

Kinds are by what RFC 4787 tells apart: whether the outer port depends on whom one talks to
(mapping), and who may answer (filtering). A plain source NAT of Linux keeps neither promise of a
cone, for its ports belong to connections; so the cones here keep a table of their own."""

# Mapping independent of the peer: an inner port has one outer port, whoever sends to it.
CONE = """
table ip nat {{
  map inner {{
    type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65535;
  }}
  chain in {{
    type nat hook prerouting priority dstnat;
    iifname "wan" meta l4proto udp dnat to udp dport map @inner
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "wan" meta l4proto udp update @inner {{ udp sport : ip saddr . udp sport }}
    oifname "wan" snat to {wan}
  }}
}}
"""

ANY_MAY_ANSWER = ""

# Who was sent to before may answer from any port.
ADDRESS_MAY_ANSWER = """
table ip filter {
  set asked {
    type ipv4_addr . inet_service . ipv4_addr; flags dynamic,timeout; timeout 300s; size 65535;
  }
  chain through {
    type filter hook forward priority filter;
    oifname "wan" meta l4proto udp update @asked { ip saddr . udp sport . ip daddr }
    iifname "wan" meta l4proto udp ip daddr . udp dport . ip saddr @asked accept
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }
}
"""

# Only from the very port that was sent to: what most homes have.
PORT_MAY_ANSWER = """
table ip filter {
  chain through {
    type filter hook forward priority filter;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }
}
"""

# Mapping by peer: each conversation has another outer port.
SYMMETRIC = """
table ip nat {
  chain out {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade fully-random
  }
}
"""

# What a company lets out. Both refuse loudly, as most do.
NO_UDP = """
table ip company {
  chain through {
    type filter hook forward priority 10;
    iifname "lan" meta l4proto udp reject
  }
}
"""

ONLY_TCP_443 = """
table ip company {
  chain through {
    type filter hook forward priority 10;
    iifname "lan" tcp dport 443 accept
    iifname "lan" meta l4proto tcp reject with tcp reset
    iifname "lan" drop
  }
}
"""


def full_cone(wan):
    return CONE.format(wan=wan) + ANY_MAY_ANSWER


def address_restricted(wan):
    return CONE.format(wan=wan) + ADDRESS_MAY_ANSWER


def port_restricted(wan):
    return CONE.format(wan=wan) + PORT_MAY_ANSWER


def symmetric(wan):
    del wan  # whichever address the device has
    return SYMMETRIC + PORT_MAY_ANSWER


def udp_blocked(wan):
    return symmetric(wan) + NO_UDP


def only_tcp_443(wan):
    return symmetric(wan) + ONLY_TCP_443
