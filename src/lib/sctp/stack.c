/* usrsctp as a library without threads. It knows an association by an address of family AF_CONN,
 * which is a pointer that it never follows: here it is an id, so that a late call-back finds
 * nothing rather than freed memory. Call-backs come from within our own calls; they note what
 * happened on the association and put it on the list of those that have something to say.
 *
 * usrsctp does not tell when its next timer is due, so it gets ticks: often while there is traffic
 * (that is what its delayed acknowledgements and retransmissions are measured in), rarely else. */
#include <netinet/in.h> /* usrsctp.h needs it */
#include <usrsctp.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sctp/sctp_impl.h"

#define TICK_BUSY (10 * TR_MSEC)
#define TICK_IDLE (100 * TR_MSEC)
#define BUSY_FOR TR_SECOND

enum { FINISH_TRIES = 64, FINISH_STEP_MS = 1000, INITIAL_WINDOW = 10 };

static struct tr_sctp_stack *the_stack; /* usrsctp's call-backs carry no pointer to it */

void sctp_ready(struct tr_sctp *sctp)
{
    struct tr_sctp_stack *stack = sctp->stack;
    if (sctp->is_ready)
        return;
    sctp->is_ready = true;
    sctp->next_ready = NULL;
    *stack->ready_tail = sctp;
    stack->ready_tail = &sctp->next_ready;
}

void sctp_unready(struct tr_sctp *sctp)
{
    struct tr_sctp_stack *stack = sctp->stack;
    struct tr_sctp **at = &stack->ready;
    while (*at && *at != sctp)
        at = &(*at)->next_ready;
    if (!*at)
        return;
    *at = sctp->next_ready;
    if (stack->ready_tail == &sctp->next_ready)
        stack->ready_tail = at;
    sctp->is_ready = false;
}

struct tr_sctp *tr_sctp_stack_next(struct tr_sctp_stack *stack)
{
    struct tr_sctp *sctp = stack->ready;
    if (sctp)
        sctp_unready(sctp);
    return sctp;
}

static struct tr_sctp *association_of(const void *address)
{
    return the_stack ? tr_idtab_get(the_stack->associations, (tr_id)(uintptr_t)address) : NULL;
}

/* usrsctp has a packet for the other side. What cannot be kept is lost, as on any network. */
static int on_packet(void *address, void *bytes, size_t n, uint8_t tos, uint8_t set_df)
{
    (void)tos, (void)set_df;
    struct tr_sctp *sctp = association_of(address);
    if (!sctp)
        return 0;
    struct sctp_packet *packet = NULL;
    if (sctp->packets_count < TR_SCTP_PACKETS_MAX && n <= TR_SCTP_PACKET_MAX)
        packet = tr_alloc(sizeof *packet + n);
    if (!packet) {
        sctp->stats.lost_packets++;
        return 0;
    }
    packet->n = n;
    memcpy(packet->bytes, bytes, n);
    *sctp->packets_tail = packet;
    sctp->packets_tail = &packet->next;
    sctp->packets_count++;
    sctp_ready(sctp);
    return 0;
}

void sctp_on_event(struct socket *socket, void *address, int flags)
{
    (void)socket, (void)flags;
    struct tr_sctp *sctp = association_of(address);
    if (!sctp)
        return;
    sctp->stirred = true;
    sctp_ready(sctp);
}

struct tr_sctp_stack *tr_sctp_stack_create(tr_usec now)
{
    struct tr_sctp_stack *stack = the_stack ? NULL : tr_alloc(sizeof *stack);
    if (!stack)
        return NULL;
    stack->associations = tr_idtab_create(TR_SCTP_ASSOCIATIONS_MAX);
    stack->message = tr_alloc(TR_SCTP_MESSAGE_MAX);
    stack->ready_tail = &stack->ready;
    stack->ticked = stack->touched = now;
    if (!stack->associations || !stack->message) {
        tr_idtab_destroy(stack->associations);
        tr_free(stack->message);
        tr_free(stack);
        return NULL;
    }
    usrsctp_init_nothreads(0, on_packet, NULL);
    /* What both ends of one DTLS connection have no use for. */
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auto_asconf(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_nrsack_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_blackhole(2); /* no answer to packets of no association */
    usrsctp_sysctl_set_sctp_initial_cwnd(INITIAL_WINDOW);
    the_stack = stack;
    return stack;
}

void tr_sctp_stack_destroy(struct tr_sctp_stack *stack)
{
    if (!stack)
        return;
    TR_ASSERT(tr_idtab_count(stack->associations) == 0);
    /* It refuses to end before the last of its timers have run. */
    for (int i = 0; i < FINISH_TRIES && usrsctp_finish() != 0; i++)
        usrsctp_handle_timers(FINISH_STEP_MS);
    the_stack = NULL;
    tr_idtab_destroy(stack->associations);
    tr_free(stack->message);
    tr_free(stack);
}

void tr_sctp_stack_timeout(struct tr_sctp_stack *stack, tr_usec now)
{
    uint32_t elapsed_ms = now > stack->ticked ? (uint32_t)((now - stack->ticked) / TR_MSEC) : 0;
    if (elapsed_ms == 0)
        return;
    stack->ticked += (tr_usec)elapsed_ms * TR_MSEC;
    usrsctp_handle_timers(elapsed_ms);
}

tr_usec tr_sctp_stack_next_timeout(const struct tr_sctp_stack *stack)
{
    if (tr_idtab_count(stack->associations) == 0)
        return TR_NEVER;
    bool busy = stack->ticked - stack->touched < BUSY_FOR;
    return stack->ticked + (busy ? TICK_BUSY : TICK_IDLE);
}
