/* The video room: publishers send, subscribers get any of their streams over one PeerConnection.
 * Wire-compatible with janus.plugin.videoroom, multistream and single-feed forms alike.
 *
 * Rooms are made by request, come from the configuration, or were made permanent before (kept in
 * the database, store/rooms.h). */
#ifndef TR_VIDEOROOM_H
#define TR_VIDEOROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct tr_plugin;
struct tr_recorder;
struct tr_rng;
struct tr_sql;

struct tr_videoroom_conf {        /* texts are copied; zero is "off" or the default */
    struct tr_rng *rng;           /* borrowed, as are recorder and db; never NULL */
    struct tr_recorder *recorder; /* NULL: nothing is recorded */
    struct tr_sql *db;            /* NULL: no room is permanent */
    /* Wall clock for signed tokens: Unix microseconds at `now`. NULL: none of them is valid. */
    int64_t (*unix_us)(void *arg, tr_usec now);
    void *arg;
    const char *token_secret; /* key of the tokens of rooms with signed_tokens */
    const char *mjr_dir;      /* rooms with a rec_dir in it leave .mjr files there; "": none does */
    const char *admin_key;    /* asked for by create, and by list for private rooms; "": none */
    bool lock_rtp_forward;    /* rtp_forward asks for admin_key, too */
    bool string_ids;          /* ids of rooms and users are strings, else positive integers */
    bool demo_room;           /* 1234, as the demo pages expect it */
    const char *demo_secret;  /* of that room; NULL, "": a random one, so that nobody edits it */
    const char *const *rooms; /* bodies of "create" requests, JSON */
    int room_count;
    uint32_t rooms_max;        /* 0: 10000 */
    uint32_t participants_max; /* of one room, and as many subscribers; 0: 10000 */
    /* What went wrong with a room that could not be made at the start. NULL: nobody hears. */
    void (*complain)(void *arg, const char *room, const char *why);
};

/* NULL: memory, or the database cannot be read. */
struct tr_plugin *tr_videoroom_create(const struct tr_videoroom_conf *conf, tr_usec now);

#endif
