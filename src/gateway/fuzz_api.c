/* The API core under a script of requests, long polls, media events, lost connections and time.
 * Each line of the input is one step:
 *   <client><level><JSON>   client w, v (WebSocket), h (HTTP), a (Admin); level b (ids in
 *                           the body), r, s, x (path of root, newest session, newest handle)
 *   p<maxev> long poll   g<client> connection lost   t<c> time passes   m<kind><mline> media event
 *   u PeerConnection comes up on the newest handle */
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/test_fake_pc.h"

static uint64_t newest_session, newest_handle;

static struct fake_client *client_of(struct rig *rig, uint8_t c)
{
    switch (c) {
    case 'v': return &rig->ws2;
    case 'h': return &rig->http;
    case 'a': return &rig->admin;
    default: return &rig->ws;
    }
}

/* Ids in "success" answers are remembered; create has no session_id, attach has. */
static void note(const struct fake_client *client)
{
    for (int i = 0; i < client->count; i++) {
        const json_t *m = client->got[i];
        uint64_t id = (uint64_t)fake_int(m, "data.id");
        if (id && fake_at(m, "session_id"))
            newest_handle = id;
        else if (id)
            newest_session = id;
    }
}

static void say(struct rig *rig, const uint8_t *p, size_t n)
{
    struct fake_client *client = client_of(rig, p[0]);
    const struct tr_request_path paths[] = { { 0, 0 },
                                             { newest_session, 0 },
                                             { newest_session, newest_handle } };
    const struct tr_request_path *path = p[1] == 'r'   ? &paths[0]
                                         : p[1] == 's' ? &paths[1]
                                         : p[1] == 'x' ? &paths[2]
                                                       : NULL;
    fake_client_clear(client);
    (void)!tr_gateway_input(rig->gw, rig->now, &client->client, path, tr_slice(p + 2, n - 2));
    note(client);
    fake_client_clear(client);
}

static void media(struct rig *rig, uint8_t kind, uint8_t mline)
{
    const struct tr_media_event event = { .kind = kind % (TR_MEDIA_STATS + 1),
                                          .peer = 42,
                                          .mline = mline % 4 - 1,
                                          .reason = "ICE failed",
                                          .on = mline & 1,
                                          .cookie = fake_pc.query_cookie,
                                          .stats = NULL };
    tr_gateway_media_event(rig->gw, rig->now, &event);
}

static void step(struct rig *rig, const uint8_t *p, size_t n)
{
    struct tr_handle *handle;
    if (n < 2)
        return;
    switch (p[0]) {
    case 't': rig_sleep(rig, p[1] * TR_SECOND); break;
    case 'g': tr_gateway_client_gone(rig->gw, rig->now, &client_of(rig, p[1])->client); break;
    case 'p':
        (void)!tr_gateway_poll(
            rig->gw, rig->now, &rig->http.client,
            &(struct tr_poll){ .session_id = newest_session, .events_max = p[1] });
        break;
    case 'm': media(rig, p[1], n > 2 ? p[2] : 0); break;
    case 'u':
        handle = tr_handle_find(rig->gw, newest_session, newest_handle);
        if (handle && !tr_pc_exists(tr_handle_pc(handle)))
            (void)fake_pc_try_up(handle, 42 + newest_handle % 2);
        break;
    default: say(rig, p, n); break;
    }
    struct fake_client *all[] = { &rig->ws, &rig->ws2, &rig->http, &rig->admin };
    for (int i = 0; i < 4; i++)
        fake_client_clear(all[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tr_gateway_conf conf = { .admin_secret = "boss",
                                                 .session_timeout = 60 * TR_SECOND,
                                                 .reclaim_session_timeout = 5 * TR_SECOND,
                                                 .token_auth = true,
                                                 .api_secret = "s",
                                                 .token_auth_secret = "k",
                                                 .events_max = 20,
                                                 .sessions_max = 8,
                                                 .handles_per_session_max = 4 };
    struct rig rig;
    if (rig_create(&rig, &conf) != TR_OK)
        return 0;
    newest_session = newest_handle = 0;
    for (size_t i = 0, lines = 0; i < size && lines < 40; lines++) {
        const uint8_t *end = memchr(data + i, '\n', size - i);
        size_t n = end ? (size_t)(end - (data + i)) : size - i;
        step(&rig, data + i, n);
        i += n + 1;
    }
    rig_destroy(&rig);
    if (tr_mem_in_use() != 0)
        abort();
    return 0;
}
