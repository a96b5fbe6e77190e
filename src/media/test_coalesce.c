/* Goal: datagrams that come at short intervals share turns of the worker, and all are handled; a
 * worker that coalesces wakes up for far fewer of them.
 * Method: strangers' datagrams, which are counted and dropped, sent to an engine at 10 000 a
 * second; the number of its calls to the kernel tells how many turns they took. */
#include "media/media.h"
#include "net/clock.h"
#include "net/udp.h"
#include "unit.h"

enum { DATAGRAMS = 2000 };

#define SPACING_US 100
#define WAIT_US (20 * TR_SECOND)

struct world {
    struct tr_dtls_cert *cert;
    struct tr_media *media;
    struct tr_udp *udp;
    struct tr_path path;
};

static bool open_world(struct world *w, tr_usec coalesce_us)
{
    struct tr_addr ip = tr_addr_v4(127, 0, 0, 1, 0);
    *w = (struct world){ .cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND) };
    struct tr_media_conf conf = { .workers = 1,
                                  .bind = { ip },
                                  .bind_count = 1,
                                  .cert = w->cert,
                                  .packets_max = 1024,
                                  .coalesce_us = coalesce_us };
    if (!CHECK(tr_media_create(&w->media, &conf) == TR_OK) ||
        !CHECK(tr_udp_open(&w->udp, &ip, 1, 0, false) == TR_OK))
        return false;
    w->path = (struct tr_path){ .local = ip, .remote = ip };
    w->path.local.port = tr_udp_port(w->udp);
    w->path.remote.port = tr_media_port(w->media);
    return true;
}

static void close_world(struct world *w)
{
    tr_media_destroy(w->media);
    tr_udp_close(w->udp);
    tr_dtls_cert_destroy(w->cert);
}

static uint64_t dropped(struct world *w)
{
    struct tr_media_counters c;
    tr_media_counters(w->media, &c);
    return c.drops[TR_DROP_UNKNOWN_ADDR];
}

/* Without sleeping: its own wake-ups would come late. */
static void send_spaced(struct world *w)
{
    static const uint8_t rtp[20] = { 0x80, 96 };
    tr_usec next = tr_clock_now();
    for (int i = 0; i < DATAGRAMS; i++, next += SPACING_US) {
        while (tr_clock_now() < next)
            ;
        tr_udp_send(w->udp, &w->path, tr_slice(rtp, sizeof rtp));
        tr_udp_flush(w->udp);
    }
}

/* Calls to the kernel that it took to read them all. */
static uint64_t receives_for(tr_usec coalesce_us)
{
    struct world w;
    struct tr_media_counters c = { 0 };
    if (open_world(&w, coalesce_us)) {
        send_spaced(&w);
        tr_usec end = tr_clock_now() + WAIT_US;
        while (dropped(&w) < DATAGRAMS && tr_clock_now() < end)
            tr_clock_sleep(TR_MSEC);
        CHECK_INT(dropped(&w), DATAGRAMS);
        tr_media_counters(w.media, &c);
    }
    close_world(&w);
    return c.receives;
}

TEST(datagrams_at_short_intervals_share_turns)
{
    /* Twenty come in an interval, and a call takes sixteen. */
    uint64_t receives = receives_for(20 * SPACING_US);
    CHECK(receives < DATAGRAMS / 4);
}

TEST(without_coalescing_all_are_handled_too)
{
    (void)receives_for(0);
}
