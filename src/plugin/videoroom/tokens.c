/* The tokens that a room lets in. They are found by their digest: a map's keys are short, a token
 * need not be, and how long the search takes tells nothing of how much of a guess was right. */
#include <openssl/sha.h>

#include "base/mem.h"
#include "base/rng.h"
#include "plugin/videoroom/room.h"

struct digest {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
};

static struct tr_slice key_of(const char *token, struct digest *digest)
{
    struct tr_slice text = tr_slice_str(token);
    SHA256(text.p, text.n, digest->bytes);
    return tr_slice(digest->bytes, sizeof digest->bytes);
}

bool tr_vr_token_known(const struct tr_vr_room *room, const char *token)
{
    struct digest digest;
    return room->tokens && tr_map_get(room->tokens, key_of(token, &digest));
}

static bool add(struct tr_vr_room *room, const char *token, struct tr_vr_error *e)
{
    struct digest digest;
    if (!room->tokens)
        room->tokens = tr_map_create(TR_VR_TOKENS_MAX, tr_rng_u64(room->vr->conf.rng));
    char *copy = room->tokens ? tr_strdup(token) : NULL;
    enum tr_err err = copy ? tr_map_add(room->tokens, key_of(token, &digest), copy) : TR_ERR_NOMEM;
    if (err == TR_OK)
        return true;
    tr_free(copy);
    if (err == TR_ERR_EXISTS)
        return true;
    return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR,
                      err == TR_ERR_LIMIT ? "Too many tokens (%d at most)"
                                          : "Out of memory (%d tokens)",
                      TR_VR_TOKENS_MAX);
}

static void drop(struct tr_vr_room *room, const char *token)
{
    struct digest digest;
    if (room->tokens)
        tr_free(tr_map_remove(room->tokens, key_of(token, &digest)));
}

bool tr_vr_tokens_check(const json_t *body, struct tr_vr_error *e)
{
    static const struct tr_field field[] = { { "allowed", TR_FIELD_ARRAY, false }, { NULL } };
    const json_t *token;
    size_t i;
    if (!tr_vr_check(body, field, e))
        return false;
    json_array_foreach(json_object_get(body, "allowed"), i, token)
    {
        if (!json_is_string(token))
            return tr_vr_fail(e, TR_VR_INVALID_ELEMENT,
                              "Invalid element in the allowed array (not a string)");
    }
    return true;
}

bool tr_vr_tokens_change(struct tr_vr_room *room, const json_t *body, bool more,
                         struct tr_vr_error *e)
{
    const json_t *token;
    size_t i;
    json_array_foreach(json_object_get(body, "allowed"), i, token)
    {
        if (!more)
            drop(room, json_string_value(token));
        else if (!add(room, json_string_value(token), e))
            return false;
    }
    return true;
}

bool tr_vr_tokens_take(struct tr_vr_room *room, const json_t *body, struct tr_vr_error *e)
{
    room->check_tokens = json_is_array(json_object_get(body, "allowed"));
    return tr_vr_tokens_check(body, e) && tr_vr_tokens_change(room, body, true, e);
}

json_t *tr_vr_tokens_json(const struct tr_vr_room *room)
{
    json_t *list = json_array();
    uint32_t cursor = 0;
    struct tr_slice key;
    void *token;
    while (room->tokens && tr_map_next(room->tokens, &cursor, &key, &token))
        json_array_append_new(list, json_string(token));
    return list;
}

void tr_vr_tokens_free(struct tr_vr_room *room)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *token;
    while (room->tokens && tr_map_next(room->tokens, &cursor, &key, &token))
        tr_free(token);
    tr_map_destroy(room->tokens);
    room->tokens = NULL;
}
