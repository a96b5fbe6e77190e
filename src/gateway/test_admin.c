/* Goal: the Admin API's verbs, secrets and tokens; the whole matrix of who may do what.
 * Method: as test_api.c. */
#include "gateway/secret.h"
#include "gateway/test_fake_pc.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/auth.h"
#include "gateway/inspect.h"
#include "net/log.h"
#include "unit.h"

#define ERR(reply, code) CHECK_INT(fake_int((reply), "error.code"), (code))
#define KIND(reply, kind) CHECK_STR(fake_text((reply), "janus"), (kind))
#define ADMIN(s, h, rest)                                                                          \
    rig_post(&rig, &rig.admin, s, h, "{'transaction':'x','admin_secret':'boss'," rest "}")

TEST(admin_needs_its_secret)
{
    struct rig rig;
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    KIND(rig_say(&rig, &rig.admin, "{'janus':'ping','transaction':'x'}"), "pong");
    ERR(rig_say(&rig, &rig.admin, "{'janus':'list_sessions','transaction':'x'}"), 403);
    ERR(rig_say(&rig, &rig.admin,
                "{'janus':'list_sessions','transaction':'x','admin_secret':'bos'}"),
        403);
    KIND(ADMIN(0, 0, "'janus':'list_sessions'"), "success");
    ERR(ADMIN(0, 0, "'janus':'create'"), 453);
    ERR(ADMIN(0, 0, "'janus':'set_locking_debug'"), 453); /* no meaning here: not promised */
    ERR(rig_say(&rig, &rig.ws, "{'janus':'list_sessions','transaction':'x'}"), 453);
    rig_destroy(&rig);

    CHECK_INT(rig_create(&rig, &(struct tr_gateway_conf){ .server_name = "x" }), TR_OK);
    ERR(rig_say(&rig, &rig.admin, "{'janus':'list_sessions','transaction':'x','admin_secret':''}"),
        403);
    rig_destroy(&rig);
}

TEST(admin_root_verbs)
{
    struct rig rig;
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    uint64_t s = rig_session(&rig, &rig.ws);
    KIND(ADMIN(0, 0, "'janus':'info'"), "server_info");
    const json_t *r = ADMIN(0, 0, "'janus':'get_status'");
    CHECK_INT(fake_int(r, "status.session_timeout"), 60);
    CHECK_INT(fake_int(r, "status.sessions"), 1);
    r = ADMIN(0, 0, "'janus':'list_sessions'");
    CHECK_INT(fake_int(r, "sessions.0"), (json_int_t)s);
    ERR(ADMIN(0, 0, "'janus':'set_session_timeout'"), 456);
    ERR(ADMIN(0, 0, "'janus':'set_session_timeout','timeout':-1"), 467);
    CHECK_INT(fake_int(ADMIN(0, 0, "'janus':'set_session_timeout','timeout':5"), "timeout"), 5);
    rig_sleep(&rig, 6 * TR_SECOND);
    KIND(fake_got(&rig.ws, -1), "timeout");
    enum tr_log_level before = tr_log_get_level();
    CHECK_INT(fake_int(ADMIN(0, 0, "'janus':'set_log_level','level':3"), "level"), 3);
    CHECK_INT(tr_log_get_level(), TR_LOG_WARN);
    tr_log_set_level(before);
    ERR(ADMIN(0, 0, "'janus':'set_log_level','level':8"), 467);
    CHECK(json_is_false(
        fake_at(ADMIN(0, 0, "'janus':'accept_new_sessions','accept':false"), "accept")));
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x'}"), 472);
    r = ADMIN(0, 0, "'janus':'message_plugin','plugin':'janus.plugin.both','request':{'a':1}");
    CHECK_INT(fake_int(r, "response.echo.a"), 1);
    ERR(ADMIN(0, 0, "'janus':'message_plugin','plugin':'janus.plugin.async','request':{}"), 490);
    ERR(ADMIN(0, 0, "'janus':'message_plugin','plugin':'no','request':{}"), 460);
    ERR(ADMIN(0, 0, "'janus':'message_plugin','plugin':'janus.plugin.both'"), 456);
    rig_destroy(&rig);
}

TEST(admin_session_and_handle_verbs)
{
    struct rig rig;
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    CHECK_INT(fake_int(ADMIN(s, 0, "'janus':'list_handles'"), "handles.0"), (json_int_t)h);
    ERR(ADMIN(s + 1, 0, "'janus':'list_handles'"), 458);
    ERR(ADMIN(0, 0, "'janus':'list_handles'"), 457);
    ERR(ADMIN(s, h + 1, "'janus':'handle_info'"), 459);
    KIND(ADMIN(s, 0, "'janus':'set_session_timeout','timeout':100"), "success");
    rig_sleep(&rig, 90 * TR_SECOND);
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    KIND(ADMIN(s, h, "'janus':'hangup_webrtc'"), "success");
    CHECK_STR(fake_text(fake_got(&rig.ws, -1), "reason"), "Admin API");
    KIND(ADMIN(s, h, "'janus':'detach_handle'"), "success");
    KIND(fake_got(&rig.ws, -1), "detached");
    KIND(ADMIN(s, 0, "'janus':'destroy_session'"), "success");
    KIND(fake_got(&rig.ws, -1), "timeout");
    rig_destroy(&rig);
}

TEST(admin_wrong_secrets_are_few)
{
    struct rig rig;
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    const struct tr_addr here = tr_addr_v4(192, 0, 2, 1, 9), there = tr_addr_v4(192, 0, 2, 2, 9);
#define TRY(addr, secret) tr_gateway_admin_check(rig.gw, &(addr), secret, rig.now)
    CHECK_INT(TRY(here, "boss"), TR_OK);
    for (int i = 0; i < 1000; i++) /* none is no guess */
        CHECK_INT(TRY(here, NULL), TR_ERR_AUTH);
    for (int i = 0; i < 20; i++)
        CHECK_INT(TRY(here, i % 2 ? "bos" : ""), TR_ERR_AUTH);
    CHECK_INT(TRY(here, "bosss"), TR_ERR_LIMIT);
    CHECK_INT(TRY(here, "boss"), TR_ERR_LIMIT);       /* not even looked at */
    ERR(ADMIN(0, 0, "'janus':'list_sessions'"), 403); /* the Admin API is behind the same limit */
    CHECK_INT(TRY(there, "boss"), TR_OK);             /* others are not hit by it */
    rig_sleep(&rig, TR_SECOND + 1);
    CHECK_INT(TRY(here, "boss"), TR_OK);
    CHECK_INT(TRY(here, "bos"), TR_ERR_AUTH);
    CHECK_INT(TRY(here, "boss"), TR_ERR_LIMIT);
    rig_destroy(&rig);
}

static struct {
    int opened, closing;
    tr_id peer;
    const char *reason;
} seen;

static void see_opened(void *arg, struct tr_handle *handle, tr_id peer)
{
    seen.opened++;
    seen.peer = peer;
}

static void see_closing(void *arg, struct tr_handle *handle, tr_id peer, const char *reason)
{
    struct tr_handle_facts facts;
    tr_handle_facts(handle, &facts);
    CHECK_INT((int)facts.peer, (int)peer);
    seen.closing++;
    seen.reason = reason;
}

static bool count_handle(void *arg, struct tr_handle *handle)
{
    return ++*(int *)arg < 2;
}

TEST(inspect_observer_sees_each_peerconnection_twice)
{
    struct rig rig;
    memset(&seen, 0, sizeof seen);
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    tr_gateway_observe(rig.gw, &(struct tr_gateway_observer){ see_opened, see_closing, NULL });
    uint64_t s = rig_session(&rig, &rig.ws);
    struct tr_handle *h[3];
    for (int i = 0; i < 3; i++)
        h[i] = tr_handle_find(rig.gw, s, rig_handle(&rig, &rig.ws, s, "janus.plugin.both"));
    int count = 0;
    tr_gateway_each_handle(rig.gw, count_handle, &count);
    CHECK_INT(count, 2); /* it ends when it is told to */
    fake_pc_up(h[0], 42);
    CHECK_INT((int)seen.peer, 42);
    fake_pc_up(h[1], 43);
    CHECK_INT(seen.opened, 2);
    ADMIN(s, tr_handle_id(h[0]), "'janus':'hangup_webrtc'");
    CHECK_INT(seen.closing, 1);
    CHECK_STR(seen.reason, "Admin API");
    ADMIN(s, 0, "'janus':'destroy_session'");
    CHECK_INT(seen.closing, 2);
    CHECK_STR(seen.reason, "Detach");
    rig_destroy(&rig);
}

static void answer_query(struct rig *rig)
{
    struct tr_media_peer_stats *st = tr_alloc(sizeof(*st));
    st->ice_state = "connected";
    st->pairs_count = 1;
    st->pairs[0] = (struct tr_stats_pair){ .local = tr_addr_v4(127, 0, 0, 1, 10000),
                                           .remote = tr_addr_v4(127, 0, 0, 1, 4000),
                                           .selected = true };
    st->srtp_profile = "AEAD_AES_128_GCM";
    st->drops[TR_DROP_STUN_BAD] = 3;
    st->tracks_count = 2;
    st->ice_unauthenticated = 2;
    st->tracks[1] = (struct tr_stats_track){ .used = true,
                                             .clock_rate = 90000,
                                             .route = { .routed = true,
                                                        .source_peer = 42,
                                                        .layer = 1,
                                                        .layer_target = 2,
                                                        .layer_bound = 3 },
                                             .video = true,
                                             .mid = "v1",
                                             .codec = "VP8",
                                             .pt = 96,
                                             .layers_count = 1,
                                             .layers = { { .ssrc = 99, .packets = 5 } } };
    const struct tr_media_event event = { .kind = TR_MEDIA_STATS,
                                          .cookie = fake_pc.query_cookie,
                                          .stats = st };
    tr_gateway_media_event(rig->gw, rig->now, &event);
}

TEST(admin_handle_info)
{
    struct rig rig;
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    const json_t *r = ADMIN(s, h, "'janus':'handle_info'"); /* no PeerConnection: at once */
    CHECK_STR(fake_text(r, "info.plugin"), "janus.plugin.both");
    CHECK_STR(fake_text(r, "info.opaque_id"), "op");
    CHECK_STR(fake_text(r, "info.sdps.local"), "v=0");
    r = ADMIN(s, h, "'janus':'handle_info','plugin_only':true");
    CHECK_STR(fake_text(r, "info.plugin_specific.mood"), "fine");
    CHECK(!fake_at(r, "info.sdps"));
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    fake_client_clear(&rig.admin);
    ADMIN(s, h, "'janus':'handle_info'");
    CHECK_INT(rig.admin.count, 0);
    CHECK_INT(fake_pc.query_peer, 42);
    answer_query(&rig);
    r = fake_got(&rig.admin, 0);
    CHECK_STR(fake_text(r, "transaction"), "x");
    CHECK_STR(fake_text(r, "info.webrtc.ice.selected-pair"),
              "127.0.0.1:10000 [host,udp] <-> 127.0.0.1:4000 [prflx,udp]");
    CHECK_STR(fake_text(r, "info.webrtc.dtls.srtp-profile"), "AEAD_AES_128_GCM");
    CHECK_INT(fake_int(r, "info.webrtc.dtls.stats.dropped.stun_bad"), 3);
    CHECK_STR(fake_text(r, "info.webrtc.media.v1.codecs.codec"), "VP8");
    CHECK_INT(fake_int(r, "info.webrtc.media.v1.stats.in.0.ssrc"), 99);
    CHECK_STR(fake_text(r, "info.webrtc.ice.checklist.0.remote"), "127.0.0.1:4000");
    CHECK_STR(fake_text(r, "info.webrtc.ice.checklist.0.protocol"), "udp");
    CHECK_STR(fake_text(r, "info.webrtc.ice.role"), "controlled");
    CHECK_INT(fake_int(r, "info.webrtc.ice.checks-unauthenticated"), 2);
    CHECK_INT(fake_int(r, "info.webrtc.media.v1.codecs.clock-rate"), 90000);
    CHECK_INT(fake_int(r, "info.webrtc.media.v1.route.layer-target"), 2);
    CHECK_INT(fake_int(r, "info.webrtc.media.v1.route.from.handle_id"), (json_int_t)h);
    answer_query(&rig); /* late or double: ignored and freed */
    CHECK_INT(rig.admin.count, 1);

    ADMIN(s, h, "'janus':'handle_info'"); /* the worker does not answer */
    rig_sleep(&rig, 3 * TR_SECOND);
    CHECK_INT(rig.admin.count, 2);
    CHECK_INT(json_object_size(fake_at(fake_got(&rig.admin, 1), "info.webrtc")), 0);
    ADMIN(s, h, "'janus':'handle_info'"); /* the handle goes meanwhile */
    rig_post(&rig, &rig.ws, s, h, "{'janus':'detach','transaction':'x'}");
    answer_query(&rig);
    ERR(fake_got(&rig.admin, -1), 459);
    uint64_t h2 = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    fake_pc_up(tr_handle_find(rig.gw, s, h2), 43);
    ADMIN(s, h2, "'janus':'handle_info'"); /* the asker goes meanwhile */
    int count = rig.admin.count;
    tr_gateway_client_gone(rig.gw, rig.now, &rig.admin.client);
    answer_query(&rig);
    CHECK_INT(rig.admin.count, count);
    rig_destroy(&rig);
}

TEST(admin_tokens)
{
    struct rig rig;
    const struct tr_gateway_conf conf = { .admin_secret = "boss", .token_auth = true };
    CHECK_INT(rig_create(&rig, NULL), TR_OK);
    ERR(ADMIN(0, 0, "'janus':'add_token','token':'t'"), 490); /* tokens are off */
    rig_destroy(&rig);

    CHECK_INT(rig_create(&rig, &conf), TR_OK);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x'}"), 403);
    ERR(ADMIN(0, 0, "'janus':'add_token'"), 456);
    ERR(ADMIN(0, 0, "'janus':'add_token','token':''"), 467);
    const json_t *r = ADMIN(0, 0, "'janus':'add_token','token':'all'");
    CHECK_INT(json_array_size(fake_at(r, "data.plugins")), 3);
    ERR(ADMIN(0, 0, "'janus':'add_token','token':'all'"), 490);
    r = ADMIN(0, 0, "'janus':'add_token','token':'one','plugins':['janus.plugin.both']");
    CHECK_INT(json_array_size(fake_at(r, "data.plugins")), 1);
    ERR(ADMIN(0, 0, "'janus':'add_token','token':'x','plugins':['no']"), 460);
    ERR(ADMIN(0, 0, "'janus':'add_token','token':'x','plugins':[4]"), 467);
    r = rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x','token':'one'}");
    uint64_t s = (uint64_t)fake_int(r, "data.id");
#define ATTACH(token, plugin)                                                                      \
    rig_post(&rig, &rig.ws, s, 0,                                                                  \
             "{'janus':'attach','transaction':'x','token':'%s','plugin':'%s'}", token, plugin)
    KIND(ATTACH("one", "janus.plugin.both"), "success");
    ERR(ATTACH("one", "janus.plugin.async"), 405);
    KIND(ADMIN(0, 0, "'janus':'allow_token','token':'one','plugins':['janus.plugin.async']"),
         "success");
    KIND(ATTACH("one", "janus.plugin.async"), "success");
    KIND(ADMIN(0, 0, "'janus':'disallow_token','token':'one','plugins':['janus.plugin.async']"),
         "success");
    ERR(ATTACH("one", "janus.plugin.async"), 405);
    ERR(ADMIN(0, 0, "'janus':'allow_token','token':'no','plugins':[]"), 470);
    ERR(ADMIN(0, 0, "'janus':'allow_token','token':'one'"), 456);
    r = ADMIN(0, 0, "'janus':'list_tokens'");
    CHECK_INT(json_array_size(fake_at(r, "data.tokens")), 2);
    CHECK_STR(fake_text(r, "data.tokens.1.token"), "one");
    KIND(ADMIN(0, 0, "'janus':'remove_token','token':'one'"), "success");
    ERR(ADMIN(0, 0, "'janus':'remove_token','token':'one'"), 470);
    ERR(ATTACH("one", "janus.plugin.both"), 403);
    rig_destroy(&rig);
}

static const char *sign(char out[256], const char *key, const char *text)
{
    uint8_t mac[20];
    unsigned n = sizeof(mac);
    char b64[32];
    HMAC(EVP_sha1(), key, (int)strlen(key), (const uint8_t *)text, strlen(text), mac, &n);
    EVP_EncodeBlock((uint8_t *)b64, mac, 20);
    snprintf(out, 256, "%s:%s", text, b64);
    return out;
}

TEST(auth_signed_tokens)
{
    char t[256];
    const int64_t now = 1700000000;
#define SIGNED(text, descriptor)                                                                   \
    tr_token_signed_ok("key", sign(t, "key", text), "janus", descriptor, now)
    CHECK(SIGNED("1700000001,janus,janus.plugin.echotest", NULL));
    CHECK(SIGNED("1700000001,janus,a,janus.plugin.echotest", "janus.plugin.echotest"));
    CHECK(!SIGNED("1700000001,janus,janus.plugin.echotest2", "janus.plugin.echotest"));
    CHECK(!SIGNED("1700000000,janus,a", NULL)); /* expired */
    CHECK(!SIGNED("1700000001,other,a", NULL));
    CHECK(!SIGNED("1700000001", NULL));
    CHECK(!SIGNED("", NULL));
    CHECK(!SIGNED("-1,janus,a", NULL));
    CHECK(!SIGNED("99999999999999999999,janus,a", NULL));
    CHECK(!tr_token_signed_ok("key", sign(t, "kex", "1700000001,janus,a"), "janus", NULL, now));
    CHECK(!tr_token_signed_ok("key", "1700000001,janus,a:", "janus", NULL, now));
    CHECK(!tr_token_signed_ok("key", "1700000001,janus,a", "janus", NULL, now));
    sign(t, "key", "1700000001,janus,a");
    t[strlen(t) - 3] ^= 1;
    CHECK(!tr_token_signed_ok("key", t, "janus", NULL, now));
}

TEST(auth_matrix)
{
    /* every set of configured means, against every set of given ones */
    char good[256], bad[256];
    sign(good, "key", "1700000001,janus,p");
    sign(bad, "kex", "1700000001,janus,p");
    for (int conf = 0; conf < 8; conf++) {
        const struct tr_auth_conf c = { .api_secret = conf & 1 ? "s" : NULL,
                                        .token_auth = conf & 2,
                                        .token_secret = conf & 4 ? "key" : NULL,
                                        .tokens_max = 10 };
        struct tr_auth *auth = tr_auth_create(&c);
        json_t *plugins = json_pack("[s]", "p");
        CHECK_INT(tr_auth_add(auth, "stored", plugins), conf & 2 ? TR_OK : TR_ERR_UNSUPPORTED);
        json_decref(plugins);
        CHECK_INT(tr_auth_check(auth, NULL, NULL, 1700000000), conf == 0);
        CHECK_INT(tr_auth_check(auth, "s", NULL, 1700000000), conf == 0 || (conf & 1));
        CHECK_INT(tr_auth_check(auth, "t", NULL, 1700000000), conf == 0);
        CHECK_INT(tr_auth_check(auth, "", "stored", 1700000000), conf == 0 || (conf & 2));
        CHECK_INT(tr_auth_check(auth, NULL, "storee", 1700000000), conf == 0);
        CHECK_INT(tr_auth_check(auth, NULL, good, 1700000000), conf == 0 || (conf & 4));
        CHECK_INT(tr_auth_check(auth, NULL, bad, 1700000000), conf == 0);
        CHECK_INT(tr_auth_check(auth, "s", bad, 1700000000), conf == 0 || (conf & 1));
        bool tokens = conf & 6;
        CHECK_INT(tr_auth_plugin(auth, NULL, "stored", "p", 1700000000), !tokens || (conf & 2));
        CHECK_INT(tr_auth_plugin(auth, NULL, "stored", "q", 1700000000), !tokens);
        CHECK_INT(tr_auth_plugin(auth, NULL, good, "p", 1700000000), !tokens || (conf & 4));
        CHECK_INT(tr_auth_plugin(auth, NULL, good, "q", 1700000000), !tokens);
        CHECK_INT(tr_auth_plugin(auth, "s", NULL, "q", 1700000000), !tokens || (conf & 1));
        tr_auth_destroy(auth);
    }
}

TEST(secret_file)
{
    char dir[] = "/tmp/tring-secret-XXXXXX", path[64];
    struct tr_rng rng = tr_rng_seeded(1);
    char *a = NULL, *b = NULL;
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(tr_gateway_secret_file(dir, "admin.secret", &rng, &a), TR_OK);
    CHECK_INT(tr_gateway_secret_file(dir, "admin.secret", &rng, &b), TR_OK);
    CHECK_STR(b, a);
    CHECK_INT(strlen(a), 32);
    struct stat st;
    snprintf(path, sizeof(path), "%s/admin.secret", dir);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    tr_free(a);
    tr_free(b);
    CHECK(truncate(path, 0) == 0);
    CHECK_INT(tr_gateway_secret_file(dir, "admin.secret", &rng, &a), TR_ERR_BADMSG);
    unlink(path);
    rmdir(dir);
    CHECK_INT(tr_gateway_secret_file(dir, "admin.secret", &rng, &a), TR_ERR_IO);
}
