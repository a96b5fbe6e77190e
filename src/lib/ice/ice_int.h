/* Inside lib/ice: what its parts call of each other. */
#ifndef TR_ICE_INT_H
#define TR_ICE_INT_H

#include "ice/ice_state.h"

/* ice.c */
void tr_ice_enter(struct tr_ice *ice, tr_usec now); /* first in each entry point */
void tr_ice_leave(struct tr_ice *ice);              /* last: next timeout, invariants */
uint32_t tr_ice_remote_priority(const struct tr_ice *ice, const struct tr_addr *addr,
                                uint32_t fallback);
uint32_t tr_ice_local_priority(const struct tr_ice *ice, const struct tr_addr *addr);

/* ice_path.c */
struct ice_path *tr_ice_path_find(struct tr_ice *ice, const struct tr_path *path);
bool tr_ice_path_room(const struct tr_ice *ice, const struct tr_path *path);
/* Something authenticated came; there must be room. */
struct ice_path *tr_ice_path_touch(struct tr_ice *ice, const struct tr_path *path, uint8_t gen,
                                   uint32_t remote_priority);
void tr_ice_path_nominate(struct tr_ice *ice, struct ice_path *p); /* selects it when it may */
/* What the selected one was is there now, by all appearance. */
bool tr_ice_path_takes_over(const struct tr_ice *ice, const struct ice_path *p);
void tr_ice_path_select(struct tr_ice *ice, struct ice_path *p);
void tr_ice_path_expire(struct tr_ice *ice);
void tr_ice_path_forget_all(struct tr_ice *ice);
void tr_ice_fail(struct tr_ice *ice);
tr_usec tr_ice_path_deadline(const struct tr_ice *ice);

void tr_ice_path_proven(struct tr_ice *ice, struct ice_path *p); /* selects it when it still may */

/* ice_proof.c */
void tr_ice_proof_init(struct tr_ice *ice);
bool tr_ice_proof_needed(const struct tr_ice *ice, const struct ice_path *p);
void tr_ice_proof_begin(struct tr_ice *ice, const struct ice_path *p);
void tr_ice_proof_go_on(struct tr_ice *ice); /* the peer's password is known now */
void tr_ice_proof_end(struct tr_ice *ice);
void tr_ice_proof_timeout(struct tr_ice *ice);
enum tr_err tr_ice_proof_on_response(struct tr_ice *ice, const struct tr_path *path,
                                     const struct tr_stun *m);

/* ice_full.c */
void tr_ice_full_init(struct tr_ice *ice);
void tr_ice_full_pair_local(struct tr_ice *ice, const struct ice_cand *local);
void tr_ice_full_pair_remote(struct tr_ice *ice, const struct ice_cand *remote);
void tr_ice_full_on_request(struct tr_ice *ice, const struct tr_stun *m, struct ice_path *p,
                            uint8_t gen);
enum tr_err tr_ice_full_on_response(struct tr_ice *ice, const struct tr_path *path,
                                    const struct tr_stun *m);
void tr_ice_full_switch_role(struct tr_ice *ice);
enum tr_err tr_ice_full_role_conflict(struct tr_ice *ice, const struct tr_stun *m);
void tr_ice_full_restart(struct tr_ice *ice);
void tr_ice_full_on_selected(struct tr_ice *ice, const struct ice_path *p);
void tr_ice_full_on_path_lost(struct tr_ice *ice, const struct tr_path *path);
void tr_ice_full_drop_generation(struct tr_ice *ice, uint8_t gen);
void tr_ice_full_timeout(struct tr_ice *ice);
tr_usec tr_ice_full_deadline(const struct tr_ice *ice);
void tr_ice_full_check(const struct tr_ice *ice);

/* ice_out.c */
void tr_ice_send(struct tr_ice *ice, const struct ice_send *send);

#endif
