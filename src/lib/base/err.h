/* Error codes of the whole program. Each class asks for another reaction of the caller:
 *   INVAL                caller's bug
 *   NOMEM, LIMIT         no room: memory is out, or a written maximum is reached
 *   IGNORED              not mine: nothing happened, try the next one
 *   AGAIN                not now: drain or wait, then call again
 *   BADMSG               the peer sent rubbish (does not parse)
 *   PROTO                the peer broke the rules (parses, but not allowed here)
 *   AUTH                 unproven: a MAC, fingerprint, secret or token does not match
 *   NOTFOUND, EXISTS     a name is unknown, or taken
 *   UNSUPPORTED          well formed, but this build or this peer cannot do it
 *   CLOSED, IO           gone: the other side ended, or the system failed
 * Hostile packets are normal: count, drop, leave the state as it was. */
#ifndef TR_ERR_H
#define TR_ERR_H

#define TR_MUST_USE __attribute__((warn_unused_result))

enum tr_err {
    TR_OK = 0,
    TR_ERR_INVAL,
    TR_ERR_NOMEM,
    TR_ERR_LIMIT,
    TR_ERR_IGNORED,
    TR_ERR_AGAIN,
    TR_ERR_BADMSG,
    TR_ERR_PROTO,
    TR_ERR_AUTH,
    TR_ERR_NOTFOUND,
    TR_ERR_EXISTS,
    TR_ERR_UNSUPPORTED,
    TR_ERR_CLOSED,
    TR_ERR_IO,
    TR_ERR_COUNT
};

/* A short lower-case name such as "bad message"; never NULL. */
const char *tr_err_str(enum tr_err err);

#endif
