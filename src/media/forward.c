/* A forwarder takes the runs of its source on the source's worker, as a sink does: choose the
 * layer, renumber, form the packets one behind the other in the send buffer, protect them all at
 * once, and hand on what is of one length as one message, for the kernel to cut (UDP_SEGMENT).
 *
 * Control makes it and keeps it; from being attached to being detached it is the worker's. Control
 * reads the counters meanwhile, and nothing else. It is freed when the worker has let go of it,
 * which is what taps are told as well (wiring.c): a forwarder is wired like one.
 *
 * SRTP by a key that others choose: it may protect an SSRC once (key_use.h). To go on where the
 * last forwarder stopped would be of no use: whoever begins to listen takes the rollover counter to
 * be 0. So without an SSRC a random one is taken, and one that was used is refused. */
#include "media/forward.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "media/control.h"
#include "media/ports.h"
#include "net/port.h"
#include "net/resolve.h"
#include "payload/codec.h"
#include "rtp/rtcp.h"
#include "rtp/rtp.h"

enum {
    PACKET_MAX = TR_RTP_HDR_MIN + 8 + TR_PKT_DATA_MAX + TR_SRTP_OVERHEAD_MAX,
    RTCP_MAX = 1500,
    RESEND_BUDGET = 64 << 10,
};

#define REPORT_US TR_SECOND

struct forward {
    tr_id id;
    struct tr_forward_conf conf;
    char host[TR_FORWARD_HOST_MAX + 1];
    struct tr_media *media;
    bool takes_key; /* its SSRC with its key is noted as used */
    enum tr_forward_state state;
    struct tr_addr to; /* READY */
    int rtcp_fd;       /* -1: none, or the swarm has it */
    struct tr_addr rtcp_local;
    _Atomic bool paused;
    _Atomic uint64_t packets, bytes, dropped, resent, keyframes, rtcp_bad;

    /* the worker's: */
    struct source *source; /* NULL: not attached */
    struct forward *next;  /* of the same source */
    struct forward *next_of_peer,
        **at_peer; /* of all sources of its peer; at_peer NULL: not open */
    bool keyed;    /* its key has been in use */
    struct tr_path path;
    struct tr_srtp *out, *in;
    struct tr_layer_choice layer;
    struct tr_rewrite rw;
    struct tr_ext_block ext;
    uint32_t ssrc; /* 0: not known yet */
    struct port port;
    uint32_t socket;
    bool has_rtcp;
    struct port_timer timer;
    uint32_t sent, octets; /* for sender reports */
    int64_t resend_budget; /* bytes */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    /* One writer. */
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* --- on the worker: packets --- */

static void choose_layer(struct forward *f)
{
    const struct source *s = f->source;
    if (f->conf.layer == TR_FORWARD_BEST)
        tr_layer_update(&f->layer, s->worker->now, s->last_us, s->facts.layers, TR_TRACK_LAYERS - 1,
                        TR_LAYER_FALLBACK_US);
    else
        f->layer.target = f->conf.layer;
}

static bool take_packet(struct forward *f, const struct tr_pkt *pkt, struct tr_rewritten *to)
{
    const struct source *s = f->source;
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    uint32_t origin = source_origin(s, m->layer);
    struct tr_layer_out layer;
    if (pkt->len == 0) { /* padding: what follows closes up over it */
        tr_rewrite_skip(&f->rw, origin, m);
        return false;
    }
    if (!tr_layer_take(&f->layer, m, tr_rtp_dd(pkt),
                       !s->facts.video || (m->flags & TR_RTP_KEYFRAME), &layer)) {
        if (m->layer == f->layer.current)
            tr_rewrite_skip(&f->rw, origin, m);
        return false;
    }
    if (layer.switched)
        tr_rewrite_switch(&f->rw, s->worker->now, origin, s->facts.clock_rate, m);
    return tr_rewrite_packet(&f->rw, s->worker->now, origin, m, to) == TR_OK;
}

/* Header and extension; returns their length. */
static size_t put_header(const struct forward *f, const struct tr_rtp_meta *m,
                         const struct tr_rewritten *to, uint8_t *p)
{
    struct tr_wr w = tr_wr(p, TR_RTP_HDR_MIN);
    tr_rtp_put(&w, (m->flags & TR_RTP_MARKER) != 0, f->conf.pt ? f->conf.pt : m->pt,
               (uint16_t)to->ext_seq, to->ts, f->ssrc, f->ext.len > 0);
    memcpy(p + TR_RTP_HDR_MIN, f->ext.bytes, f->ext.len);
    uint8_t at = f->ext.at[TR_EXT_AUDIO_LEVEL];
    if (at && (m->flags & TR_RTP_AUDIO_LEVEL))
        p[TR_RTP_HDR_MIN + at] = m->audio_level;
    return TR_RTP_HDR_MIN + (size_t)f->ext.len;
}

static void put_payload(const struct tr_pkt *pkt, const struct tr_rewritten *to, uint8_t *p)
{
    struct tr_slice payload = tr_pkt_slice(pkt);
    memcpy(p, payload.p, payload.n);
    if (to->payload)
        tr_payload_renumber((enum tr_codec)tr_rtp_meta_const(pkt)->codec, p, payload.n,
                            to->picture_id, to->tl0picidx);
}

struct batch { /* packets of one forwarder, one behind the other in the send buffer */
    struct tr_srtp_job jobs[RUN_MAX];
    int count;
    uint8_t *p; /* where the next one goes; NULL: there is no room */
};

static void begin(const struct forward *f, struct batch *b, int packets)
{
    b->count = 0;
    b->p = tr_udp_reserve(f->source->worker->ports->out, (size_t)packets * PACKET_MAX);
}

/* index: TR_SRTP_AUTO for what goes out first, which SRTP refuses to do twice for one number. */
static void add(struct forward *f, struct batch *b, const struct tr_pkt *pkt,
                const struct tr_rewritten *to, uint64_t index)
{
    const struct tr_rtp_meta *m = tr_rtp_meta_const(pkt);
    struct tr_srtp_job *job = &b->jobs[b->count++];
    if (f->ssrc == 0)
        f->ssrc = m->ssrc;
    size_t header = put_header(f, m, to, b->p);
    put_payload(pkt, to, b->p + header);
    *job = (struct tr_srtp_job){
        .out = b->p,
        .out_size = PACKET_MAX,
        .hdr_len = header,
        .payload = tr_slice(b->p + header, pkt->len),
        .index = index,
        .out_len = header + pkt->len,
    };
    b->p += job->out_len + (f->out ? tr_srtp_overhead(f->conf.srtp) : 0);
}

/* Hands the packets to the kernel: those that lie together and are of one length, the last perhaps
 * shorter, as one message. */
static size_t commit(struct forward *f, const struct batch *b)
{
    struct tr_udp *udp = f->source->worker->ports->out;
    const struct tr_srtp_job *jobs = b->jobs;
    size_t bytes = 0;
    int sent = 0;
    for (int i = 0, next; i < b->count; i = next) {
        size_t segment = jobs[i].out_len, len = segment;
        next = i + 1;
        if (jobs[i].err != TR_OK)
            continue;
        while (next < b->count && jobs[next].err == TR_OK && jobs[next].out_len <= segment &&
               jobs[next - 1].out_len == segment)
            len += jobs[next++].out_len;
        tr_udp_commit(udp, &f->path, jobs[i].out, len, next - i > 1 ? (uint16_t)segment : 0);
        bytes += len;
        sent += next - i;
    }
    count(&f->packets, (uint64_t)sent);
    count(&f->bytes, bytes);
    count(&f->dropped, (uint64_t)(b->count - sent));
    return bytes;
}

/* Returns how many bytes were sent. */
static size_t send_batch(struct forward *f, struct batch *b)
{
    if (b->count > 0 && f->out)
        tr_srtp_protect_run(f->out, b->jobs, (size_t)b->count);
    return commit(f, b);
}

void forward_run(struct forward *f, struct tr_pkt *const *pkts, int n)
{
    struct batch b;
    struct tr_rewritten to;
    TR_ASSERT(n <= RUN_MAX);
    if (!f->at_peer)
        return; /* it could not be opened */
    if (atomic_load_explicit(&f->paused, memory_order_relaxed)) {
        tr_layer_init(&f->layer); /* starts over at a key frame */
        return;
    }
    choose_layer(f);
    begin(f, &b, n);
    for (int i = 0; b.p && i < n; i++) {
        if (!take_packet(f, pkts[i], &to))
            continue;
        add(f, &b, pkts[i], &to, TR_SRTP_AUTO);
        f->sent++;
        f->octets += pkts[i]->len;
    }
    resend_earn(&f->resend_budget, send_batch(f, &b), RESEND_BUDGET);
    if (f->source->facts.video && tr_layer_waits(&f->layer))
        source_keyframe(f->source, f->layer.target);
}

void forward_restart_layer(struct forward *f, int layer)
{
    if (f->layer.current == layer)
        f->layer.current = -1;
}

/* --- on the worker: RTCP --- */

static void put_report(const struct forward *f, struct tr_wr *w)
{
    const struct source *s = f->source;
    const struct worker *worker = s->worker;
    int layer = f->layer.current;
    uint32_t offset;
    if (layer < 0 || !s->clock[layer].known ||
        !tr_rewrite_ts_offset(&f->rw, source_origin(s, layer), &offset)) {
        tr_rtcp_put_rr(w, f->ssrc, NULL, 0);
        return;
    }
    int64_t since = worker->now - s->clock[layer].at;
    struct tr_rtcp_report sr = {
        .ssrc = f->ssrc,
        .ntp = tr_ntp_from_unix_us(worker->now + worker->media->wall_offset_us),
        .rtp_ts = s->clock[layer].rtp + offset +
                  (uint32_t)(since * (int64_t)s->facts.clock_rate / TR_SECOND),
        .packets = f->sent,
        .octets = f->octets,
    };
    tr_rtcp_put_sr(w, &sr, NULL, 0);
}

/* Also before there is anything to report: it shows the receiver where to send its requests. */
static void send_report(struct port_timer *timer)
{
    struct forward *f = TR_CONTAINER_OF(timer, struct forward, timer);
    struct ports *ports = f->source->worker->ports;
    uint8_t buf[256];
    struct tr_wr w = tr_wr(buf, sizeof buf - TR_SRTCP_OVERHEAD_MAX);
    put_report(f, &w);
    tr_rtcp_put_sdes(&w, f->ssrc, tr_slice_str("tring"));
    struct tr_slice report = tr_wr_slice(&w);
    size_t len = report.n;
    struct tr_addr to = f->to;
    to.port = f->conf.rtcp_port;
    if (!f->out ||
        tr_srtcp_protect(f->out, report, (struct tr_buf){ buf, sizeof buf }, &len) == TR_OK)
        tr_swarm_send(ports->swarm, f->socket, &to, tr_slice(buf, len));
    /* Without memory for the timer there are no more reports. */
    (void)!tr_heap_set(&ports->timers, &f->timer.node, f->source->worker->now + REPORT_US);
}

static struct forward **forwards_of_peer(const struct source *s)
{
    return s->peer ? &s->peer->forwards : plain_forwards(s->plain);
}

/* Requests for any stream that goes to one receiver may come to the port of one of them: a remote
 * publisher's server has only one. */
static struct forward *forward_meant(struct forward *f, uint32_t ssrc)
{
    struct forward *other = f->ssrc == ssrc ? NULL : *forwards_of_peer(f->source);
    for (; other; other = other->next_of_peer) {
        if (other->ssrc == ssrc && tr_addr_eq(&other->to, &f->to))
            return other;
    }
    return f;
}

/* All layers: whose SSRC a receiver names in simulcast says little (Janus names the lowest). */
static void ask_keyframe(struct forward *f, uint32_t ssrc)
{
    count(&f->keyframes, 1);
    source_keyframe(forward_meant(f, ssrc)->source, -1);
}

/* As the same packets again. The source keeps packets for it from the first request on: few
 * receivers of plain RTP ask. */
static void send_again(struct forward *f, const struct tr_rtcp_fb *fb)
{
    struct tr_rtcp_nack_iter it;
    struct batch b;
    struct tr_rewritten to;
    uint16_t seq;
    if (source_keep_ring(f->source) != TR_OK)
        return;
    begin(f, &b, RUN_MAX);
    tr_rtcp_nack_init(&it, fb);
    while (b.p && b.count < RUN_MAX && tr_rtcp_nack_next(&it, &seq)) {
        const struct tr_pkt *pkt = source_find_sent(f->source, &f->rw, seq, &to);
        if (pkt && f->resend_budget > 0) {
            add(f, &b, pkt, &to, (uint64_t)to.ext_seq);
            f->resend_budget -= pkt->len;
        }
    }
    count(&f->resent, (uint64_t)b.count);
    send_batch(f, &b);
}

static void input_feedback(struct forward *f, const struct tr_rtcp_pkt *pkt)
{
    struct tr_rtcp_fb fb;
    uint32_t ssrc;
    uint8_t seq;
    bool transport = pkt->type == TR_RTCP_RTPFB;
    if ((!transport && pkt->type != TR_RTCP_PSFB) || tr_rtcp_fb(pkt, &fb) != TR_OK)
        return;
    if (transport && pkt->count == TR_RTPFB_NACK)
        send_again(forward_meant(f, fb.media), &fb);
    else if (transport)
        return;
    else if (pkt->count == TR_PSFB_PLI)
        ask_keyframe(f, fb.media);
    else if (pkt->count == TR_PSFB_FIR && tr_rtcp_fir(&fb, 0, &ssrc, &seq))
        ask_keyframe(f, ssrc);
}

/* Protected or not: all that it can do is ask for a key frame or for packets again, both of which
 * are limited, and Janus does not protect it. */
static void rtcp_in(struct port *port, const struct tr_path *path, struct tr_slice datagram)
{
    struct forward *f = TR_CONTAINER_OF(port, struct forward, port);
    uint8_t buf[RTCP_MAX];
    struct tr_rd it;
    struct tr_rtcp_pkt pkt;
    size_t n;
    if (f->in && datagram.n <= sizeof buf &&
        tr_srtcp_unprotect(f->in, datagram, (struct tr_buf){ buf, sizeof buf }, &n) == TR_OK)
        datagram = tr_slice(buf, n);
    if (!tr_addr_ip_eq(&path->remote, &f->to) || tr_rtcp_iter_init(&it, datagram) != TR_OK) {
        count(&f->rtcp_bad, 1);
        return;
    }
    while (tr_rtcp_next(&it, &pkt))
        input_feedback(f, &pkt);
}

/* --- on the worker: life --- */

/* The way out: sockets of no particular port, which all forwarders of the worker share. */
static enum tr_err open_out(struct ports *p)
{
    struct tr_addr any[2] = { tr_addr_v4(0, 0, 0, 0, 0) };
    bool gso = p->worker->media->conf.gso;
    if (p->out)
        return TR_OK;
    enum tr_err err = tr_udp_open(&p->out, any, 2, 0, gso);
    p->out_v6 = err == TR_OK;
    return err == TR_OK ? err : tr_udp_open(&p->out, any, 1, 0, gso);
}

static enum tr_err open_srtp(struct forward *f, struct tr_srtp_engine *engine)
{
    if (f->conf.srtp == TR_SRTP_NONE)
        return TR_OK;
    f->out = tr_srtp_create(engine, f->conf.srtp, TR_SRTP_OUT, &f->conf.keys);
    f->in = tr_srtp_create(engine, f->conf.srtp, TR_SRTP_IN, &f->conf.keys);
    f->keyed = true;
    return f->out && f->in ? TR_OK : TR_ERR_NOMEM;
}

static void open_ext(struct forward *f)
{
    struct tr_ext_map map = { .id[TR_EXT_AUDIO_LEVEL] = f->conf.audio_level_id };
    struct tr_ext_block_conf ext = { .map = &map, .want = 1u << TR_EXT_AUDIO_LEVEL };
    if (f->conf.audio_level_id && !f->source->facts.video)
        (void)!tr_ext_block_build(&f->ext, &ext); /* one byte fits */
}

static enum tr_err open_rtcp(struct forward *f, struct ports *p)
{
    if (f->rtcp_fd < 0)
        return TR_OK;
    f->port.in = rtcp_in;
    f->timer.due = send_report;
    enum tr_err err = tr_swarm_adopt(p->swarm, f->rtcp_fd, &f->rtcp_local, &f->port, &f->socket);
    if (err != TR_OK)
        return err;
    f->rtcp_fd = -1;
    f->has_rtcp = true;
    return tr_heap_set(&p->timers, &f->timer.node, p->worker->now);
}

static enum tr_err open_all(struct forward *f, struct worker *w)
{
    struct ports *p = ports_of(w);
    enum tr_err err = p ? open_out(p) : TR_ERR_NOMEM;
    if (err != TR_OK)
        return err;
    struct tr_addr any = { .port = tr_udp_port(p->out) };
    f->path = (struct tr_path){ .local = any, .remote = f->to };
    if (tr_addr_is_v4(&f->to))
        f->path.local = tr_addr_v4(0, 0, 0, 0, any.port);
    else if (!p->out_v6)
        return TR_ERR_UNSUPPORTED;
    f->ssrc = f->conf.ssrc;
    open_ext(f);
    err = open_srtp(f, w->engine);
    return err == TR_OK ? open_rtcp(f, p) : err;
}

static void link_of_peer(struct forward *f)
{
    struct forward **list = forwards_of_peer(f->source);
    f->next_of_peer = *list;
    f->at_peer = list;
    if (*list)
        (*list)->at_peer = &f->next_of_peer;
    *list = f;
}

static void unlink_of_peer(struct forward *f)
{
    if (!f->at_peer)
        return;
    *f->at_peer = f->next_of_peer;
    if (f->next_of_peer)
        f->next_of_peer->at_peer = f->at_peer;
}

void forward_attach(struct forward *f, struct source *s)
{
    struct worker *w = s->worker;
    f->source = s;
    tr_layer_init(&f->layer);
    tr_rewrite_init(&f->rw, (uint16_t)tr_rng_u32(&w->rng), tr_rng_u32(&w->rng));
    f->next = s->forwards;
    s->forwards = f;
    s->forwards_count++;
    if (open_all(f, w) != TR_OK)
        return; /* silent, see forward_run */
    link_of_peer(f);
    if (source_flows(s))
        source_keyframe(s, -1);
}

void forward_detach(struct forward *f)
{
    struct source *s = f->source;
    struct ports *p = s->worker->ports;
    struct forward **at = &s->forwards;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    s->forwards_count--;
    unlink_of_peer(f);
    if (f->has_rtcp) {
        tr_heap_remove(&p->timers, &f->timer.node);
        tr_swarm_remove(p->swarm, f->socket);
    }
    tr_srtp_destroy(f->out);
    tr_srtp_destroy(f->in);
    f->out = f->in = NULL;
    f->source = NULL;
}

struct forward *forward_next(const struct forward *f)
{
    return f->next;
}

tr_id forward_id(const struct forward *f)
{
    return f->id;
}

/* --- control --- */

/* Its key stays noted, unless it never was in use. */
static void destroy(struct forward *f)
{
    struct control *c = f->media->control;
    if (f->takes_key && !f->keyed)
        key_use_return(&c->key_uses, &f->conf.keys, f->conf.ssrc);
    c->forwards_count--;
    tr_port_close(f->rtcp_fd);
    tr_free(f);
}

static void closed(void *arg)
{
    destroy(arg);
}

static enum tr_err check(const struct tr_media *media, const struct tr_forward_conf *conf)
{
    if (conf->port == 0 || conf->layer < TR_FORWARD_BEST || conf->layer >= TR_TRACK_LAYERS ||
        conf->pt > 127 || conf->audio_level_id > 14 || !conf->host[0] ||
        strlen(conf->host) > TR_FORWARD_HOST_MAX)
        return TR_ERR_INVAL;
    return media->control->forwards_count < TR_FORWARDS_MAX ? TR_OK : TR_ERR_LIMIT;
}

/* A random SSRC that cannot be noted any more is new all the same, as good as certainly. */
static enum tr_err take_key(struct tr_media *media, struct forward *f)
{
    struct key_uses *uses = &media->control->key_uses;
    bool random = f->conf.ssrc == 0;
    enum tr_err err;
    if (f->conf.srtp == TR_SRTP_NONE)
        return TR_OK;
    do {
        if (random)
            f->conf.ssrc = tr_rng_u32(&media->rng) | 1;
        err = key_use_take(uses, tr_rng_u64(&media->rng), &f->conf.keys, f->conf.ssrc);
    } while (random && err == TR_ERR_EXISTS);
    f->takes_key = err == TR_OK;
    if (err == TR_ERR_LIMIT)
        return random ? TR_OK : TR_ERR_EXISTS;
    return err;
}

/* A number is known at once; a name is looked up. */
static enum tr_err find_host(struct tr_media *media, struct forward *f)
{
    struct control *c = media->control;
    if (tr_addr_parse_ip(&f->to, f->host, f->conf.port) == TR_OK) {
        f->state = TR_FORWARD_READY;
        return TR_OK;
    }
    f->state = TR_FORWARD_RESOLVING;
    if (f->conf.family == 0 && f->conf.rtcp_port)
        f->conf.family = 4; /* its socket is opened before the answer comes */
    f->to = f->conf.family == 6 ? (struct tr_addr){ 0 } : tr_addr_v4(0, 0, 0, 0, 0);
    if (!c->resolver)
        c->resolver = tr_resolver_create(media->conf.wake, media->conf.wake_arg);
    return c->resolver ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err open_feedback(struct forward *f)
{
    struct tr_port_conf port = { 0 };
    if (!f->conf.rtcp_port)
        return TR_OK;
    if (tr_addr_is_v4(&f->to))
        port.bind = tr_addr_v4(0, 0, 0, 0, 0);
    return tr_port_open(&port, &f->rtcp_fd, &f->rtcp_local);
}

static struct forward *make(struct tr_media *media, const struct tr_forward_conf *conf,
                            enum tr_err *err)
{
    struct forward *f = tr_alloc(sizeof *f);
    *err = TR_ERR_NOMEM;
    if (!f)
        return NULL;
    f->media = media;
    f->conf = *conf;
    f->paused = conf->paused;
    f->rtcp_fd = -1;
    snprintf(f->host, sizeof f->host, "%s", conf->host);
    f->conf.host = f->host;
    media->control->forwards_count++;
    *err = take_key(media, f);
    if (*err == TR_OK)
        *err = find_host(media, f);
    if (*err == TR_OK)
        *err = open_feedback(f);
    if (*err == TR_OK)
        return f;
    destroy(f);
    return NULL;
}

enum tr_err tr_media_forward_create(struct tr_media *media, struct tr_media_end source,
                                    const struct tr_forward_conf *conf, tr_id *id)
{
    enum tr_err err = check(media, conf);
    if (err == TR_OK && !ctl_peer(media, source.peer))
        err = TR_ERR_NOTFOUND;
    struct forward *f = err == TR_OK ? make(media, conf, &err) : NULL;
    if (!f)
        return err;
    struct tr_tap tap = { .closed = closed, .arg = f };
    f->id = wiring_forward(media, source, f, &tap);
    if (!f->id) {
        destroy(f);
        return TR_ERR_LIMIT;
    }
    *id = f->id;
    if (f->state == TR_FORWARD_READY)
        return TR_OK;
    err = tr_resolver_ask(media->control->resolver, f->host, f->conf.family, f->id);
    if (err != TR_OK)
        tr_media_forward_close(media, *id);
    return err;
}

void tr_media_forward_close(struct tr_media *media, tr_id id)
{
    tr_media_tap_close(media, id);
}

static struct forward *find(const struct tr_media *media, tr_id id)
{
    const struct ctl_tap *tap = tr_idtab_get(media->control->taps, id);
    return tap && !tap->closed ? tap->forward : NULL;
}

void tr_media_forward_pause(struct tr_media *media, tr_id id, bool paused)
{
    struct forward *f = find(media, id);
    if (f)
        atomic_store_explicit(&f->paused, paused, memory_order_relaxed);
}

void forward_take_resolved(struct tr_media *media)
{
    struct tr_resolved answer;
    while (media->control->resolver && tr_resolver_take(media->control->resolver, &answer)) {
        struct forward *f = find(media, answer.cookie);
        if (!f)
            continue;
        answer.addr.port = f->conf.port;
        f->to = answer.addr;
        f->state = answer.found ? TR_FORWARD_READY : TR_FORWARD_UNRESOLVED;
        if (answer.found)
            wiring_forward_ready(media, f->id);
    }
}

bool forward_is_ready(const struct forward *f)
{
    return f->state == TR_FORWARD_READY;
}

bool tr_media_forward_info(const struct tr_media *media, tr_id id, struct tr_forward_info *info)
{
    struct forward *f = find(media, id);
    if (!f)
        return false;
    *info = (struct tr_forward_info){ .state = f->state,
                                      .to = f->to,
                                      .ssrc = f->conf.ssrc,
                                      .local_rtcp_port = f->rtcp_local.port,
                                      .packets = f->packets,
                                      .bytes = f->bytes,
                                      .dropped = f->dropped,
                                      .resent = f->resent,
                                      .keyframes = f->keyframes,
                                      .rtcp_bad = f->rtcp_bad };
    return true;
}
