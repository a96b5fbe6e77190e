/* What the relay of a worker counts, where others can read it (published.h). */
#include "base/mem.h"
#include "media/relay_int.h"
#include "net/stream.h"

_Static_assert(sizeof(struct tr_media_turn_counters) == RELAY_PUBLISHED * sizeof(uint64_t),
               "they are summed word by word");

void relay_tick(struct worker *w)
{
    const struct relay *r = w->relay;
    if (!r)
        return;
    struct tr_media_turn_counters c = { .turn = *tr_turn_counters(r->turn),
                                        .dtls = r->dtls_counters };
    if (r->streams)
        c.streams = *tr_streams_counters(r->streams);
    published_put(w->relay->published, &c, sizeof c);
}

void tr_media_turn_counters(const struct tr_media *media, struct tr_media_turn_counters *out)
{
    uint64_t sum[RELAY_PUBLISHED] = { 0 }, words[RELAY_PUBLISHED];
    for (int i = 0; i < media->workers_count; i++) {
        if (!media->workers[i].relay)
            continue;
        published_get(media->workers[i].relay->published, words, sizeof words);
        for (size_t k = 0; k < RELAY_PUBLISHED; k++)
            sum[k] += words[k];
    }
    memcpy(out, sum, sizeof *out);
}

const char *tr_media_dtls_refusal_name(enum tr_media_dtls_refusal refusal)
{
    static const char *const names[TR_MEDIA_DTLS_REFUSED_COUNT] = {
        [TR_MEDIA_DTLS_REFUSED_MALFORMED] = "malformed",
        [TR_MEDIA_DTLS_REFUSED_FRAGMENT] = "fragment",
        [TR_MEDIA_DTLS_REFUSED_COOKIE] = "cookie",
        [TR_MEDIA_DTLS_REFUSED_THROTTLED] = "throttled",
        [TR_MEDIA_DTLS_REFUSED_HANDSHAKES] = "handshakes",
        [TR_MEDIA_DTLS_REFUSED_HANDSHAKE] = "handshake",
        [TR_MEDIA_DTLS_REFUSED_UNPROVEN] = "unproven",
        [TR_MEDIA_DTLS_REFUSED_NO_ROOM] = "no_room",
    };
    return names[refusal];
}
