/* See test_videocall_scene.h. */
#include "plugin/test_videocall_scene.h"

#include <stdio.h>

#include "media/media.h"
#include "unit.h"

struct tr_recorder *const recorder = (struct tr_recorder *)&engine;

/* --- the observer writes a log --- */

char desk[DESK_SIZE];

static void note(const char *what, uint64_t call, const char *detail)
{
    size_t n = strlen(desk);
    snprintf(desk + n, sizeof desk - n, "%s%s %d %s", n ? "; " : "", what, (int)call, detail);
}

static void note_parties(const char *what, uint64_t call, const struct tr_call_party party[2])
{
    char who[300];
    CHECK(tr_handle_id(party[0].handle) != tr_handle_id(party[1].handle));
    snprintf(who, sizeof who, "%s>%s", party[0].username, party[1].username);
    note(what, call, who);
}

static void on_ringing(void *arg, uint64_t call, const struct tr_call_party party[2], tr_usec now)
{
    (void)arg, (void)now;
    note_parties("ringing", call, party);
}

static void on_answered(void *arg, uint64_t call, const struct tr_call_party party[2], tr_usec now)
{
    (void)arg, (void)now;
    CHECK(tr_pc_mline_count(party[0].handle) > 0 && tr_pc_mline_count(party[1].handle) > 0);
    note_parties("answered", call, party);
}

static void on_ended(void *arg, uint64_t call, const char *reason, tr_usec now)
{
    (void)arg, (void)now;
    note("ended", call, reason);
}

const struct tr_call_observer observer = { on_ringing, on_answered, on_ended, NULL };

/* --- scenes --- */

void say(struct phone *p, const char *request, const char *username)
{
    char body[512];
    snprintf(body, sizeof body, "{'request':'%s','username':'%s'}", request, username);
    phone_say(p, body);
}

void call_with(struct phone *p, const char *username, const char *sdp, bool e2ee)
{
    char body[512];
    snprintf(body, sizeof body, "{'request':'call','username':'%s'}", username);
    phone_send(p, body, "offer", sdp, e2ee);
}

void call(struct phone *p, const char *username)
{
    call_with(p, username, fixture("chrome-offer-av.sdp"), false);
}

void hush(struct scene *t)
{
    (void)phone_told(t->a);
    (void)phone_told(t->b);
    (void)phone_told(t->c);
}

void idle(struct scene *t)
{
    desk[0] = '\0';
    CHECK_INT(stage_up(&t->s, tr_videocall_create(&observer, recorder)), TR_OK);
    t->a = stage_phone(&t->s, PACKAGE, NULL);
    t->b = stage_phone(&t->s, PACKAGE, NULL);
    t->c = stage_phone(&t->s, PACKAGE, NULL);
    say(t->a, "register", "anna");
    say(t->b, "register", "bert");
    hush(t);
}

void ringing(struct scene *t)
{
    idle(t);
    call(t->a, "bert");
    hush(t);
}

void accept_call(struct phone *p)
{
    phone_send(p, "{'request':'accept'}", "answer", phone_answer(p), false);
}

void connect_call(struct phone *from, struct phone *to, const char *username, const char *offer)
{
    call_with(from, username, fixture(offer), false);
    (void)phone_told(to);
    accept_call(to);
}

void talking_by(struct scene *t, const char *offer)
{
    idle(t);
    connect_call(t->a, t->b, "bert", offer);
    hush(t);
}

void talking(struct scene *t)
{
    talking_by(t, "chrome-offer-av.sdp");
}

void media_down(struct scene *t, const struct phone *p)
{
    stage_media(&t->s,
                (struct tr_media_event){ .kind = TR_MEDIA_PEER_DOWN, .reason = "DTLS alert" }, p);
}

void down(struct scene *t)
{
    stage_down(&t->s);
}
