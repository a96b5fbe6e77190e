/* What the tests of publishers do all the time: phones in the room 1 on the stage of test_double.h,
 * and checks of what they are told. One stage at a time. */
#ifndef TR_TEST_ROOM_RIG_H
#define TR_TEST_ROOM_RIG_H

#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"

#define PACKAGE "janus.plugin.videoroom"
#define TOLD(phone, text) CHECK_STR(phone_told(phone), text)
#define HAS(phone, text) check_has(phone, text, __LINE__)

extern struct stage stage;
extern struct tr_recorder *const recorder;

struct tr_videoroom_conf conf_default(void);
void begin_with(const struct tr_videoroom_conf *conf); /* ended by stage_down(&stage) */
void begin(void);

/* Whether a part is in what the phone was told last. */
void check_has(const struct phone *p, const char *part, int line);
void hear(struct phone *p, const char *part); /* what the phone has been told has this part */
void ask(struct phone *p, const char *body, const char *part);

struct phone *phone(void);
/* Makes the room with the secret 's'. more: JSON behind it, beginning with a comma, or "". */
struct phone *room(const char *more);
struct phone *joined(int id); /* a phone that has joined the room with this id */
void offer(struct phone *p, const char *body, const char *sdp);
void up(struct phone *p); /* its media */
void down(struct phone *p);
struct phone *publisher(int id);       /* one whose media is up */
uint32_t bound(const struct phone *p); /* of what it may send, in bits a second */

#endif
