/* The video room under a script of requests, negotiations, media events and time, over the real
 * core and SDP side. The first byte chooses the server's settings; then each line is one step of
 * one of four phones (its first character, '0' to '3'; on its own handle), by the second one:
 *   m<JSON> message   o<digit><JSON> message with an offer   a<JSON> with the answer to what it was
 *   offered last   u, d PeerConnection comes up, breaks down   l slow link   s<c> layer   k<c> talk
 *   h hangup   x detach, and a new handle   t<c> time passes   A<JSON> Admin message
 * After each input everything has to be taken down: engine, recordings, memory. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"
#include "unit.h"

enum { PHONES = 4, LINES_MAX = 60 };

static struct stage stage;
static struct phone *phones[PHONES];

/* What the doubles check must hold whatever comes in. */
bool unit_check(bool ok, const char *expr, const char *file, int line)
{
    if (ok)
        return true;
    fprintf(stderr, "%s:%d: %s\n", file, line, expr);
    abort();
}

void unit_note(const char *fmt, ...)
{
    (void)fmt;
}

static bool is_json(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"'; /* as phone_send does */
    json_t *parsed = json_loads(copy, 0, NULL);
    free(copy);
    json_decref(parsed);
    return parsed != NULL;
}

static const char *offer_of(char digit)
{
    static const char *const names[] = {
        "chrome-offer-av.sdp",         "chrome-offer-simulcast.sdp",    "chrome-offer-av-data.sdp",
        "chrome-offer-pair-added.sdp", "chrome-offer-pair-stopped.sdp", "firefox-offer-av.sdp",
        "chrome-offer-audio.sdp",      "chrome-offer-pref-vp9.sdp"
    };
    return fixture(names[(unsigned char)digit % 8]);
}

static void message(struct phone *p, const char *body, const char *type, const char *sdp)
{
    if (is_json(body))
        phone_send(p, body, type, sdp, false);
}

static void event(struct phone *p, char kind, char c)
{
    struct tr_media_event e = { .mline = (unsigned char)c % 4 - 1, .on = c & 4, .uplink = c & 8 };
    switch (kind) {
    case 'u': e.kind = TR_MEDIA_PEER_UP; break;
    case 'd':
        e.kind = TR_MEDIA_PEER_DOWN;
        e.reason = "ICE failed";
        break;
    case 'l': e.kind = TR_MEDIA_SLOW_LINK; break;
    case 's':
        e.kind = TR_MEDIA_LAYER;
        e.substream = e.temporal = (c >> 4) % 4 - 1;
        break;
    default: e.kind = TR_MEDIA_TALKING; break;
    }
    if (tr_pc_exists(tr_handle_pc(p->handle)))
        stage_media(&stage, e, p);
}

static void admin(const char *text)
{
    json_t *request = json_loads(text, 0, NULL);
    if (json_is_object(request))
        json_decref(stage.plugin->ops->admin(stage.plugin, request, stage.now));
    json_decref(request);
}

static void renew(struct phone **p)
{
    phone_verb(*p, "detach");
    if (stage.phone_count < STAGE_PHONES)
        *p = stage_phone(&stage, "janus.plugin.videoroom", phones[0]);
}

static void step(char *line)
{
    size_t n = strlen(line);
    struct phone **p = &phones[(unsigned char)line[0] % PHONES];
    if (n < 2 || !(*p)->handle)
        return;
    switch (line[1]) {
    case 'm': message(*p, line + 2, NULL, NULL); break;
    case 'o':
        if (n > 3)
            message(*p, line + 3, "offer", offer_of(line[2]));
        break;
    case 'a':
        if ((*p)->sdp)
            message(*p, line + 2, "answer", phone_answer(*p));
        break;
    case 'h': phone_verb(*p, "hangup"); break;
    case 'x':
        if (p != &phones[0]) /* the session of the others */
            renew(p);
        break;
    case 't': stage_sleep(&stage, (unsigned char)line[2] * TR_MSEC * 100); break;
    case 'A': admin(line + 2); break;
    case 'u':
    case 'd':
    case 'l':
    case 's':
    case 'k': event(*p, line[1], line[2]); break;
    default: break;
    }
    for (int i = 0; i < stage.phone_count; i++)
        (void)phone_told(&stage.phones[i]);
}

static void play(const char *data, size_t size)
{
    char line[4096];
    for (size_t i = 0, lines = 0; i < size && lines < LINES_MAX; lines++) {
        const char *end = memchr(data + i, '\n', size - i);
        size_t n = end ? (size_t)(end - (data + i)) : size - i;
        size_t cut = n < sizeof line - 1 ? n : sizeof line - 1;
        memcpy(line, data + i, cut);
        memset(line + cut, 0, 1);
        step(line);
        i += n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tr_rng rng;
    rng = tr_rng_seeded(1);
    uint8_t choice = size > 0 ? data[0] : 0;
    const struct tr_videoroom_conf conf = {
        .rng = &rng,
        .recorder = (struct tr_recorder *)(void *)&engine,
        .demo_room = true,
        .string_ids = choice & 1,
        .admin_key = choice & 2 ? "boss" : NULL,
        .lock_rtp_forward = choice & 2,
        .participants_max = choice & 4 ? 2 : 0,
        .rooms_max = 4,
    };
    if (size == 0 || stage_up(&stage, tr_videoroom_create(&conf, TR_SECOND)) != TR_OK)
        return 0;
    for (int i = 0; i < PHONES; i++)
        phones[i] = stage_phone(&stage, "janus.plugin.videoroom", i ? phones[0] : NULL);
    play((const char *)data + 1, size - 1);
    stage_down(&stage);
    if (tr_mem_in_use() != 0)
        abort();
    return 0;
}
