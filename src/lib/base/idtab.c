/* Slots in one array; free slots form a list through `next_free`. The generation of a slot moves on
 * when its value is removed, so a stale id differs in its upper bits. */
#include "base/idtab.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/mem.h"

struct slot {
    void *value; /* NULL: free */
    uint64_t gen;
    uint32_t next_free; /* slot + 1; 0: end */
};

struct tr_idtab {
    struct slot *slots;
    uint32_t size;
    uint32_t max;
    uint32_t count;
    uint32_t free_head; /* slot + 1; 0: none */
};

enum { FIRST_SIZE = 16 };

struct tr_idtab *tr_idtab_create(uint32_t max)
{
    TR_ASSERT(max > 0 && max < 1u << TR_ID_SLOT_BITS);
    struct tr_idtab *tab = tr_alloc(sizeof *tab);
    if (tab)
        tab->max = max;
    return tab;
}

void tr_idtab_destroy(struct tr_idtab *tab)
{
    if (!tab)
        return;
    tr_free(tab->slots);
    tr_free(tab);
}

static bool grow(struct tr_idtab *tab)
{
    uint32_t size = tab->size ? tab->size * 2 : FIRST_SIZE;
    if (size > tab->max)
        size = tab->max;
    if (size == tab->size)
        return false;
    struct slot *slots = tr_realloc(tab->slots, size * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = size; i > tab->size; i--) {
        slots[i - 1].gen = 1;
        slots[i - 1].next_free = tab->free_head;
        tab->free_head = i;
    }
    tab->slots = slots;
    tab->size = size;
    return true;
}

tr_id tr_idtab_add(struct tr_idtab *tab, void *value)
{
    TR_ASSERT(value);
    if (!tab->free_head && !grow(tab))
        return 0;
    uint32_t n = tab->free_head;
    struct slot *s = &tab->slots[n - 1];
    tab->free_head = s->next_free;
    s->value = value;
    tab->count++;
    return s->gen << TR_ID_SLOT_BITS | n;
}

static struct slot *find(const struct tr_idtab *tab, tr_id id)
{
    uint32_t n = (uint32_t)(id & ((1u << TR_ID_SLOT_BITS) - 1));
    if (n == 0 || n > tab->size)
        return NULL;
    struct slot *s = &tab->slots[n - 1];
    return s->value && s->gen == id >> TR_ID_SLOT_BITS ? s : NULL;
}

void *tr_idtab_get(const struct tr_idtab *tab, tr_id id)
{
    struct slot *s = find(tab, id);
    return s ? s->value : NULL;
}

void *tr_idtab_remove(struct tr_idtab *tab, tr_id id)
{
    struct slot *s = find(tab, id);
    if (!s)
        return NULL;
    void *value = s->value;
    s->value = NULL;
    s->gen++;
    s->next_free = tab->free_head;
    tab->free_head = (uint32_t)(s - tab->slots) + 1;
    tab->count--;
    return value;
}

uint32_t tr_idtab_count(const struct tr_idtab *tab)
{
    return tab->count;
}

tr_id tr_idtab_next(const struct tr_idtab *tab, tr_id after)
{
    for (uint32_t i = after ? tr_id_slot(after) + 1 : 0; i < tab->size; i++) {
        const struct slot *s = &tab->slots[i];
        if (s->value)
            return s->gen << TR_ID_SLOT_BITS | (i + 1);
    }
    return 0;
}
