/* What clients say to the plugins of two-party media, and what all scenarios share. A scenario is a
 * row of functions; rooms are in room.c. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tring-load/load.h"

static json_t *jsep_of(const char *type, char *sdp)
{
    json_t *jsep = json_pack("{s:s,s:s,s:b}", "type", type, "sdp", sdp, "trickle", 0);
    tr_free(sdp);
    return jsep;
}

void client_say(struct client *c, json_t *body, json_t *jsep)
{
    if (janus_message(c->conn, body, jsep) != TR_OK)
        client_fail(c, "a message could not be sent");
}

void client_say_with_offer(struct client *c, json_t *body)
{
    char *sdp = rtc_offer(&c->rtc);
    if (sdp) {
        client_say(c, body, jsep_of("offer", sdp));
        return;
    }
    json_decref(body);
    client_fail(c, "no offer could be made");
}

void client_take_answer(struct client *c, tr_usec now, const json_t *jsep)
{
    const char *sdp = json_string_value(json_object_get(jsep, "sdp"));
    if (sdp && !c->rtc.peer && rtc_accept(&c->rtc, now, sdp) != TR_OK)
        client_fail(c, "the answer could not be used");
}

void client_say_with_answer(struct client *c, tr_usec now, const json_t *jsep, json_t *body)
{
    const char *offer = json_string_value(json_object_get(jsep, "sdp"));
    char *sdp = offer && !c->rtc.peer ? rtc_answer(&c->rtc, now, offer) : NULL;
    if (sdp) {
        client_say(c, body, jsep_of("answer", sdp));
        return;
    }
    json_decref(body);
    client_fail(c, "the offer could not be answered");
}

/* Plugins put errors into their events. */
bool client_is_error(struct client *c, const json_t *plugin)
{
    const char *error = json_string_value(json_object_get(plugin, "error"));
    if (error)
        client_fail(c, error);
    return error != NULL;
}

/* --- echo --- */

static void both_ways(struct client *c)
{
    c->rtc.wish = (struct rtc_wish){ .send = true, .recv = true, .takers = 1 };
}

static void echo_attached(struct client *c, tr_usec now)
{
    const struct load_options *o = &c->load->options;
    c->request_us = now;
    client_say_with_offer(c, json_pack("{s:b,s:b}", "audio", o->audio, "video", o->video));
}

static void echo_event(struct client *c, tr_usec now, const json_t *plugin, const json_t *jsep)
{
    if (!client_is_error(c, plugin) && jsep)
        client_take_answer(c, now, jsep);
}

const struct scenario scenario_echo = { "echo",     "janus.plugin.echotest",
                                        both_ways,  echo_attached,
                                        echo_event, NULL };

/* --- two-party calls: even clients call the odd one after them --- */

static void user_name(const struct client *c, char *out, size_t size)
{
    snprintf(out, size, "load-%s-%d", c->load->clients[0].rtc.ufrag, c->index);
}

static void calls_prepare(struct client *c)
{
    both_ways(c);
    c->mate = &c->load->clients[c->index ^ 1];
}

static void calls_attached(struct client *c, tr_usec now)
{
    char name[64];
    (void)now;
    user_name(c, name, sizeof name);
    client_say(c, json_pack("{s:s,s:s}", "request", "register", "username", name), NULL);
}

static void call_when_both_are_there(struct client *c, tr_usec now)
{
    struct client *caller = c->index % 2 == 0 ? c : c->mate;
    char name[64];
    if (!c->ready || !c->mate->ready || caller->request_us)
        return;
    user_name(caller->mate, name, sizeof name);
    caller->request_us = now;
    client_say_with_offer(caller, json_pack("{s:s,s:s}", "request", "call", "username", name));
}

static void calls_event(struct client *c, tr_usec now, const json_t *plugin, const json_t *jsep)
{
    const json_t *result = json_object_get(plugin, "result");
    const char *event = json_string_value(json_object_get(result, "event"));
    if (client_is_error(c, plugin) || !event)
        return;
    if (strcmp(event, "registered") == 0) {
        c->ready = true;
        call_when_both_are_there(c, now);
    } else if (strcmp(event, "incomingcall") == 0) {
        c->request_us = now;
        client_say_with_answer(c, now, jsep, json_pack("{s:s}", "request", "accept"));
    } else if (strcmp(event, "accepted") == 0 && jsep) {
        client_take_answer(c, now, jsep);
    } else if (strcmp(event, "hangup") == 0) {
        client_fail(c, "the call was hung up");
    }
}

const struct scenario scenario_calls = { "calls",       "janus.plugin.videocall",
                                         calls_prepare, calls_attached,
                                         calls_event,   NULL };
