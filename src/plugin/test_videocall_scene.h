/* Scenes for the tests of calls between users: phones of "anna" and "bert" in each state of a call,
 * on the stage of test_double.h, and a support desk that writes down what it is told. */
#ifndef TR_TEST_VIDEOCALL_SCENE_H
#define TR_TEST_VIDEOCALL_SCENE_H

#include "plugin/test_double.h"
#include "plugin/videocall.h"

#define TOLD(phone, text) CHECK_STR(phone_told(phone), text)
#define PACKAGE "janus.plugin.videocall"

enum { DESK_SIZE = 1024 };
extern char desk[DESK_SIZE]; /* what the observer saw: "ringing 1 anna>bert; ended 1 User busy" */
extern const struct tr_call_observer observer;
extern struct tr_recorder *const recorder;

struct scene {
    struct stage s;
    struct phone *a, *b, *c; /* users anna, bert; c is nobody yet */
};

/* --- the scenes; what led to them is forgotten --- */

void idle(struct scene *t);
void ringing(struct scene *t); /* anna has called bert */
void talking(struct scene *t);
void talking_by(struct scene *t, const char *offer); /* a fixture, anna's */
void down(struct scene *t);                          /* the end of each */
void hush(struct scene *t);                          /* forgets what the phones were told */

/* --- what is done in them --- */

void say(struct phone *p, const char *request, const char *username);
void call(struct phone *p, const char *username);
void call_with(struct phone *p, const char *username, const char *sdp, bool e2ee);
void accept_call(struct phone *p);
void connect_call(struct phone *from, struct phone *to, const char *username, const char *offer);
void media_down(struct scene *t, const struct phone *p);

#endif
