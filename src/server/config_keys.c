/* Every key of the configuration, once: what it is called, what it may be, what it means. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "server/config_keys.h"
#include "turn/policy.h"

static bool check_ip(const char *value, const char **why)
{
    struct tr_addr addr;
    *why = "is not an IP address";
    return tr_addr_parse_ip(&addr, value, 0) == TR_OK;
}

/* "public" or "public/private" */
static bool check_mapping(const char *value, const char **why)
{
    char copy[2 * TR_ADDR_STR_MAX];
    struct tr_addr public_ip, private_ip;
    *why = "is not an IP address, or public/private of one family";
    size_t n = strlen(value);
    if (n >= sizeof(copy))
        return false;
    memcpy(copy, value, n + 1);
    char *slash = strchr(copy, '/');
    if (!slash)
        return check_ip(copy, why);
    *slash = 0;
    return tr_addr_parse_ip(&public_ip, copy, 0) == TR_OK &&
           tr_addr_parse_ip(&private_ip, slash + 1, 0) == TR_OK &&
           tr_addr_is_v4(&public_ip) == tr_addr_is_v4(&private_ip);
}

static bool check_relay_ip(const char *value, const char **why)
{
    struct tr_addr addr;
    *why = "is not the IP address of an interface";
    return tr_addr_parse_ip(&addr, value, 0) == TR_OK && !tr_addr_is_any(&addr);
}

static bool check_range(const char *value, const char **why)
{
    *why = "is not an IP address or a range such as 10.1.0.0/16, with nothing behind its prefix";
    return tr_turn_policy_takes(value);
}

static bool check_port(const char *value, const char **why)
{
    *why = "is not a port";
    char *end;
    unsigned long port = strtoul(value, &end, 10);
    return *value >= '1' && *value <= '9' && !*end && port <= UINT16_MAX;
}

/* "name:password" */
static bool check_user(const char *value, const char **why)
{
    const char *colon = strchr(value, ':');
    *why = "is not a name and a password with ':' between them, of less than 128 characters each";
    return colon && colon != value && colon[1] && colon - value < 128 && strlen(colon + 1) < 128;
}

static bool check_host_port(const char *value, const char **why)
{
    const char *colon = strrchr(value, ':');
    *why = "is not \"host:port\"";
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    return colon && colon != value && digits > 0 && digits < 6 && !colon[1 + digits];
}

static bool check_base_path(const char *value, const char **why)
{
    *why = "is not a path such as \"/janus\" (a slash, then letters, digits, '-' or '_')";
    size_t n = strlen(value);
    return n > 1 && value[0] == '/' &&
           strspn(value + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
               n - 1;
}

#define KEY(section, name) #section "." #name
#define AT(section, name) offsetof(struct tr_config, section.name)
#define TEXT(section, name, value, check, doc)                                                     \
    {                                                                                              \
        KEY(section, name), TR_CONFIG_TEXT, AT(section, name), value, 0, 0, NULL, check, doc       \
    }
#define NUMBER(section, name, value, min, max, doc)                                                \
    {                                                                                              \
        KEY(section, name), TR_CONFIG_INT, AT(section, name), value, min, max, NULL, NULL, doc     \
    }
#define FLAG(section, name, value, doc)                                                            \
    {                                                                                              \
        KEY(section, name), TR_CONFIG_BOOL, AT(section, name), value, 0, 0, NULL, NULL, doc        \
    }
#define CHOICE(section, name, value, choices, doc)                                                 \
    {                                                                                              \
        KEY(section, name), TR_CONFIG_ENUM, AT(section, name), value, 0, 0, choices, NULL, doc     \
    }
#define LIST(section, name, value, choices, check, doc)                                            \
    {                                                                                              \
        KEY(section, name), TR_CONFIG_LIST, AT(section, name), value, 0, 0, choices, check, doc    \
    }

const struct tr_config_section tr_config_sections[] = {
    { "server", "The server as a whole." },
    { "http", "Web pages, the Janus API over HTTP and WebSocket, and the health probes." },
    { "admin", "The Admin API (HTTP, and WebSocket sub-protocol janus-admin-protocol)." },
    { "api", "Who may use the Janus API, and its limits." },
    { "media", "WebRTC media: one UDP port for everything." },
    { "turn", "STUN and the relay (TURN), for clients whose network lets nothing else through." },
    { "videoroom", "Video rooms." },
    { "recording", "Recording of calls, and the files that are made of them." },
    { "recording.render", "The program that makes files of recordings." },
    { "web", "The web pages." },
    { "ops", "What operators see: the page /ops/ of the Admin port." },
    { NULL, NULL },
};

const struct tr_config_key tr_config_keys[] = {
    TEXT(server, name, "tring", NULL, "Name told to clients (server-name in the answer to info)."),
    TEXT(server, data_dir, "data", NULL,
         "Folder for everything that is kept: database, recordings, the Admin secret."),
    CHOICE(server, log_level, "info", "error|warn|info|debug", "What is written to stderr."),

    TEXT(http, listen, "", check_ip, "Address to listen on; empty: all."),
    NUMBER(http, port, "8088", 0, 65535,
           "Web pages, /janus, and WebSocket at / and /janus; 0: off."),
    NUMBER(http, ws_port, "8188", 0, 65535, "WebSocket alone; 0: off."),
    TEXT(http, base_path, "/janus", check_base_path, "Where the Janus API is."),
    TEXT(
        http, allow_origin, "", NULL,
        "The origin that pages of other servers may have (CORS); empty: any, without credentials."),
    FLAG(http, enforce_cors, "false", "Refuse requests from other origins (403)."),
    NUMBER(http, body_max, "262144", 1024, 16777216,
           "Bytes of a request's body or WebSocket message; more is answered 413, or closes 1009."),
    NUMBER(http, connections_max, "4096", 16, 1000000,
           "Connections at the same time; of one address (IPv6: one /64) at most a quarter."),
    NUMBER(http, tls_port, "8089", 0, 65535, "As port, with TLS; used with tls_cert; 0: off."),
    NUMBER(http, tls_ws_port, "8989", 0, 65535,
           "As ws_port, with TLS; used with tls_cert; 0: off."),
    TEXT(http, tls_cert, "", NULL,
         "PEM file of the certificate and its chain; looked at each minute; empty: no TLS."),
    TEXT(http, tls_key, "", NULL, "PEM file of the private key."),
    LIST(http, trusted_proxies, "", NULL, check_ip,
         "Addresses of proxies whose X-Forwarded-For is believed."),

    TEXT(admin, listen, "127.0.0.1", check_ip, "Address to listen on."),
    NUMBER(admin, port, "7088", 0, 65535, "Port; 0: off."),
    TEXT(admin, base_path, "/admin", check_base_path, "Where the Admin API is."),
    TEXT(admin, secret, "", NULL,
         "Required in every request (admin_secret); empty: one is made at the first start and kept "
         "in data_dir/admin.secret."),

    TEXT(api, secret, "", NULL, "Required in every request (apisecret); empty: none."),
    FLAG(api, token_auth, "false", "Require tokens that are managed by the Admin API."),
    TEXT(api, token_auth_secret, "", NULL, "Key of signed tokens (HMAC-SHA1); empty: none."),
    NUMBER(api, session_timeout, "60", 0, 86400,
           "Seconds without a request after which a session ends; 0: never. Clients ask each 25."),
    NUMBER(api, reclaim_session_timeout, "10", 0, 86400,
           "Seconds that a session waits to be claimed when its WebSocket is lost."),
    NUMBER(api, candidates_timeout, "45", 1, 600,
           "Seconds that trickled candidates wait for their SDP."),
    FLAG(api, opaqueid_in_api, "false", "Put the opaque_id of a handle into its events."),
    FLAG(api, hide_dependencies, "false", "Do not tell versions of libraries in info."),
    NUMBER(api, sessions_max, "65536", 1, 1000000, "Sessions at the same time."),
    NUMBER(api, handles_per_session_max, "256", 1, 65536, "Handles of one session."),
    NUMBER(api, events_max, "1000", 10, 100000,
           "Events kept for a session that does not fetch them; the oldest goes first."),
    NUMBER(api, rate_per_second, "500", 0, 1000000,
           "Requests a second from one address (IPv6: one /64); 0: no limit."),
    NUMBER(api, rate_burst, "2000", 1, 10000000, "Requests in a row before that limit counts."),

    NUMBER(media, port, "10000", 1, 65535, "The UDP port."),
    NUMBER(media, tcp_port, "-1", -1, 65535,
           "TCP port for clients whose network lets no UDP through (ICE-TCP); -1: the number of "
           "media.port; 0: off."),
    LIST(media, bind, "", NULL, check_ip,
         "Addresses to bind and to offer; empty: those of this machine that last, eight at most."),
    LIST(
        media, nat_1_1_mapping, "", NULL, check_mapping,
        "Public addresses when the machine is behind a 1:1 NAT: \"public\" or \"public/private\"."),
    TEXT(media, stun_server, "", check_host_port,
         "\"host:port\" of a STUN server that is asked at start for the public addresses that "
         "nat_1_1_mapping does not name; empty: none."),
    FLAG(media, keep_private_host, "false", "Offer the private addresses too, behind a 1:1 NAT."),
    NUMBER(media, workers, "0", 0, 64, "Media threads; 0: one for each core but one."),
    NUMBER(media, consent, "30", 5, 300, "Seconds of silence after which a connection is gone."),
    LIST(media, srtp_profiles, "AEAD_AES_128_GCM,AEAD_AES_256_GCM,AES_CM_128_HMAC_SHA1_80",
         "AEAD_AES_128_GCM|AEAD_AES_256_GCM|AES_CM_128_HMAC_SHA1_80", NULL,
         "SRTP profiles, best first."),
    NUMBER(media, packets_max, "65536", 1024, 16777216, "Packets that a worker may hold."),
    FLAG(media, gso, "true", "Send runs of packets in one call (UDP_SEGMENT) where possible."),
    NUMBER(
        media, coalesce, "500", 0, 10000,
        "Microseconds within which packets that come at short intervals share a wake-up, as "
        "network cards do it (ethtool's rx-usecs); a packet that comes alone never waits. 0: off."),

    FLAG(turn, enabled, "true", "Have a relay; its clients get credentials from this server."),
    NUMBER(turn, port, "3478", 1, 65535, "UDP and TCP port of STUN and TURN."),
    NUMBER(turn, other_port, "0", 0, 65535,
           "A second UDP port for clients that ask what kind of NAT they are behind (RFC 5780); "
           "needs two addresses of one family; 0: off."),
    NUMBER(
        turn, tls_port, "5349", 0, 65535,
        "TCP port of TURN in TLS, and UDP port of TURN in DTLS; used with a certificate; 0: off."),
    LIST(turn, tls_ports, "", NULL, check_port, "More of them, such as 443; three at most."),
    TEXT(turn, tls_cert, "", NULL,
         "PEM file of the certificate and its chain; empty: http.tls_cert and http.tls_key."),
    TEXT(turn, tls_key, "", NULL, "PEM file of the private key."),
    LIST(turn, bind, "", NULL, check_relay_ip,
         "Addresses to listen on and to relay from; empty: those of media.bind."),
    TEXT(turn, host, "", NULL,
         "Name or address that clients are told to reach the relay by; empty: the one they reached "
         "this server by."),
    TEXT(turn, realm, "tring", NULL, "Realm of the credentials."),
    LIST(turn, secrets, "", NULL, NULL,
         "Shared secrets of time-limited credentials, the one to issue with first; two at most, so "
         "that one can replace the other. Empty: one is made at each start."),
    LIST(turn, users, "", NULL, check_user, "Lasting credentials: \"name:password\"."),
    CHOICE(turn, peers, "trusted", "own|trusted|public",
           "Who may reach any public address by the relay, besides this server's media: own: "
           "nobody; trusted: those with a credential of turn.users or made with turn.secrets by "
           "others; public: also whoever asks this server for one. `tring turn` always takes "
           "public."),
    LIST(turn, allow_peers, "", NULL, check_range,
         "Addresses and ranges (10.1.0.0/16) that may be reached as well. An address of this "
         "machine only counts when it is named itself."),
    LIST(turn, deny_peers, "", NULL, check_range,
         "Addresses and ranges that may not be reached; goes before allow_peers."),
    NUMBER(turn, min_port, "49152", 1024, 65535, "First UDP port of relayed addresses."),
    NUMBER(turn, max_port, "65535", 1024, 65535, "Last one."),
    NUMBER(turn, allocations_max, "16384", 1, 1000000, "Relayed addresses at the same time."),
    NUMBER(turn, allocations_per_address, "1024", 0, 1000000,
           "... of one client address (IPv6: one /64); 0: no limit."),
    NUMBER(turn, allocations_per_credential, "12", 0, 1000000,
           "... of one credential; 0: no limit."),
    NUMBER(turn, allocation_bps, "20000000", 0, INT64_C(4000000000),
           "Bits a second that one relayed address may carry, each way; 0: no limit."),
    NUMBER(turn, allocation_pps, "20000", 0, 100000000, "... packets; 0: no limit."),
    NUMBER(turn, credential_bps, "0", 0, INT64_MAX, "... all of one credential; 0: no limit."),
    NUMBER(turn, node_bps, "0", 0, INT64_MAX, "... of this server; 0: no limit."),
    NUMBER(turn, unproven_per_second, "50", 0, 1000000,
           "Answers a second to an address that has not shown a valid credential; 0: no limit."),
    NUMBER(turn, lifetime, "600", 1, 86400, "Seconds that a relayed address lives unrefreshed."),
    NUMBER(turn, lifetime_max, "3600", 1, 86400, "... when the client asks for more."),
    NUMBER(turn, credential_life, "3600", 30, 604800,
           "Seconds within which an issued credential must be used; what it opened lives on."),
    FLAG(turn, mobility, "true", "Let clients keep their relayed address when they move."),

    TEXT(videoroom, admin_key, "", NULL,
         "Required to create rooms, and to see private ones in lists; empty: anybody may create."),
    TEXT(videoroom, mjr_dir, "", NULL,
         "Rooms whose rec_dir is in this folder leave .mjr files there, as Janus does; empty: "
         "none."),
    FLAG(
        videoroom, lock_rtp_forward, "true",
        "rtp_forward and the like require admin_key: else whoever may create a room could have the "
        "server send packets anywhere."),
    FLAG(videoroom, string_ids, "false", "Ids of rooms and users are strings, not integers."),
    FLAG(videoroom, demo_room, "true", "Have a room 1234, which the demo pages use."),
    TEXT(videoroom, demo_secret, "", NULL,
         "Secret of the demo room; empty: one that nobody knows."),
    LIST(videoroom, rooms, "", NULL, NULL,
         "Rooms that are there from the start: bodies of create requests as JSON, such as "
         "'{\"room\": 5678, \"description\": \"Team\", \"publishers\": 10}'."),
    NUMBER(videoroom, rooms_max, "10000", 1, 1000000, "Rooms at the same time."),
    NUMBER(videoroom, participants_max, "10000", 1, 1000000,
           "People that one room may hold as publishers, and as many as subscribers."),

    FLAG(recording, calls, "true", "Record every call of the support desk."),
    TEXT(recording, dir, "", NULL, "Folder of the recordings; empty: data_dir/recordings."),
    NUMBER(recording, keep_originals, "24", 0, 87600,
           "Hours that the originals are kept after their file was made and verified."),
    NUMBER(recording, disk_min_free, "1073741824", 0, INT64_MAX,
           "Bytes that must be free for a recording to start; those that run go on."),
    TEXT(recording, render.path, "", NULL, "The program; empty: tring-render beside tring."),
    NUMBER(recording, render.nice, "10", 0, 19, "Its nice value."),
    NUMBER(recording, render.threads, "0", 0, 64, "Its threads; 0: as many as it likes."),
    NUMBER(recording, render.fps, "25", 1, 60, "Pictures a second."),
    NUMBER(recording, render.height, "480", 120, 2160, "Height of the picture."),

    TEXT(web, root, "", NULL,
         "Folder of the web pages; empty: the one that came with the program."),
    TEXT(web, agent_key, "", NULL,
         "Key that agents must give, on this machine as well; empty: agents work on this machine "
         "alone, without a key."),
    { NULL },
    NUMBER(ops, keep_days, "30", 1, 3650, "Days that the summary of a connection is kept."),
    NUMBER(ops, keep_max, "10000", 1, 1000000, "Summaries that are kept at most."),
};
