/* The command line. Every option is one row of a table: name, what it sets, within which bounds. */
#include "tring-load/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "net/ifaddr.h"
#include "peer/peer.h"

enum { FPS_MAX = 1000, PACKET_BYTES_MIN = 100, PACKET_BYTES_MAX = 1200 };

void load_options_help(void)
{
    static const char text[] =
        "tring-load: many real WebRTC clients (ICE, DTLS, SRTP) against a server with the Janus "
        "API\n"
        "\n"
        "  tring-load --echo 10                          ten clients that get their media back\n"
        "  tring-load --calls 50 --url ws://host:8188/   fifty two-party calls (100 clients)\n"
        "  tring-load --echo 5 --profile sha1 --pid $(pidof janus)    with the server's CPU time\n"
        "  tring-load --calls 10 --loss 2 --duration 30  clients lose 2 % and ask for it again\n"
        "  tring-load --room 1:40 --video 300:1100:10    one publisher, forty subscribers\n"
        "  tring-load --meeting 10 --simulcast           ten who all see each other\n"
        "  tring-load --calls 10 --tcp                   clients whose network lets no UDP "
        "through\n"
        "  tring-load --echo 10 --turn turns:192.0.2.1 --turn-user u --turn-password p "
        "--relay-only\n"
        "\n"
        "Scenarios (one of them)\n"
        "  --echo N            N clients of janus.plugin.echotest\n"
        "  --calls N           N pairs that call each other by janus.plugin.videocall\n"
        "  --room P:S          P publishers and S subscribers in a room of "
        "janus.plugin.videoroom;\n"
        "                      each subscriber takes all by one PeerConnection\n"
        "  --meeting N         N publishers, each also a subscriber of all others\n"
        "  --rooms R           so many rooms of that kind [1]\n"
        "Server\n"
        "  --url URL           of the Janus API: ws://host:port/path, or http://host:port/janus, "
        "with\n"
        "                      long polls [ws://127.0.0.1:8188/]\n"
        "  --secret TEXT       apisecret\n"
        "  --pid N             the server's process: CPU time, memory\n"
        "Clients\n"
        "  --profile P         gcm128, gcm256, sha1, any [any]\n"
        "  --bind IP           address of the clients [the first of this machine]\n"
        "  --ramp N            clients started a second [20]\n"
        "  --loss PERCENT      media packets dropped on arrival [0]\n"
        "  --gro               receive with UDP_GRO, as no client does: the kernel then hands runs "
        "of\n"
        "                      packets over whole, on loopback without ever cutting them, which "
        "spares\n"
        "                      CPU of both sides that a network would cost\n"
        "  --twcc              negotiate transport-wide congestion control and answer it\n"
        "  --remb KBPS         bandwidth that receivers announce by REMB [1000000]\n"
        "  --tcp               connect to the server's TCP candidates (RFC 6544) and use no UDP; "
        "with --turn\n"
        "                      the relayed address is offered beside that\n"
        "Through a TURN server\n"
        "  --turn URI          turn:IP:port?transport=udp (or tcp), turns:IP:port for TLS; each "
        "client\n"
        "                      offers its relayed address beside its own\n"
        "  --turn-user NAME    its credential; SHA-256 is used where the server offers it\n"
        "  --turn-password P\n"
        "  --relay-only        offer the relayed address alone\n"
        "Media\n"
        "  --video-kbps N      [2600]; 0: no video. With simulcast: of the best layer\n"
        "  --fps N             frames a second: packets come in bursts of a frame [30]\n"
        "  --packet-bytes N    video payload at most [1100]\n"
        "  --frame-spread PCT  frames are up to so much smaller or larger than the mean [0]\n"
        "  --keyframe-every N  frames [300]\n"
        "  --video RATE:BYTES:BURST   instead of these: RATE packets a second of BYTES each, in "
        "frames\n"
        "                      of BURST packets, key frames too\n"
        "  --simulcast         three layers, announced by an SSRC group, of 1/10, 1/3 and all of "
        "the\n"
        "                      bitrate\n"
        "  --audio-bytes N     50 packets a second of so many bytes or a few more [100]; 0: no "
        "audio\n"
        "  --audio RATE:BYTES  RATE packets a second of BYTES each\n"
        "Time\n"
        "  --warmup S          seconds of media before the measurement [2]\n"
        "  --duration S        seconds of measurement [10]\n"
        "  --setup-limit S     seconds until all clients must have media [30]\n"
        "  --quiet             no progress on stderr\n"
        "\n"
        "One JSON object goes to stdout. Exit status 0: all clients had media; 1: some had not;\n"
        "2: wrong usage.\n";
    fputs(text, stdout);
}

static const struct {
    const char *name;
    enum tr_srtp_profile profile;
    const char *official;
} profiles[] = {
    { "any", TR_SRTP_NONE, "any" },
    { "gcm128", TR_SRTP_AEAD_AES_128_GCM, "AEAD_AES_128_GCM" },
    { "gcm256", TR_SRTP_AEAD_AES_256_GCM, "AEAD_AES_256_GCM" },
    { "sha1", TR_SRTP_AES128_CM_SHA1_80, "AES128_CM_SHA1_80" },
};

const char *load_profile_name(enum tr_srtp_profile profile)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(profiles); i++) {
        if (profiles[i].profile == profile)
            return profiles[i].official;
    }
    return "unknown";
}

static bool parse_profile(struct load_options *o, const char *value)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(profiles); i++) {
        if (strcmp(value, profiles[i].name) == 0) {
            o->profile = profiles[i].profile;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *value, double min, double max, double *out)
{
    char *end;
    *out = strtod(value, &end);
    return end != value && *end == '\0' && *out >= min && *out <= max;
}

static bool parse_url(struct load_options *o, const char *url)
{
    static const char ws[] = "ws://", http[] = "http://";
    o->http = strncmp(url, http, sizeof http - 1) == 0;
    if ((!o->http && strncmp(url, ws, sizeof ws - 1) != 0) || strlen(url) >= sizeof o->url)
        return false;
    const char *host = url + (o->http ? sizeof http : sizeof ws) - 1;
    bool v6 = *host == '['; /* RFC 3986: an IPv6 address stands in brackets */
    host += v6;
    size_t n = strcspn(host, v6 ? "]" : ":/");
    if (n == 0 || n >= sizeof o->host || (v6 && host[n] != ']'))
        return false;
    snprintf(o->url, sizeof o->url, "%s", url);
    snprintf(o->host, sizeof o->host, "%.*s", (int)n, host);
    o->port = 80;
    const char *rest = host + n + v6;
    if (*rest == ':') {
        char *end;
        unsigned long port = strtoul(rest + 1, &end, 10);
        if (port == 0 || port > 65535)
            return false;
        o->port = (uint16_t)port;
        rest = end;
    }
    if (*rest && *rest != '/')
        return false;
    return snprintf(o->path, sizeof o->path, "%s", *rest ? rest : "/") < (int)sizeof o->path;
}

/* RFC 7065, with an address in place of a name. */
static bool parse_turn(struct load_options *o, const char *uri)
{
    struct load_turn *t = &o->turn;
    char ip[LOAD_HOST_MAX];
    t->tls = strncmp(uri, "turns:", 6) == 0;
    if ((!t->tls && strncmp(uri, "turn:", 5) != 0) ||
        snprintf(t->uri, sizeof t->uri, "%s", uri) >= (int)sizeof t->uri)
        return false;
    const char *host = uri + (t->tls ? 6 : 5);
    bool v6 = *host == '[';
    host += v6;
    size_t n = strcspn(host, v6 ? "]" : ":?");
    snprintf(ip, sizeof ip, "%.*s", (int)n, host);
    const char *rest = host + n + (v6 && host[n]);
    unsigned long port = t->tls ? 5349 : 3478;
    if (*rest == ':') {
        char *end;
        port = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    if (port == 0 || port > 65535 || tr_addr_parse_ip(&t->server, ip, (uint16_t)port) != TR_OK)
        return false;
    bool tcp = strcmp(rest, "?transport=tcp") == 0;
    t->server.proto = t->tls || tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
    t->on = tcp || *rest == '\0' || (!t->tls && strcmp(rest, "?transport=udp") == 0);
    return t->on;
}

static bool copy_text(const char *value, char *out, size_t size)
{
    return snprintf(out, size, "%s", value) < (int)size;
}

/* Up to three numbers with colons between them; how many there are, 0: not such a text. */
static int parse_list(const char *value, double max, double *out, int room)
{
    for (int n = 0; n < room;) {
        char *end;
        out[n++] = strtod(value, &end);
        if (end == value || !(out[n - 1] >= 1 && out[n - 1] <= max))
            return 0;
        if (*end == '\0')
            return n;
        if (*end != ':')
            return 0;
        value = end + 1;
    }
    return 0;
}

static bool set_scenario(struct load_options *o, enum load_scenario scenario, double publishers,
                         double subscribers)
{
    if (o->scenario != LOAD_NOTHING)
        return false; /* one only */
    o->scenario = scenario;
    o->publishers = (int)publishers;
    o->subscribers = (int)subscribers;
    return true;
}

static bool parse_room(struct load_options *o, const char *value)
{
    double n[2];
    return parse_list(value, LOAD_CLIENTS_MAX, n, 2) == 2 && set_scenario(o, LOAD_ROOM, n[0], n[1]);
}

static bool parse_video(struct load_options *o, const char *value)
{
    double n[3];
    if (parse_list(value, 1e6, n, 3) != 3 || n[1] < PACKET_BYTES_MIN || n[1] > PACKET_BYTES_MAX ||
        n[2] > TR_PEER_RUN_MAX)
        return false;
    uint32_t rate = (uint32_t)n[0];
    o->packet_bytes = (uint32_t)n[1];
    o->frame_packets = (uint32_t)n[2];
    o->fps = rate / o->frame_packets;
    o->video_bps = rate * o->packet_bytes * 8;
    return rate % o->frame_packets == 0 && o->fps <= FPS_MAX;
}

static bool parse_audio(struct load_options *o, const char *value)
{
    double n[2];
    if (parse_list(value, 1000, n, 2) != 2 || n[0] > 400)
        return false;
    o->audio_pps = (uint32_t)n[0];
    o->audio_bytes = (uint32_t)n[1];
    return o->audio_even = true;
}

/* Options whose value is a number. */
static bool set_number(struct load_options *o, const char *name, double v)
{
    if (strcmp(name, "--echo") == 0)
        return set_scenario(o, LOAD_ECHO, v, 0);
    if (strcmp(name, "--calls") == 0)
        return set_scenario(o, LOAD_CALLS, 2 * v, 0);
    if (strcmp(name, "--meeting") == 0)
        return set_scenario(o, LOAD_MEETING, v, v);
    if (strcmp(name, "--rooms") == 0)
        o->rooms = (int)v;
    else if (strcmp(name, "--pid") == 0)
        o->pid = (pid_t)v;
    else if (strcmp(name, "--ramp") == 0)
        o->ramp = v;
    else if (strcmp(name, "--loss") == 0)
        o->loss = v / 100;
    else if (strcmp(name, "--remb") == 0)
        o->remb_bps = (uint32_t)(v * 1000);
    else if (strcmp(name, "--video-kbps") == 0)
        o->video_bps = (uint32_t)(v * 1000);
    else if (strcmp(name, "--fps") == 0)
        o->fps = (uint32_t)v;
    else if (strcmp(name, "--packet-bytes") == 0)
        o->packet_bytes = (uint32_t)v;
    else if (strcmp(name, "--frame-spread") == 0)
        o->spread_pct = (uint32_t)v;
    else if (strcmp(name, "--keyframe-every") == 0)
        o->keyframe_every = (uint32_t)v;
    else if (strcmp(name, "--audio-bytes") == 0)
        o->audio_bytes = (uint32_t)v;
    else if (strcmp(name, "--warmup") == 0)
        o->warmup = (tr_usec)(v * TR_SECOND);
    else if (strcmp(name, "--duration") == 0)
        o->duration = (tr_usec)(v * TR_SECOND);
    else
        o->setup_limit = (tr_usec)(v * TR_SECOND);
    return true;
}

static const struct {
    const char *name;
    double min, max;
} numbers[] = {
    { "--echo", 1, LOAD_CLIENTS_MAX },
    { "--calls", 1, LOAD_CLIENTS_MAX / 2 },
    { "--meeting", 2, TR_PEER_TRACKS_MAX / 2 + 1 },
    { "--rooms", 1, 10000 },
    { "--pid", 1, 1 << 30 },
    { "--ramp", 0.1, 10000 },
    { "--loss", 0, 90 },
    { "--remb", 1, 4000000 },
    { "--video-kbps", 0, 100000 },
    { "--fps", 1, FPS_MAX },
    { "--packet-bytes", PACKET_BYTES_MIN, PACKET_BYTES_MAX },
    { "--frame-spread", 0, 90 },
    { "--keyframe-every", 1, 1000000 },
    { "--audio-bytes", 0, 1000 },
    { "--warmup", 0, 3600 },
    { "--duration", 0.1, 86400 },
    { "--setup-limit", 1, 3600 },
};

enum taken { TAKEN_NOT, TAKEN_OK, TAKEN_BAD };

static enum taken take_number(struct load_options *o, const char *name, const char *value)
{
    double v;
    for (size_t i = 0; i < TR_ARRAY_LEN(numbers); i++) {
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        bool ok = value && parse_number(value, numbers[i].min, numbers[i].max, &v) &&
                  set_number(o, name, v);
        return ok ? TAKEN_OK : TAKEN_BAD;
    }
    return TAKEN_NOT;
}

static bool set_bind(struct load_options *o, const char *value)
{
    return tr_addr_parse_ip(&o->bind, value, 0) == TR_OK;
}

static bool set_secret(struct load_options *o, const char *value)
{
    return copy_text(value, o->secret, sizeof o->secret);
}

static bool set_turn_user(struct load_options *o, const char *value)
{
    return copy_text(value, o->turn.user, sizeof o->turn.user);
}

static bool set_turn_password(struct load_options *o, const char *value)
{
    return copy_text(value, o->turn.password, sizeof o->turn.password);
}

static const struct {
    const char *name;
    bool (*set)(struct load_options *o, const char *value);
} texts[] = {
    { "--url", parse_url },           { "--room", parse_room },
    { "--video", parse_video },       { "--audio", parse_audio },
    { "--profile", parse_profile },   { "--bind", set_bind },
    { "--secret", set_secret },       { "--turn", parse_turn },
    { "--turn-user", set_turn_user }, { "--turn-password", set_turn_password },
};

static enum taken take_text(struct load_options *o, const char *name, const char *value)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(texts); i++) {
        if (strcmp(name, texts[i].name) == 0)
            return value && texts[i].set(o, value) ? TAKEN_OK : TAKEN_BAD;
    }
    return TAKEN_NOT;
}

static bool take_flag(struct load_options *o, const char *name)
{
    if (strcmp(name, "--gro") == 0)
        return o->gro = true;
    if (strcmp(name, "--quiet") == 0)
        return o->quiet = true;
    if (strcmp(name, "--tcp") == 0)
        return o->tcp = true;
    if (strcmp(name, "--relay-only") == 0)
        return o->relay_only = true;
    if (strcmp(name, "--rid") == 0)
        return o->rids = true;
    if (strcmp(name, "--twcc") == 0)
        return o->twcc = true;
    if (strcmp(name, "--simulcast") != 0)
        return false;
    o->layers = TR_TRACK_LAYERS;
    return true;
}

static bool take_all(struct load_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (take_flag(o, argv[i]))
            continue;
        enum taken t = take_number(o, argv[i], value);
        if (t == TAKEN_NOT)
            t = take_text(o, argv[i], value);
        if (t != TAKEN_OK) {
            fprintf(stderr, "tring-load: %s %s %s (--help tells more)\n",
                    t == TAKEN_NOT ? "unknown option" : "bad or missing value:", argv[i],
                    t == TAKEN_NOT || !value ? "" : value);
            return false;
        }
        i++;
    }
    return true;
}

/* What the options mean together; NULL, or what is wrong. */
static const char *settle(struct load_options *o)
{
    o->video = o->video_bps > 0;
    o->audio = o->audio_bytes > 0;
    bool rooms = o->scenario == LOAD_ROOM || o->scenario == LOAD_MEETING;
    double clients = (double)o->rooms * (o->publishers + o->subscribers);
    int tracks = (o->publishers - (o->scenario == LOAD_MEETING)) * (o->video + o->audio);
    if (o->scenario == LOAD_NOTHING || (!o->video && !o->audio))
        return "nothing to do: give --echo N, --calls N, --room P:S or --meeting N";
    if (!rooms && (o->rooms > 1 || o->layers > 1))
        return "--rooms and --simulcast are for rooms";
    if (o->rids && o->layers == 1)
        return "--rid goes with --simulcast";
    if (o->relay_only && !o->turn.on)
        return "--relay-only needs --turn";
    if (o->relay_only && o->tcp)
        return "--relay-only leaves nothing to --tcp";
    if (o->layers > 1 && o->frame_packets)
        return "simulcast goes by --video-kbps";
    if (rooms && tracks > TR_PEER_TRACKS_MAX)
        return "more publishers than a subscriber can take";
    if (clients > LOAD_CLIENTS_MAX)
        return "too many clients";
    o->clients = (int)clients;
    return NULL;
}

enum load_parsed load_options_parse(struct load_options *o, int argc, char **argv)
{
    *o = (struct load_options){ .warmup = 2 * TR_SECOND,
                                .duration = 10 * TR_SECOND,
                                .setup_limit = 30 * TR_SECOND,
                                .ramp = 20,
                                .rooms = 1,
                                .layers = 1,
                                .video_bps = 2600000,
                                .remb_bps = 1000000000,
                                .fps = 30,
                                .packet_bytes = 1100,
                                .keyframe_every = 300,
                                .audio_pps = 50,
                                .audio_bytes = 100 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return LOAD_HELP;
    }
    bool ok = parse_url(o, "ws://127.0.0.1:8188/");
    if (tr_ifaddr_list(&o->bind, 1, false) < 1)
        o->bind = tr_addr_v4(127, 0, 0, 1, 0);
    if (!ok || !take_all(o, argc, argv))
        return LOAD_WRONG;
    const char *wrong = settle(o);
    if (wrong)
        fprintf(stderr, "tring-load: %s (--help tells more)\n", wrong);
    return wrong ? LOAD_WRONG : LOAD_RUN;
}
