/* Descriptions of one client: its offer as a struct, and what an agreed pair means for the peer. */
#ifndef TR_RTC_SDP_H
#define TR_RTC_SDP_H

#include "ice/cand.h"
#include "peer/track.h"
#include "tring-load/rtc.h"

enum { RTC_CANDS_MAX = 2 }; /* host, relay */

/* Audio and video as wished for, one bundled transport. NOMEM. */
TR_MUST_USE enum tr_err rtc_sdp_offer(struct rtc *c, struct tr_arena *arena, struct tr_sdp **out);
/* Our side for tr_sdp_answer; candidates are borrowed by out. */
void rtc_sdp_local(const struct rtc *c, const char *const *candidates, int count,
                   struct tr_sdp_local *out);
/* Our candidates: how many there are. As lines: -1: memory is out. */
int rtc_candidates(const struct rtc *c, struct tr_ice_cand out[RTC_CANDS_MAX]);
int rtc_sdp_candidates(const struct rtc *c, struct tr_arena *arena, const char *const **lines);
extern const char rtc_cname[];                      /* of all that the clients send */
extern const char *const rtc_rids[TR_TRACK_LAYERS]; /* of simulcast layers, lowest first */

#endif
