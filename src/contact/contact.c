/* The log of calls. It follows the videocall plugin as an observer: a row when it rings, its
 * times as they come, and a recording from the answer to the end. Both parties are in one
 * recording: participant 0 is who called.
 *
 * A database that fails costs the log, never the call. */
#include "contact/contact.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "contact/contact_int.h"
#include "net/log.h"
#include "ops/ops.h"
#include "plugin/side_record.h"
#include "record/recorder.h"
#include "store/calls.h"

struct call {
    char id[33];
    bool answered;
    tr_id recording; /* 0: none */
};

static struct tr_slice key_of(const uint64_t *call)
{
    return tr_slice(call, sizeof *call);
}

static void must_store(const struct tr_contact *c, enum tr_err err, const char *id)
{
    if (err != TR_OK)
        tr_log(TR_LOG_ERROR, "contact", "the call log is not written call=%s error=\"%s\"", id,
               tr_sql_error(c->conf.db));
}

static void ringing(void *arg, uint64_t number, const struct tr_call_party party[2], tr_usec now)
{
    struct tr_contact *c = arg;
    struct tr_call row = { .started_us = c->conf.unix_us() };
    struct call *call = tr_alloc(sizeof *call);
    if (!call || tr_map_add(c->calls, key_of(&number), call) != TR_OK) {
        tr_log(TR_LOG_ERROR, "contact", "no memory for a call in the log");
        tr_free(call);
        return;
    }
    tr_call_id_make(c->conf.rng, call->id);
    memcpy(row.id, call->id, sizeof call->id);
    snprintf(row.plugin, sizeof row.plugin, "videocall");
    snprintf(row.caller, sizeof row.caller, "%s", party[0].username);
    snprintf(row.callee, sizeof row.callee, "%s", party[1].username);
    must_store(c, tr_calls_add(c->conf.db, &row), call->id);
}

static void answered(void *arg, uint64_t number, const struct tr_call_party party[2], tr_usec now)
{
    struct tr_contact *c = arg;
    struct call *call = tr_map_get(c->calls, key_of(&number));
    if (!call)
        return;
    if (!call->answered) {
        call->answered = true;
        must_store(c, tr_calls_answered(c->conf.db, call->id, c->conf.unix_us()), call->id);
        if (c->conf.record_calls && c->conf.recorder)
            call->recording = tr_recorder_start(c->conf.recorder, call->id, now);
    }
    for (int i = 0; i < 2; i++)
        tr_ops_call(c->conf.ops, party[i].handle, call->id);
    if (!call->recording)
        return;
    tr_record_handle(c->conf.recorder, call->recording, party[0].handle, 0, party[0].username,
                     "caller", NULL, now);
    tr_record_handle(c->conf.recorder, call->recording, party[1].handle, 1, party[1].username,
                     "callee", NULL, now);
}

static void end(struct tr_contact *c, struct call *call, const char *reason, tr_usec now)
{
    must_store(c, tr_calls_ended(c->conf.db, call->id, c->conf.unix_us(), reason ? reason : ""),
               call->id);
    if (call->recording)
        tr_recorder_stop(c->conf.recorder, call->recording, now);
    tr_free(call);
}

static void ended(void *arg, uint64_t number, const char *reason, tr_usec now)
{
    struct tr_contact *c = arg;
    struct call *call = tr_map_remove(c->calls, key_of(&number));
    if (call)
        end(c, call, reason, now);
}

static enum tr_err init(struct tr_contact *c, const struct tr_contact_conf *conf)
{
    c->conf = *conf;
    c->agent_key = tr_strdup(conf->agent_key ? conf->agent_key : "");
    c->version = tr_strdup(conf->version ? conf->version : "");
    c->calls = tr_map_create(TR_VIDEOCALL_USERS_MAX, tr_rng_u64(conf->rng));
    if (!c->agent_key || !c->version || !c->calls)
        return TR_ERR_NOMEM;
    c->conf.agent_key = c->agent_key;
    c->conf.version = c->version;
    c->started_us = conf->unix_us();
    c->observer = (struct tr_call_observer){
        .ringing = ringing, .answered = answered, .ended = ended, .arg = c
    };
    tr_rng_fill(conf->rng, c->link_key, sizeof c->link_key);
    return tr_contact_routes(c);
}

enum tr_err tr_contact_create(struct tr_contact **out, const struct tr_contact_conf *conf)
{
    struct tr_contact *c = tr_alloc(sizeof *c);
    if (!c)
        return TR_ERR_NOMEM;
    enum tr_err err = init(c, conf);
    if (err) {
        tr_contact_destroy(c);
        return err;
    }
    *out = c;
    return TR_OK;
}

void tr_contact_destroy(struct tr_contact *c)
{
    if (!c)
        return;
    uint32_t cursor = 0;
    struct tr_slice key;
    void *call;
    while (c->calls && tr_map_next(c->calls, &cursor, &key, &call))
        end(c, call, "server stopped", 0);
    tr_map_destroy(c->calls);
    tr_free(c->agent_key);
    tr_free(c->version);
    tr_free(c);
}

const struct tr_call_observer *tr_contact_observer(const struct tr_contact *c)
{
    return &c->observer;
}
