/* Streams are found by their path, as datagrams are: there is no second table to keep right. The
 * kernel spreads connections over the workers without asking whose they are, so the first check
 * often comes to the wrong one; the stream then moves, with the frame that told so, and is asked
 * again there. */
#include "media/tcp.h"

#include "base/mem.h"
#include "media/worker.h"
#include "media/worker_in.h"
#include "net/stream.h"
#include "net/waiter.h"

enum { FRAME_MAX = 2048 };

struct tcp {
    struct tr_streams *set;
    bool again; /* frames may wait that the descriptor does not tell of */
    uint64_t refused, strangers;
};

static void closed(struct worker *w, const struct tr_path *path)
{
    struct wpeer *p = worker_addr_peer(w, path);
    if (!p)
        return; /* it had not proven itself */
    tr_peer_path_gone(p->peer, w->now, path);
    wpeer_touch(p);
}

static void stream_event(void *arg, const struct tr_stream_event *ev)
{
    struct worker *w = arg;
    switch (ev->kind) {
    case TR_STREAM_FRAME:
        if (!worker_datagram(w, &ev->path, ev->data)) {
            w->tcp->strangers++;
            tr_stream_end(w->tcp->set, w->now, ev->id, false);
        }
        break;
    case TR_STREAM_CLOSED: closed(w, &ev->path); break;
    case TR_STREAM_ACCEPTED:
    case TR_STREAM_CONNECTED:
    case TR_STREAM_WRITABLE: break;
    }
}

static enum tr_err listen_all(struct worker *w, uint16_t *port)
{
    const struct tr_media_conf *conf = &w->media->conf;
    struct tr_stream_conf stream = { .framing = TR_FRAMING_RFC4571, .frame_max = FRAME_MAX };
    enum tr_err err = TR_OK;
    for (int i = 0; err == TR_OK && i < conf->bind_count; i++) {
        struct tr_addr at = conf->bind[i];
        tr_id listener;
        at.port = *port;
        at.proto = TR_PROTO_TCP;
        err = tr_streams_listen(w->tcp->set, &at, true, &stream, &listener);
        *port = at.port;
    }
    return err;
}

enum tr_err tcp_open(struct worker *w, uint16_t *port)
{
    struct tr_streams_conf conf = { .quota = w->media->tcp_streams, .seed = tr_rng_u64(&w->rng) };
    w->tcp = tr_alloc(sizeof *w->tcp);
    if (!w->tcp)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_streams_open(&w->tcp->set, &conf, stream_event, w);
    if (err == TR_OK)
        err = tr_waiter_add(w->waiter, tr_streams_fd(w->tcp->set), WORKER_TAG_TCP);
    if (err != TR_OK) {
        tcp_close(w);
        return TR_ERR_NOMEM;
    }
    return listen_all(w, port);
}

void tcp_close(struct worker *w)
{
    if (w->tcp)
        tr_streams_close(w->tcp->set);
    tr_free(w->tcp);
    w->tcp = NULL;
}

bool tcp_read(struct worker *w, uint32_t ready)
{
    struct tcp *t = w->tcp;
    if (!t ||
        !(t->again || (ready >> WORKER_TAG_TCP & 1) || tr_streams_next_timeout(t->set) <= w->now))
        return false;
    t->again = false;
    return tr_streams_run(t->set, w->now);
}

tr_usec tcp_next_timeout(const struct worker *w)
{
    return w->tcp ? tr_streams_next_timeout(w->tcp->set) : TR_NEVER;
}

void tcp_flush(struct worker *w)
{
    if (w->tcp)
        tr_streams_flush(w->tcp->set, w->now);
}

void tcp_count(const struct worker *w, struct tr_media_counters *c)
{
    if (!w->tcp)
        return;
    const struct tr_streams_counters *s = tr_streams_counters(w->tcp->set);
    c->datagrams_in += s->frames_in;
    c->bytes_in += s->bytes_in;
    c->datagrams_out += s->frames_out;
    c->bytes_out += s->bytes_out;
    c->sends += s->writes;
    c->receives += s->reads;
    c->streams_accepted = s->accepted;
    c->streams_refused = w->tcp->strangers + s->ended[TR_STREAM_UNPROVEN] +
                         s->ended[TR_STREAM_MALFORMED] + s->ended[TR_STREAM_OVERSIZED] +
                         s->ended[TR_STREAM_SLOW] + s->ended[TR_STREAM_NO_ROOM];
    c->streams = s->connections_now;
    c->drops[TR_DROP_STREAM] = w->tcp->refused + s->dropped_full + s->dropped_old;
}

void tcp_out(struct worker *w, const struct tr_path *path, struct tr_slice datagrams,
             uint16_t segment)
{
    tr_id id = w->tcp ? tr_streams_find(w->tcp->set, path) : 0;
    while (datagrams.n > 0) {
        size_t n = datagrams.n < segment ? datagrams.n : segment;
        if (!id || tr_stream_write(w->tcp->set, w->now, id, tr_slice(NULL, 0),
                                   tr_slice(datagrams.p, n), TR_STREAM_MEDIA) != TR_OK) {
            if (w->tcp)
                w->tcp->refused++;
        }
        datagrams = tr_slice(datagrams.p + n, datagrams.n - n);
    }
}

void tcp_path_valid(struct worker *w, const struct tr_path *path)
{
    tr_stream_proven(w->tcp->set, tr_streams_find(w->tcp->set, path));
}

void tcp_path_gone(struct worker *w, const struct tr_path *path)
{
    tr_stream_end(w->tcp->set, w->now, tr_streams_find(w->tcp->set, path), true);
}

void tcp_hand_over(struct worker *w, const struct tr_path *path, int to)
{
    struct msg m = { .kind = MSG_STREAM, .worker = w->index };
    m.u.moved = tr_stream_detach(w->tcp->set, tr_streams_find(w->tcp->set, path), true);
    if (m.u.moved)
        worker_send(w, to, &m, true);
}

void tcp_take_over(struct worker *w, struct tr_stream_moved *moved)
{
    tr_id id;
    if (!w->tcp)
        tr_stream_moved_destroy(moved);
    else if (tr_stream_adopt(w->tcp->set, w->now, moved, NULL, &id) == TR_OK)
        w->tcp->again = true;
}
