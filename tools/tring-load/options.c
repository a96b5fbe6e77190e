/* The command line. Every option is one row of a table: name, what it sets, within which bounds. */
#include "tring-load/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "net/ifaddr.h"

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
        "\n"
        "Scenarios (one of them)\n"
        "  --echo N            N clients of janus.plugin.echotest\n"
        "  --calls N           N pairs that call each other by janus.plugin.videocall\n"
        "Server\n"
        "  --url URL           ws://host:port/path of the Janus API [ws://127.0.0.1:8188/]\n"
        "  --secret TEXT       apisecret\n"
        "  --pid N             the server's process: CPU time, memory\n"
        "Clients\n"
        "  --profile P         gcm128, gcm256, sha1, any [any]\n"
        "  --bind IP           address of the clients [the first of this machine]\n"
        "  --ramp N            clients started a second [20]\n"
        "  --loss PERCENT      media packets dropped on arrival [0]\n"
        "  --gro               receive with UDP_GRO (spares the CPU of this side)\n"
        "Media\n"
        "  --video-kbps N      [2600]; 0: no video\n"
        "  --fps N             frames a second: packets come in bursts of a frame [30]\n"
        "  --packet-bytes N    video payload at most [1100]\n"
        "  --keyframe-every N  frames [300]\n"
        "  --audio-bytes N     50 packets a second of so many bytes [100]; 0: no audio\n"
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
    static const char scheme[] = "ws://";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || strlen(url) >= sizeof o->url)
        return false;
    const char *host = url + sizeof scheme - 1;
    size_t n = strcspn(host, ":/");
    if (n == 0 || n >= sizeof o->host)
        return false;
    snprintf(o->url, sizeof o->url, "%s", url);
    snprintf(o->host, sizeof o->host, "%.*s", (int)n, host);
    o->port = 80;
    const char *rest = host + n;
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

static bool set_clients(struct load_options *o, enum load_scenario scenario, double n)
{
    if (o->clients > 0)
        return false; /* one scenario only */
    o->scenario = scenario;
    o->clients = (int)n * (scenario == LOAD_CALLS ? 2 : 1);
    return true;
}

/* Options whose value is a number. */
static bool set_number(struct load_options *o, const char *name, double v)
{
    if (strcmp(name, "--echo") == 0)
        return set_clients(o, LOAD_ECHO, v);
    if (strcmp(name, "--calls") == 0)
        return set_clients(o, LOAD_CALLS, v);
    if (strcmp(name, "--pid") == 0)
        o->pid = (pid_t)v;
    else if (strcmp(name, "--ramp") == 0)
        o->ramp = v;
    else if (strcmp(name, "--loss") == 0)
        o->loss = v / 100;
    else if (strcmp(name, "--video-kbps") == 0)
        o->video_bps = (uint32_t)(v * 1000);
    else if (strcmp(name, "--fps") == 0)
        o->fps = (uint32_t)v;
    else if (strcmp(name, "--packet-bytes") == 0)
        o->packet_bytes = (uint32_t)v;
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
    { "--pid", 1, 1 << 30 },
    { "--ramp", 0.1, 10000 },
    { "--loss", 0, 90 },
    { "--video-kbps", 0, 100000 },
    { "--fps", 1, 240 },
    { "--packet-bytes", 100, 1200 },
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

static enum taken take_text(struct load_options *o, const char *name, const char *value)
{
    bool ok = false;
    if (strcmp(name, "--url") == 0)
        ok = value && parse_url(o, value);
    else if (strcmp(name, "--profile") == 0)
        ok = value && parse_profile(o, value);
    else if (strcmp(name, "--bind") == 0)
        ok = value && tr_addr_parse_ip(&o->bind, value, 0) == TR_OK;
    else if (strcmp(name, "--secret") == 0)
        ok = value && snprintf(o->secret, sizeof o->secret, "%s", value) < (int)sizeof o->secret;
    else
        return TAKEN_NOT;
    return ok ? TAKEN_OK : TAKEN_BAD;
}

static bool take_flag(struct load_options *o, const char *name)
{
    if (strcmp(name, "--gro") == 0)
        return o->gro = true;
    if (strcmp(name, "--quiet") == 0)
        return o->quiet = true;
    return false;
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
            fprintf(stderr, "tring-load: %s %s%s (--help tells more)\n",
                    t == TAKEN_NOT ? "unknown option" : "bad or missing value:", argv[i],
                    t == TAKEN_NOT || !value ? "" : value);
            return false;
        }
        i++;
    }
    return true;
}

enum load_parsed load_options_parse(struct load_options *o, int argc, char **argv)
{
    *o = (struct load_options){ .warmup = 2 * TR_SECOND,
                                .duration = 10 * TR_SECOND,
                                .setup_limit = 30 * TR_SECOND,
                                .ramp = 20,
                                .video_bps = 2600000,
                                .fps = 30,
                                .packet_bytes = 1100,
                                .keyframe_every = 300,
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
    o->video = o->video_bps > 0;
    o->audio = o->audio_bytes > 0;
    if (o->clients == 0 || (!o->video && !o->audio)) {
        fputs("tring-load: nothing to do: give --echo N or --calls N (--help tells more)\n",
              stderr);
        return LOAD_WRONG;
    }
    return LOAD_RUN;
}
