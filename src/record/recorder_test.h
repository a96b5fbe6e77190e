/* What the tests of the recorder share: a data folder with a database, a double of the media engine
 * whose taps the test feeds, packets from a pool, and a script in tring-render's place. */
#ifndef TR_RECORDER_TEST_H
#define TR_RECORDER_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pkt.h"
#include "base/rng.h"
#include "media/media.h"
#include "record/recorder.h"
#include "store/calls.h"
#include "store/sql.h"

struct desk {
    char dir[64];
    char render[96]; /* the script */
    struct tr_sql *db;
    struct tr_rng rng;
    struct tr_recorder_conf conf;
    struct tr_recorder *rec;
    struct tr_pkt_pool *pool;
};

void desk_open(struct desk *d);  /* folder and database; conf is filled, rec not created */
void desk_start(struct desk *d); /* creates the recorder and recovers */
void desk_stop(struct desk *d);  /* as the server does: all recordings end first */
void desk_crash(struct desk *d); /* what kill -9 leaves: neither END nor job */
void desk_close(struct desk *d); /* and removes the folder */
/* The lines of a shell script; $out and $journal are set, $verify is 1 in the second step. */
void desk_script(struct desk *d, const char *lines);
void desk_call(struct desk *d, const char *id, const char *caller, const char *callee);
struct tr_call desk_row(struct desk *d, const char *id);
/* Runs the recorder's timer until the row has this state, or 10 s are over. */
bool desk_wait(struct desk *d, const char *id, enum tr_call_rec rec);
bool desk_wait_idle(struct desk *d);
struct tr_pkt *desk_packet(struct desk *d, uint32_t ssrc, int64_t seq, uint32_t ts, size_t size);
/* Packets of 20 ms Opus into a track of the newest tap. */
void desk_feed(struct desk *d, uint16_t track, int packets);
/* Plays a journal into the newest tap as if it came from the network now: its tracks are added to
 * the recording in their order. Media time passes at once. Returns how many packets. */
int desk_replay(struct desk *d, tr_id recording, const char *journal);
bool desk_file_exists(struct desk *d, const char *name);

/* The double of the engine. */
struct tr_tap *fake_tap(void); /* the newest that is open, or NULL */
int fake_routes(void);         /* to taps, now */
void fake_hold(bool hold);     /* a closed tap is let go of only when this ends */

extern const struct tr_meta desk_opus;

#endif
