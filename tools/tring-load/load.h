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
    struct client *mate; /* who is called, or calls; NULL: nobody */
    struct janus_conn *conn;
    struct rtc rtc;
    bool ready; /* attached and, where the scenario wants it, registered */
    bool failed;
    tr_usec start_us, attached_us, offer_us, webrtcup_us; /* 0: not yet */
};

struct scenario {
    const char *name, *plugin;
    void (*attached)(struct client *c, tr_usec now);
    void (*event)(struct client *c, tr_usec now, const json_t *plugin, const json_t *jsep);
};

struct reason { /* why clients failed, counted */
    char text[WHY_MAX];
    int count;
};

struct span { /* what the ends of the measured time look like */
    tr_usec at;
    struct process server, self;
};

struct load {
    struct load_options options;
    const struct scenario *scenario;
    struct rtc_world world;
    struct janus *janus;
    struct client *clients;
    int started, with_media, failed;
    struct reason reasons[REASONS_MAX];
    int reasons_count;
    struct process server_before; /* any client */
    struct span from, to;
};

extern const struct scenario scenario_echo, scenario_calls;

/* Connects clients, waits for their media, measures. false: it could not even start. */
bool load_run(struct load *l);
void load_deinit(struct load *l);
void client_fail(struct client *c, const char *why);
bool client_has_media(const struct client *c);
/* The result; new reference. */
json_t *load_report(const struct load *l);

#endif
