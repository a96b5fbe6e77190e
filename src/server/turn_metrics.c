/* The relay's counters as metrics. */
#include "gateway/transport/metrics.h"
#include "server/turn_int.h"

struct row {
    const char *name, *help;
    uint64_t value;
};

static void put_rows(struct tr_metrics *m, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tr_metrics_one(m, rows[i].name, "counter", rows[i].help, (double)rows[i].value);
}

static void relay_metrics(const struct tr_turn_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_allocations", "gauge", "Relayed addresses.",
                   (double)c->allocations_now);
    const struct row rows[] = {
        { "tring_turn_bindings_total", "Binding requests answered.", c->bindings },
        { "tring_turn_allocations_total", "Relayed addresses given out.", c->allocations },
        { "tring_turn_refreshes_total", "Allocations refreshed.", c->refreshes },
        { "tring_turn_permissions_total", "Permissions made or renewed.", c->permissions },
        { "tring_turn_channels_total", "Channels bound or renewed.", c->channels },
        { "tring_turn_moves_total", "Clients that came by another address.", c->moves },
        { "tring_turn_packets_to_peers_total", "Packets of clients.", c->packets_to_peers },
        { "tring_turn_bytes_to_peers_total", "Their bytes.", c->bytes_to_peers },
        { "tring_turn_packets_to_clients_total", "Packets of peers.", c->packets_to_clients },
        { "tring_turn_bytes_to_clients_total", "Their bytes.", c->bytes_to_clients },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_refused_total", "counter", "What was not done, and why.");
    for (int i = 0; i < TR_TURN_REFUSED_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_refused_total", "reason",
                          tr_turn_refusal_name((enum tr_turn_refusal)i), (double)c->refused[i]);
}

static void stream_metrics(const struct tr_streams_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_streams", "gauge", "Connections over TCP and TLS.",
                   (double)c->connections_now);
    const struct row rows[] = {
        { "tring_turn_streams_accepted_total", "Connections accepted.", c->accepted },
        { "tring_turn_streams_dialed_total", "Connections to TCP peers begun.", c->dialed },
        { "tring_turn_streams_handshakes_total", "TLS handshakes done.", c->handshakes },
        { "tring_turn_streams_dropped_total", "Packets that a connection was too slow for.",
          c->dropped_full + c->dropped_old },
        { "tring_turn_streams_accept_failed_total", "No descriptor or memory for a connection.",
          c->accept_failed },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_streams_ended_total", "counter", "What ended connections.");
    for (int i = 0; i < TR_STREAM_REASON_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_streams_ended_total", "reason",
                          tr_stream_reason_name((enum tr_stream_reason)i), (double)c->ended[i]);
}

static void dtls_metrics(const struct tr_media_dtls_counters *c, struct tr_metrics *m)
{
    tr_metrics_one(m, "tring_turn_dtls", "gauge", "Associations over DTLS.",
                   (double)c->associations_now);
    const struct row rows[] = {
        { "tring_turn_dtls_handshakes_total", "DTLS handshakes done.", c->handshakes },
    };
    put_rows(m, rows, sizeof rows / sizeof rows[0]);
    tr_metrics_family(m, "tring_turn_dtls_refused_total", "counter", "Whom DTLS refused, and why.");
    for (int i = 0; i < TR_MEDIA_DTLS_REFUSED_COUNT; i++)
        tr_metrics_sample(m, "tring_turn_dtls_refused_total", "reason",
                          tr_media_dtls_refusal_name((enum tr_media_dtls_refusal)i),
                          (double)c->refused[i]);
}

void tr_turn_service_metrics(const struct tr_turn_service *s, struct tr_metrics *m)
{
    struct tr_media_turn_counters c;
    if (!s)
        return;
    tr_media_turn_counters(s->media, &c);
    relay_metrics(&c.turn, m);
    stream_metrics(&c.streams, m);
    dtls_metrics(&c.dtls, m);
}
