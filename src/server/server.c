/* Wiring. The control thread's loop belongs to the web listeners (libwebsockets); everything else
 * is a state machine that hangs on two of its hooks: `woken` when a media worker has news,
 * `timers` for whatever is due.
 *
 * End: no new sessions, PeerConnections close, recordings get their END, then the parts go in
 * reverse order of their making. */
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "contact/contact.h"
#include "contact/diag.h"
#include "dtls/dtls.h"
#include "gateway/gateway.h"
#include "gateway/pc.h"
#include "gateway/plugin.h"
#include "gateway/secret.h"
#include "gateway/transport/metrics.h"
#include "gateway/transport/routes.h"
#include "gateway/transport/web.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/log.h"
#include "net/random.h"
#include "ops/ops.h"
#include "plugin/echotest.h"
#include "plugin/videocall.h"
#include "plugin/videoroom/videoroom.h"
#include "record/recorder.h"
#include "server/addresses.h"
#include "server/certs.h"
#include "server/config.h"
#include "server/turn.h"
#include "server/version.h"
#include "store/calls.h"
#include "store/lock.h"
#include "store/sql.h"

enum { PATH_MAX_BYTES = 1024, WHY_MAX = 2048, STOP_MS_MAX = 5000 };

struct tr_server {
    const struct tr_config *config; /* borrowed */
    struct tr_rng rng;
    struct tr_dtls_cert *cert;
    struct tr_certs *certs;
    struct tr_media *media;
    struct tr_turn_service *turn;   /* NULL: none */
    int data_lock, recordings_lock; /* -1: none */
    struct tr_sql *db;
    struct tr_recorder *recorder;
    struct tr_gateway *gw;
    struct tr_ops *ops;
    struct tr_contact *contact;
    struct tr_diag *diag;
    struct tr_web *web;
    struct tr_pc_services pc;
    struct tr_server_cands cands;
    char *admin_secret;
    char render_path[PATH_MAX_BYTES];
    char web_root[PATH_MAX_BYTES];
    char recordings[PATH_MAX_BYTES];
};

static char why_text[WHY_MAX];

static enum tr_err fail(const char **why, enum tr_err err, const char *what, const char *detail)
{
    snprintf(why_text, sizeof why_text, "%s%s%s", what, detail[0] ? ": " : "", detail);
    *why = why_text;
    return err;
}

/* --- media --- */

static void wake(void *arg)
{
    struct tr_server *s = arg;
    struct tr_web *web = __atomic_load_n(&s->web, __ATOMIC_ACQUIRE);
    if (web)
        tr_web_wake(web);
}

static void read_profiles(const struct tr_config *config, enum tr_srtp_profile *out)
{
    static const struct {
        const char *name;
        enum tr_srtp_profile profile;
    } names[] = { { "AEAD_AES_128_GCM", TR_SRTP_AEAD_AES_128_GCM },
                  { "AEAD_AES_256_GCM", TR_SRTP_AEAD_AES_256_GCM },
                  { "AES_CM_128_HMAC_SHA1_80", TR_SRTP_AES128_CM_SHA1_80 } };
    int n = 0;
    for (int i = 0; i < config->media.srtp_profiles.count && n < TR_SRTP_PROFILES; i++) {
        for (size_t k = 0; k < TR_ARRAY_LEN(names); k++) {
            if (strcmp(config->media.srtp_profiles.items[i], names[k].name) == 0)
                out[n++] = names[k].profile;
        }
    }
}

/* Where the port of TCP was not asked for by its number, calls go on without it. */
static enum tr_err offer_addresses(struct tr_server *s, const struct tr_media_conf *conf,
                                   const char **why)
{
    uint16_t tcp_port = tr_media_tcp_port(s->media);
    char what[96];
    snprintf(what, sizeof what, "TCP port %d (media.tcp_port) cannot be opened", conf->tcp_port);
    if (conf->tcp && !tcp_port && s->config->media.tcp_port > 0)
        return fail(why, TR_ERR_IO, what, "another program may use it");
    if (conf->tcp && !tcp_port)
        tr_log(TR_LOG_WARN, "server", "%s: clients cannot connect over TCP", what);
    tr_server_cands(&s->cands, conf, tr_media_port(s->media), tcp_port,
                    s->config->media.keep_private_host);
    s->pc.cands = s->cands.list;
    s->pc.cand_count = s->cands.count;
    return TR_OK;
}

static enum tr_err open_media(struct tr_server *s, const char **why)
{
    struct tr_media_conf conf = {
        .workers = (int)s->config->media.workers,
        .port = (uint16_t)s->config->media.port,
        .tcp = s->config->media.tcp_port != 0,
        .tcp_port = (uint16_t)(s->config->media.tcp_port < 0 ? s->config->media.port
                                                             : s->config->media.tcp_port),
        .consent_us = s->config->media.consent * TR_SECOND,
        .packets_max = (uint32_t)s->config->media.packets_max,
        .gso = s->config->media.gso,
        .coalesce_us = s->config->media.coalesce,
        .wake = wake,
        .wake_arg = s,
    };
    s->cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    s->certs = tr_certs_create(tr_clock_now());
    if (!s->cert || !s->certs)
        return fail(why, TR_ERR_NOMEM, "the DTLS certificate cannot be made", "");
    conf.cert = s->cert;
    read_profiles(s->config, conf.profiles);
    conf.bind_count = tr_server_addresses(s->config, conf.bind);
    if (conf.bind_count == 0)
        return fail(why, TR_ERR_IO, "no network address was found for media", "see media.bind");
    tr_server_map_addresses(s->config, &s->rng, conf.bind, conf.known, conf.bind_count);
    enum tr_err err =
        tr_turn_service_create(&s->turn, s->config, &s->rng, s->certs, false, &conf, why);
    if (err != TR_OK)
        return err;
    err = tr_media_create(&s->media, &conf);
    if (err != TR_OK) {
        char what[96];
        snprintf(what, sizeof what, "UDP port %d (media.port) cannot be opened", conf.port);
        return fail(why, err, what, err == TR_ERR_IO ? strerrordesc_np(errno) : tr_err_str(err));
    }
    tr_turn_service_media(s->turn, s->media);
    return offer_addresses(s, &conf, why);
}

/* --- files --- */

static enum tr_err make_dir(const char *path, const char **why)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return TR_OK;
    char what[PATH_MAX_BYTES + 64];
    snprintf(what, sizeof what, "the folder %s cannot be made", path);
    return fail(why, TR_ERR_IO, what, strerrordesc_np(errno));
}

static enum tr_err lock_dir(const char *path, const char *name, int *fd, const char **why)
{
    char what[PATH_MAX_BYTES + 64];
    enum tr_err err = tr_folder_lock(path, name, fd);
    if (err == TR_OK)
        return TR_OK;
    snprintf(what, sizeof what, "the folder %s cannot be used", path);
    return fail(why, err, what,
                err == TR_ERR_EXISTS ? "another tring is running on it" : strerrordesc_np(errno));
}

/* The first of the places that exists; else the last one. */
static void find_file(char out[PATH_MAX_BYTES], const char *configured, const char *exe_dir,
                      const char *const *places)
{
    if (configured[0]) {
        snprintf(out, PATH_MAX_BYTES, "%s", configured);
        return;
    }
    for (; *places; places++) {
        snprintf(out, PATH_MAX_BYTES, "%s/%s", exe_dir, *places);
        if (access(out, R_OK) == 0)
            return;
    }
}

static enum tr_err open_store(struct tr_server *s, const char *exe_dir, const char **why)
{
    static const char *const renders[] = { "tring-render", "../record/render/tring-render", NULL };
    static const char *const roots[] = { "../share/tring/web", "../../../../web/dist", NULL };
    const struct tr_config *c = s->config;
    char path[PATH_MAX_BYTES];
    find_file(s->render_path, c->recording.render.path, exe_dir, renders);
    find_file(s->web_root, c->web.root, exe_dir, roots);
    if (c->recording.dir[0])
        snprintf(s->recordings, sizeof s->recordings, "%s", c->recording.dir);
    else
        snprintf(s->recordings, sizeof s->recordings, "%.900s/recordings", c->server.data_dir);
    enum tr_err err = make_dir(c->server.data_dir, why);
    if (err == TR_OK)
        err = make_dir(s->recordings, why);
    if (err == TR_OK)
        err = lock_dir(c->server.data_dir, "tring.lock", &s->data_lock, why);
    if (err == TR_OK)
        err = lock_dir(s->recordings, "recordings.lock", &s->recordings_lock, why);
    if (err != TR_OK)
        return err;
    snprintf(path, sizeof path, "%.900s/tring.db", c->server.data_dir);
    err = tr_sql_open(&s->db, path);
    if (err == TR_OK)
        err = tr_calls_init(s->db);
    if (err != TR_OK)
        return fail(why, err, "the database cannot be opened", path);
    return TR_OK;
}

static enum tr_err open_recorder(struct tr_server *s, const char **why)
{
    const struct tr_config *c = s->config;
    struct tr_recorder_conf conf = {
        .media = s->media,
        .db = s->db,
        .rng = &s->rng,
        .unix_us = tr_clock_unix_us,
        .dir = s->recordings,
        .render_path = s->render_path,
        .nice = (int)c->recording.render.nice,
        .threads = (int)c->recording.render.threads,
        .fps = (int)c->recording.render.fps,
        .height = (int)c->recording.render.height,
        .keep_originals_us = c->recording.keep_originals * 3600 * TR_SECOND,
        .disk_min_free = c->recording.disk_min_free,
    };
    enum tr_err err = tr_recorder_create(&s->recorder, &conf);
    if (err == TR_OK)
        err = tr_recorder_recover(s->recorder, tr_clock_now());
    return err == TR_OK ? TR_OK : fail(why, err, "the recorder cannot be started", tr_err_str(err));
}

/* --- API --- */

/* Asked each time: the wall clock may be set while the server runs, and tokens go by it. */
static int64_t unix_at(void *arg, tr_usec now)
{
    return tr_clock_unix_us();
}

static enum tr_err open_gateway(struct tr_server *s, const char **why)
{
    const struct tr_config *c = s->config;
    s->pc.media = s->media;
    s->pc.rng = &s->rng;
    s->pc.session_name = "Tring";
    const struct tr_dtls_fingerprint *fp = tr_dtls_cert_fingerprint(s->cert);
    s->pc.fingerprint =
        (struct tr_sdp_fingerprint){ .hash = TR_SDP_SHA256, .len = (uint8_t)fp->len };
    memcpy(s->pc.fingerprint.bytes, fp->bytes, fp->len);
    if (!c->admin.secret[0] && tr_gateway_secret_file(c->server.data_dir, "admin.secret", &s->rng,
                                                      &s->admin_secret) != TR_OK)
        return fail(why, TR_ERR_IO, "the Admin secret cannot be kept in", c->server.data_dir);
    struct tr_gateway_conf conf = {
        .server_name = c->server.name,
        .version = TRING_VERSION,
        .api_secret = c->api.secret,
        .admin_secret = c->admin.secret[0] ? c->admin.secret : s->admin_secret,
        .token_auth = c->api.token_auth,
        .token_auth_secret = c->api.token_auth_secret,
        .session_timeout = c->api.session_timeout * TR_SECOND,
        .reclaim_session_timeout = c->api.reclaim_session_timeout * TR_SECOND,
        .candidates_timeout = c->api.candidates_timeout * TR_SECOND,
        .opaqueid_in_api = c->api.opaqueid_in_api,
        .hide_dependencies = c->api.hide_dependencies,
        .sessions_max = (uint32_t)c->api.sessions_max,
        .handles_per_session_max = (uint32_t)c->api.handles_per_session_max,
        .events_max = (uint32_t)c->api.events_max,
        .rate_per_s = (uint32_t)c->api.rate_per_second,
        .rate_burst = (uint32_t)c->api.rate_burst,
        .public_ip = c->media.nat_1_1_mapping.count > 0 ? c->media.nat_1_1_mapping.items[0] : NULL,
    };
    struct tr_gateway_services services = {
        .rng = &s->rng, .pc = &s->pc, .unix_us = unix_at, .arg = s
    };
    enum tr_err err = tr_gateway_create(&s->gw, &conf, &services);
    return err == TR_OK ? TR_OK : fail(why, err, "the API cannot be started", tr_err_str(err));
}

static enum tr_err add_plugin(struct tr_server *s, struct tr_plugin *plugin, const char **why)
{
    enum tr_err err = plugin ? tr_gateway_add_plugin(s->gw, plugin) : TR_ERR_NOMEM;
    return err == TR_OK ? TR_OK : fail(why, err, "a plugin cannot be started", tr_err_str(err));
}

static void complain(void *arg, const char *room, const char *reason)
{
    tr_log(TR_LOG_ERROR, "videoroom", "a room cannot be made room=\"%s\" why=\"%s\"", room, reason);
}

static struct tr_plugin *make_videoroom(struct tr_server *s)
{
    const struct tr_config *c = s->config;
    const struct tr_videoroom_conf conf = {
        .rng = &s->rng,
        .recorder = s->recorder,
        .db = s->db,
        .unix_us = unix_at,
        .complain = complain,
        .arg = s,
        .token_secret = c->api.token_auth_secret,
        .mjr_dir = c->videoroom.mjr_dir,
        .admin_key = c->videoroom.admin_key,
        .lock_rtp_forward = c->videoroom.lock_rtp_forward,
        .string_ids = c->videoroom.string_ids,
        .demo_room = c->videoroom.demo_room,
        .demo_secret = c->videoroom.demo_secret,
        .rooms = (const char *const *)c->videoroom.rooms.items,
        .room_count = c->videoroom.rooms.count,
        .rooms_max = (uint32_t)c->videoroom.rooms_max,
        .participants_max = (uint32_t)c->videoroom.participants_max,
    };
    return tr_videoroom_create(&conf, tr_clock_now());
}

/* --- the loop --- */

static void media_events(struct tr_server *s, tr_usec now)
{
    struct tr_media_event ev;
    for (tr_media_poll(s->media, &ev); ev.kind != TR_MEDIA_NONE; tr_media_poll(s->media, &ev))
        if (!tr_ops_media_event(s->ops, now, &ev))
            tr_gateway_media_event(s->gw, now, &ev);
}

static void woken(void *arg, tr_usec now)
{
    media_events(arg, now);
}

static tr_usec timers(void *arg, tr_usec now)
{
    struct tr_server *s = arg;
    if (tr_gateway_next_timeout(s->gw) <= now)
        tr_gateway_timeout(s->gw, now);
    if (tr_recorder_next_timeout(s->recorder) <= now)
        tr_recorder_timeout(s->recorder, now);
    if (tr_ops_next_timeout(s->ops) <= now)
        tr_ops_timeout(s->ops, now);
    if (tr_certs_next_timeout(s->certs) <= now)
        tr_certs_timeout(s->certs, now);
    tr_usec next =
        tr_usec_min(tr_gateway_next_timeout(s->gw), tr_recorder_next_timeout(s->recorder));
    next = tr_usec_min(next, tr_ops_next_timeout(s->ops));
    next = tr_usec_min(next, tr_certs_next_timeout(s->certs));
    return tr_media_flush(s->media) ? next : tr_usec_min(next, now + TR_MSEC);
}

/* The loop still runs for a moment after this, so that clients hear of it. */
static void stopping(void *arg, tr_usec now)
{
    struct tr_server *s = arg;
    tr_gateway_stop(s->gw, now);
    tr_recorder_stop_all(s->recorder, now);
}

static void diag_metrics(const struct tr_server *s, struct tr_metrics *m)
{
    struct tr_diag_counters c;
    tr_diag_counters(s->diag, &c);
    tr_metrics_one(m, "tring_diag_reports_total", "counter", "Reports of /diag that were kept.",
                   (double)c.kept);
    tr_metrics_one(m, "tring_diag_reports_rate_limited_total", "counter",
                   "Reports of /diag that came too soon.", (double)c.refused_rate);
    tr_metrics_one(m, "tring_diag_reports_refused_total", "counter",
                   "Reports of /diag that were none, or too large.", (double)c.refused_bad);
    tr_metrics_one(m, "tring_diag_reports_failed_total", "counter",
                   "Reports of /diag that could not be stored.", (double)c.failed);
}

static void certs_metrics(const struct tr_server *s, struct tr_metrics *m)
{
    static const char expires_at[] = "tring_certificate_expires_seconds";
    struct tr_certs_counters c;
    const char *file;
    int64_t expires;
    tr_certs_counters(s->certs, &c);
    tr_metrics_one(m, "tring_certificate_renewals_total", "counter",
                   "New certificates that were taken from their files.", (double)c.renewed);
    tr_metrics_one(m, "tring_certificate_failures_total", "counter",
                   "Changes of a certificate's files that cannot be used.", (double)c.refused);
    tr_metrics_family(m, expires_at, "gauge", "When a certificate ends, Unix time.");
    for (int i = 0; tr_certs_at(s->certs, i, &file, &expires); i++)
        tr_metrics_sample(m, expires_at, "file", file, (double)expires);
}

static void metrics(void *arg, struct tr_metrics *m)
{
    struct tr_server *s = arg;
    struct tr_recorder_counters c;
    tr_recorder_counters(s->recorder, &c);
    tr_metrics_one(m, "tring_recordings_open", "gauge", "Recordings that are being written.",
                   c.open);
    tr_metrics_one(m, "tring_renders_running", "gauge", "Recordings that are being processed.",
                   c.rendering);
    tr_metrics_one(m, "tring_recordings_started_total", "counter", "Recordings started.",
                   (double)c.started);
    tr_metrics_one(m, "tring_recordings_failed_total", "counter", "Recordings that failed.",
                   (double)c.failed);
    tr_metrics_one(m, "tring_renders_total", "counter", "Recordings processed.",
                   (double)c.rendered);
    tr_metrics_one(m, "tring_render_failures_total", "counter",
                   "Attempts at processing that failed.", (double)c.render_failures);
    tr_metrics_one(m, "tring_recorded_packets_total", "counter", "Packets written to journals.",
                   (double)c.packets);
    tr_metrics_one(m, "tring_recorded_packets_dropped_total", "counter",
                   "Packets that the disk was too slow or too full for.",
                   (double)c.packets_dropped);
    tr_metrics_one(m, "tring_recorded_bytes_total", "counter", "Bytes written to journals.",
                   (double)c.bytes);
    diag_metrics(s, m);
    certs_metrics(s, m);
    tr_turn_service_metrics(s->turn, m);
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static enum tr_err open_web(struct tr_server *s, const char **why)
{
    const struct tr_config *c = s->config;
    struct tr_web_conf conf = {
        .gw = s->gw,
        .media = s->media,
        .clock = tr_clock_now,
        .listen = text_or_null(c->http.listen),
        .port = (int)c->http.port,
        .ws_port = (int)c->http.ws_port,
        .tls_port = (int)c->http.tls_port,
        .tls_ws_port = (int)c->http.tls_ws_port,
        .tls = c->http.tls_cert[0] != '\0',
        .admin_listen = c->admin.listen,
        .admin_port = (int)c->admin.port,
        .base_path = c->http.base_path,
        .admin_path = c->admin.base_path,
        .allow_origin = c->http.allow_origin,
        .enforce_cors = c->http.enforce_cors,
        .body_max = (uint32_t)c->http.body_max,
        .ws_message_max = (uint32_t)c->http.body_max,
        .connections_max = (uint32_t)c->http.connections_max,
        .root = s->web_root,
        .woken = woken,
        .timers = timers,
        .stopping = stopping,
        .metrics = metrics,
        .arg = s,
    };
    for (int i = 0; i < c->http.trusted_proxies.count && i < TR_WEB_PROXIES_MAX; i++) {
        if (tr_addr_parse_ip(&conf.proxies[conf.proxy_count], c->http.trusted_proxies.items[i],
                             0) == TR_OK)
            conf.proxy_count++;
    }
    struct tr_web *web = NULL;
    enum tr_err err = tr_web_create(&web, &conf);
    __atomic_store_n(&s->web, web, __ATOMIC_RELEASE);
    if (err == TR_OK)
        return TR_OK;
    char what[96];
    snprintf(what, sizeof what, "ports %d, %d or %d cannot be opened", conf.port, conf.ws_port,
             conf.admin_port);
    return fail(why, err, what, "another program may use them");
}

static enum tr_err use_web_cert(void *arg, const struct tr_dtls_cert *cert)
{
    return tr_web_renew(arg, cert);
}

static enum tr_err open_web_cert(struct tr_server *s, const char **why)
{
    const struct tr_config *c = s->config;
    const struct tr_certs_user user = { use_web_cert, s->web };
    const char *detail = "";
    if (c->http.tls_cert[0] == '\0')
        return TR_OK;
    enum tr_err err = tr_certs_watch(s->certs, c->http.tls_cert, c->http.tls_key, &user, &detail);
    return err == TR_OK ? TR_OK
                        : fail(why, err, "http.tls_cert and http.tls_key cannot be used", detail);
}

static enum tr_err open_ops(struct tr_server *s, const char **why)
{
    const struct tr_ops_conf conf = {
        .gw = s->gw,
        .media = s->media,
        .db = s->db,
        .rng = &s->rng,
        .web = s->web,
        .routes = tr_web_admin_routes(s->web),
        .clock = tr_clock_now,
        .unix_us = tr_clock_unix_us,
        .version = TRING_VERSION,
        .keep_days = (uint32_t)s->config->ops.keep_days,
        .keep_max = (uint32_t)s->config->ops.keep_max,
    };
    enum tr_err err = tr_ops_create(&s->ops, &conf);
    return err == TR_OK ? TR_OK
                        : fail(why, err, "the operators' part cannot be started", tr_err_str(err));
}

static enum tr_err open_contact(struct tr_server *s, const char **why)
{
    struct tr_contact_conf conf = {
        .gw = s->gw,
        .db = s->db,
        .recorder = s->recorder,
        .rng = &s->rng,
        .routes = tr_web_routes(s->web),
        .ops = s->ops,
        .unix_us = tr_clock_unix_us,
        .record_calls = s->config->recording.calls,
        .agent_key = s->config->web.agent_key,
        .version = TRING_VERSION,
    };
    enum tr_err err = tr_contact_create(&s->contact, &conf);
    return err == TR_OK ? TR_OK : fail(why, err, "the call log cannot be started", tr_err_str(err));
}

static enum tr_err open_diag(struct tr_server *s, const char **why)
{
    const struct tr_diag_conf conf = {
        .gw = s->gw,
        .db = s->db,
        .rng = &s->rng,
        .routes = tr_web_routes(s->web),
        .admin_routes = tr_web_admin_routes(s->web),
        .unix_us = tr_clock_unix_us,
    };
    enum tr_err err = tr_diag_create(&s->diag, &conf);
    return err == TR_OK ? TR_OK : fail(why, err, "the reports cannot be started", tr_err_str(err));
}

static enum tr_err open_ice_servers(struct tr_server *s, const char **why)
{
    const struct tr_route row = { TR_HTTP_GET, "/api/v1/ice-servers", 0,
                                  tr_turn_service_ice_servers, s->turn };
    enum tr_err err = tr_routes_add(tr_web_routes(s->web), &row, 1);
    return err == TR_OK ? TR_OK : fail(why, err, "the API cannot be started", tr_err_str(err));
}

enum tr_err tr_server_create(struct tr_server **out, const struct tr_config *config,
                             const char *exe_dir, const char **why)
{
    struct tr_server *s = tr_alloc(sizeof *s);
    if (!s)
        return fail(why, TR_ERR_NOMEM, "out of memory", "");
    s->config = config;
    s->data_lock = s->recordings_lock = -1;
    s->rng = tr_random_system();
    enum tr_err err = open_media(s, why);
    if (err == TR_OK)
        err = open_store(s, exe_dir, why);
    if (err == TR_OK)
        err = open_recorder(s, why);
    if (err == TR_OK)
        err = open_gateway(s, why);
    if (err == TR_OK)
        err = open_web(s, why);
    if (err == TR_OK)
        err = open_web_cert(s, why);
    if (err == TR_OK)
        err = open_ops(s, why);
    if (err == TR_OK)
        err = open_contact(s, why);
    if (err == TR_OK)
        err = open_diag(s, why);
    if (err == TR_OK)
        err = open_ice_servers(s, why);
    if (err == TR_OK)
        err = add_plugin(s, tr_echotest_create(s->recorder), why);
    if (err == TR_OK)
        err = add_plugin(s, tr_videocall_create(tr_contact_observer(s->contact), s->recorder), why);
    if (err == TR_OK)
        err = add_plugin(s, make_videoroom(s), why);
    if (err != TR_OK) {
        tr_server_destroy(s);
        return err;
    }
    *out = s;
    return TR_OK;
}

int tr_server_port(const struct tr_server *s)
{
    return tr_web_port(s->web);
}

void tr_server_run(struct tr_server *s)
{
    tr_web_run(s->web);
    for (int ms = 0; ms < STOP_MS_MAX && !tr_recorder_idle(s->recorder); ms++) {
        media_events(s, tr_clock_now());
        tr_recorder_timeout(s->recorder, tr_clock_now());
        tr_clock_sleep(TR_MSEC);
    }
}

void tr_server_look(struct tr_server *s)
{
    tr_certs_ask(s->certs);
    tr_web_wake(s->web);
}

void tr_server_stop(struct tr_server *s)
{
    tr_web_stop(s->web);
}

void tr_server_destroy(struct tr_server *s)
{
    if (!s)
        return;
    /* Workers wake the web's loop, the web's clients are known to the gateway, the gateway's
     * handles have peers, and the recorder's taps are the engine's: hence this order. */
    if (s->media)
        tr_media_stop(s->media);
    tr_web_destroy(s->web);
    tr_gateway_destroy(s->gw, tr_clock_now());
    tr_ops_destroy(s->ops);
    tr_contact_destroy(s->contact);
    tr_diag_destroy(s->diag);
    tr_media_destroy(s->media);
    tr_turn_service_destroy(s->turn);
    tr_certs_destroy(s->certs);
    tr_recorder_destroy(s->recorder);
    tr_sql_close(s->db);
    tr_folder_unlock(s->recordings_lock);
    tr_folder_unlock(s->data_lock);
    tr_dtls_cert_destroy(s->cert);
    tr_free(s->admin_secret);
    tr_free(s);
}
