/* A run: the clients, what they do by scenario, and how far they got. */
#ifndef TR_LOAD_H
#define TR_LOAD_H

#include "tring-load/janus.h"
#include "tring-load/measure.h"
#include "tring-load/options.h"
#include "tring-load/rtc.h"

enum { WHY_MAX = 96, REASONS_MAX = 16 };

struct load;

struct client {
    struct load *load;
    int index;
    struct client *mate; /* who is called, or calls, or publishes for this one; NULL: nobody */
    struct client *host; /* the first of this room, who creates it */
    struct janus_conn *conn;
    struct rtc rtc;
    bool ready; /* attached and, where the scenario wants it, registered; a host: has its room */
    bool failed;
    json_int_t room;
    json_t *feed; /* a publisher's id; NULL: none yet */
    /* 0: not yet. request: for what media is to follow */
    tr_usec start_us, attached_us, request_us, webrtcup_us;
};

struct scenario {
    const char *name, *plugin;
    void (*prepare)(struct client *c); /* before it starts; NULL: nothing to do */
    void (*attached)(struct client *c, tr_usec now);
    void (*event)(struct client *c, tr_usec now, const json_t *plugin, const json_t *jsep);
    void (*bye)(struct client *c); /* before its session ends; NULL: nothing to say */
};

struct reason { /* why clients failed, counted */
    char text[WHY_MAX];
    int count;
};

struct span { /* what the ends of the measured time look like */
    tr_usec at;
    struct process server, self;
    double busy_s; /* of the machine */
};

struct load {
    struct load_options options;
    const struct scenario *scenario;
    struct rtc_world world;
    struct janus *janus;
    struct client *clients;
    int started, with_media, failed;
    int publishers;  /* the first so many clients only send: the others wait for them */
    tr_usec gate_us; /* when they all did; 0: not yet */
    struct reason reasons[REASONS_MAX];
    int reasons_count;
    struct process server_before; /* any client, or any subscriber */
    struct span from, to;
    int carried_by[RTC_CARRIERS]; /* clients, at the end of the measured time */
};

extern const struct scenario scenario_echo, scenario_calls, scenario_room;

/* Connects clients, waits for their media, measures. false: it could not even start. */
bool load_run(struct load *l);
void load_deinit(struct load *l);
void client_fail(struct client *c, const char *why);
bool client_is_publisher(const struct client *c); /* in a room: it receives nothing */
bool client_has_media(const struct client *c);    /* a publisher: can send it */
/* What all scenarios do; the first takes body and jsep (NULL: none). */
void client_say(struct client *c, json_t *body, json_t *jsep);
void client_say_with_offer(struct client *c, json_t *body);
void client_take_answer(struct client *c, tr_usec now, const json_t *jsep);
/* Answers the offer in jsep, with this body. */
void client_say_with_answer(struct client *c, tr_usec now, const json_t *jsep, json_t *body);
bool client_is_error(struct client *c, const json_t *plugin); /* then the client has failed */
/* The result; new reference. */
json_t *load_report(const struct load *l);

#endif
