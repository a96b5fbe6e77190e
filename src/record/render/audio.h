/* One audio track as samples on the time line: decodes, resamples by a few ppm so that the sender's
 * clock follows ours, leaves silence where nothing came, fades at the edges. Mono, 48 kHz, float.
 * Pull it in order: each read goes on where the last one ended. */
#ifndef TR_RENDER_AUDIO_H
#define TR_RENDER_AUDIO_H

#include "record/render/load.h"

enum { RN_RATE = 48000, RN_CHUNK = 960 };

struct rn_audio;

/* NULL: memory is out. A codec that this build cannot decode yields silence. */
struct rn_audio *rn_audio_create(struct rn_track *track);
void rn_audio_destroy(struct rn_audio *a); /* NULL is fine */
/* Adds the next RN_CHUNK samples to out. False: nothing but silence was added. */
bool rn_audio_mix(struct rn_audio *a, float out[RN_CHUNK]);
uint64_t rn_audio_errors(const struct rn_audio *a); /* packets that did not decode */
uint64_t rn_audio_frames(const struct rn_audio *a); /* that did */

#endif
