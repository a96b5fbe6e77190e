/* Goal: a path has one key of each kind, whatever lies in the padding of its addresses.
 * Method: the same path twice, in memory that was not the same before. */
#include "media/path_key.h"
#include "unit.h"

static bool same(struct path_key a, struct path_key b)
{
    return tr_slice_eq(path_key_slice(&a), path_key_slice(&b));
}

static void fill(struct tr_path *path, int rest, enum tr_proto local, enum tr_proto remote)
{
    memset(path, rest, sizeof *path);
    memset(path->local.ip, 1, sizeof path->local.ip);
    memset(path->remote.ip, 2, sizeof path->remote.ip);
    path->local.port = 10000, path->remote.port = 5000;
    path->local.proto = (uint8_t)local, path->remote.proto = (uint8_t)remote;
}

TEST(a_path_has_one_key)
{
    struct tr_path a, b;
    fill(&a, 0, TR_PROTO_TCP, TR_PROTO_TCP);
    fill(&b, 0xff, TR_PROTO_TCP, TR_PROTO_TCP);
    CHECK(same(path_key(&a), path_key(&b)));
    CHECK(same(path_key_by_remote(&a), path_key_by_remote(&b)));
    fill(&b, 0, TR_PROTO_UDP, TR_PROTO_TCP);
    CHECK(!same(path_key(&a), path_key(&b)));
    CHECK(same(path_key_by_remote(&a), path_key_by_remote(&b)));
    fill(&b, 0, TR_PROTO_TCP, TR_PROTO_UDP);
    CHECK(!same(path_key(&a), path_key(&b)));
    CHECK(!same(path_key_by_remote(&a), path_key_by_remote(&b)));
    fill(&b, 0, TR_PROTO_TCP, TR_PROTO_TCP);
    b.remote.port++, b.local.port--;
    CHECK(!same(path_key(&a), path_key(&b)));
    CHECK(!same(path_key_by_remote(&a), path_key_by_remote(&b)));
}
