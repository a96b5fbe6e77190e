/* Goal: the dependency descriptor is read as the specification's tables say, state changes only by
 * sound descriptors in their order, and a new mask changes nothing but the mask.
 * Method: descriptors written by dd_test.h from the examples of the specification, cut at every
 * length; random frames read, masked and read again, over many seeds. */
#include "payload/dd.h"

#include "base/rng.h"
#include "payload/dd_tables.h"
#include "unit.h"

static struct tr_slice make(uint8_t *out, const struct ddt_structure *s, const struct ddt_frame *f)
{
    return tr_slice(out, ddt_write(out, s, f));
}

static void check_dtis(const struct tr_dd *d, const char *want)
{
    static const char letters[] = "-DSR";
    CHECK_INT(d->targets, strlen(want));
    for (unsigned i = 0; want[i]; i++)
        CHECK_INT(letters[tr_dd_dti(d->dtis, i)], want[i]);
}

static void read_captured(struct tr_dd *d, struct tr_dd_structure *st, const char *hex,
                          const char *dtis, uint16_t frame)
{
    uint8_t buf[TR_DD_BYTES_MAX];
    size_t n = 0;
    unsigned byte;
    for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        buf[n] = (uint8_t)byte;
    CHECK_INT(tr_dd_parse(d, st, tr_slice(buf, n), 1), TR_OK);
    CHECK_INT(d->frame, frame);
    check_dtis(d, dtis);
}

/* Chromium 156, AV1 in L2T2 and H.264 in L1T3. */
TEST(captured_from_a_browser)
{
    struct tr_dd_structure st = { 0 };
    struct tr_dd d;
    read_captured(&d, &st, "c001a18003187aaaf130a0a014d1413823046008642222265013f00b3027f01670",
                  "SSSS", 0x1a1);
    CHECK(d.start && d.end && d.has_structure && !d.has_mask && d.refs == 0);
    CHECK_INT(st.templates, 6);
    CHECK_INT(st.chains, 2);
    CHECK(st.target[0].spatial == 0 && st.target[0].temporal == 0);
    CHECK(st.target[1].spatial == 0 && st.target[1].temporal == 1);
    CHECK(st.target[2].spatial == 1 && st.target[2].temporal == 0);
    CHECK(st.target[3].spatial == 1 && st.target[3].temporal == 1);
    CHECK(st.width[0] == 320 && st.height[0] == 180 && st.width[1] == 640 && st.height[1] == 360);
    read_captured(&d, &st, "8301a2", "--SS", 0x1a2);
    CHECK(d.start && !d.end && d.spatial == 1 && d.temporal == 0 && d.refs == 1);
    read_captured(&d, &st, "c201a3", "-D-R", 0x1a3);
    CHECK(d.spatial == 0 && d.temporal == 1 && d.refs == 2);
    read_captured(&d, &st, "4501a4", "---D", 0x1a4);
    CHECK(!d.start && d.end && d.refs == 3);
    read_captured(&d, &st, "c101a5", "SSRR", 0x1a5);
    CHECK(d.refs == 8);
    st = (struct tr_dd_structure){ 0 };
    read_captured(&d, &st, "800001800214eaa860414d1410208426", "SSS", 1);
    CHECK(d.has_structure && st.targets == 3 && st.target[2].temporal == 2);
    read_captured(&d, &st, "000001", "SSS", 1);
    read_captured(&d, &st, "c30002", "--D", 2);
    CHECK(d.temporal == 2 && d.refs == 1);
}

/* The state after a key frame of s with sequence number 100. */
static void begin(struct tr_dd_structure *st, const struct ddt_structure *s)
{
    uint8_t buf[TR_DD_BYTES_MAX];
    struct tr_dd d;
    struct ddt_frame key = { .start = true, .attach = true, .frame = 1000 };
    *st = (struct tr_dd_structure){ 0 };
    CHECK_INT(tr_dd_parse(&d, st, make(buf, s, &key), 100), TR_OK);
    CHECK(d.has_structure && d.start && !d.end && d.refs == 0);
    check_dtis(&d, s->t[0].dtis);
}

TEST(every_template_is_read)
{
    static const struct ddt_structure *const all[] = { &ddt_l1t3, &ddt_l3t3, &ddt_l2t2_key };
    for (unsigned k = 0; k < 3; k++) {
        const struct ddt_structure *s = all[k];
        struct tr_dd_structure st;
        begin(&st, s);
        CHECK_INT(st.templates, ddt_count(s));
        CHECK_INT(st.chains, s->chains);
        for (unsigned i = 0; i < ddt_count(s); i++) {
            uint8_t buf[TR_DD_BYTES_MAX];
            struct tr_dd d;
            uint64_t refs = 0;
            struct ddt_frame f = { .end = true, .index = i, .frame = (uint16_t)(65530 + i) };
            for (unsigned n = 0; n < 3 && s->t[i].fdiffs[n]; n++)
                refs |= 1ull << (s->t[i].fdiffs[n] - 1);
            CHECK_INT(tr_dd_parse(&d, &st, make(buf, s, &f), 101), TR_OK);
            CHECK_INT(d.spatial, s->t[i].spatial);
            CHECK_INT(d.temporal, s->t[i].temporal);
            CHECK_INT(d.frame, (uint16_t)(65530 + i));
            CHECK(d.refs == refs && !d.far_refs && d.end && !d.start);
            check_dtis(&d, s->t[i].dtis);
        }
    }
}

TEST(layers_of_decode_targets_and_sizes)
{
    struct tr_dd_structure st;
    begin(&st, &ddt_l3t3);
    for (unsigned i = 0; i < 9; i++) {
        CHECK_INT(st.target[i].spatial, 2 - i / 3);
        CHECK_INT(st.target[i].temporal, 2 - i % 3);
    }
    CHECK_INT(st.active, 0x1ff);
    CHECK_INT(st.sizes, 3);
    CHECK_INT(st.width[0], 320);
    CHECK_INT(st.height[2], 720);
}

TEST(custom_fields)
{
    static const uint16_t fdiffs[] = { 1, 17, 64, 300, 0 };
    static const uint8_t chains[] = { 9, 200, 3 };
    uint8_t buf[TR_DD_BYTES_MAX];
    struct tr_dd_structure st;
    struct tr_dd d;
    struct ddt_frame f = { .start = true, .index = 6, .frame = 7, .dtis = "RRRSSSDDD" };
    f.fdiffs = fdiffs;
    f.chains = chains;
    f.masked = true;
    f.mask = 0x1f8;
    begin(&st, &ddt_l3t3);
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l3t3, &f), 101), TR_OK);
    check_dtis(&d, "RRRSSSDDD");
    CHECK(d.refs == (1ull | 1ull << 16 | 1ull << 63) && d.far_refs);
    CHECK(d.has_mask && d.active == 0x1f8 && st.active == 0x1f8);
    CHECK_INT(d.spatial, 1);
}

TEST(cut_at_every_length)
{
    static const uint16_t fdiffs[] = { 1, 300, 0 };
    static const uint8_t chains[] = { 9, 200, 3 };
    uint8_t buf[TR_DD_BYTES_MAX];
    struct ddt_frame f = { .start = true, .attach = true, .masked = true, .dtis = "SSSSSSSSS" };
    f.fdiffs = fdiffs;
    f.chains = chains;
    struct tr_slice whole = make(buf, &ddt_l3t3, &f);
    for (size_t n = 0; n < whole.n; n++) {
        struct tr_dd_structure st = { 0 }, untouched = { 0 };
        struct tr_dd d;
        uint8_t copy[TR_DD_BYTES_MAX];
        memcpy(copy, buf, n);
        enum tr_err err = tr_dd_parse(&d, &st, tr_slice(copy, n), 1);
        CHECK_INT(err, n == 3 ? TR_ERR_NOTFOUND : TR_ERR_BADMSG);
        CHECK(memcmp(&st, &untouched, sizeof st) == 0);
    }
}

TEST(order_decides_what_holds)
{
    uint8_t buf[TR_DD_BYTES_MAX];
    struct tr_dd_structure st;
    struct tr_dd d;
    begin(&st, &ddt_l3t3);
    struct ddt_frame key = { .start = true, .attach = true, .frame = 3 };
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l1t3, &key), 99), TR_OK); /* late: read, */
    CHECK_INT(d.targets, 3);
    CHECK_INT(st.targets, 9); /* not kept */
    struct ddt_frame masked = { .index = 1, .masked = true, .mask = 0x38 };
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l3t3, &masked), 105), TR_OK);
    CHECK_INT(st.active, 0x38);
    masked.mask = 0x3f;
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l3t3, &masked), 104), TR_OK);
    CHECK_INT(d.active, 0x3f);
    CHECK_INT(st.active, 0x38);
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l1t3, &key), 106), TR_OK);
    CHECK_INT(st.targets, 3);
    CHECK_INT(st.active, 7);
}

TEST(what_no_structure_knows)
{
    uint8_t buf[TR_DD_BYTES_MAX];
    struct tr_dd_structure st = { 0 };
    struct tr_dd d;
    struct ddt_frame f = { .start = true, .index = 2, .frame = 77, .masked = true, .mask = 1 };
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l1t3, &f), 1), TR_ERR_NOTFOUND);
    CHECK(d.start && d.frame == 77 && d.targets == 0);
    begin(&st, &ddt_l1t3);
    f.index = 5; /* behind the last */
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l1t3, &f), 101), TR_ERR_NOTFOUND);
    CHECK_INT(st.active, 7);
    f = (struct ddt_frame){ .attach = true }; /* a structure in the middle of a frame */
    CHECK_INT(tr_dd_parse(&d, &st, make(buf, &ddt_l1t3, &f), 101), TR_ERR_BADMSG);
}

static void check_masked(const struct tr_dd_structure *before, struct tr_slice ext, uint32_t mask,
                         int64_t seq)
{
    struct tr_dd_structure one = *before, two = *before;
    uint8_t out[TR_DD_BYTES_MAX];
    struct tr_dd a, b;
    CHECK_INT(tr_dd_parse(&a, &one, ext, seq), TR_OK);
    size_t n = tr_dd_put_masked(out, sizeof out, &a, ext, mask);
    CHECK_INT(n, tr_dd_masked_len(&a));
    CHECK_INT(tr_dd_put_masked(out, n - 1, &a, ext, mask), 0);
    CHECK_INT(tr_dd_parse(&b, &two, tr_slice(out, n), seq), TR_OK);
    CHECK(b.has_mask && b.active == mask);
    CHECK_INT(tr_dd_masked_len(&b), n);
    CHECK(a.start == b.start && a.end == b.end && a.template_id == b.template_id);
    CHECK(a.frame == b.frame && a.has_structure == b.has_structure);
    CHECK(a.dtis == b.dtis && a.refs == b.refs && a.far_refs == b.far_refs);
    CHECK(a.spatial == b.spatial && a.temporal == b.temporal && a.targets == b.targets);
    CHECK_INT(two.active, mask);
    CHECK(one.serial == two.serial && one.targets == two.targets && one.seq == two.seq);
    CHECK(memcmp(one.dtis, two.dtis, sizeof one.dtis) == 0);
    CHECK(memcmp(one.refs, two.refs, sizeof one.refs) == 0);
    CHECK(memcmp(one.width, two.width, sizeof one.width) == 0);
}

TEST(a_mask_changes_nothing_else)
{
    static const struct ddt_structure *const all[] = { &ddt_l1t3, &ddt_l3t3, &ddt_l2t2_key };
    static const uint8_t chains[] = { 9, 200, 3, 255 };
    FOR_EACH_SEED (seed, 2000) {
        struct tr_rng rng = tr_rng_seeded(seed);
        const struct ddt_structure *s = all[tr_rng_below(&rng, 3)];
        unsigned targets = (unsigned)strlen(s->t[0].dtis);
        uint16_t fdiffs[4] = { 0 };
        uint8_t buf[TR_DD_BYTES_MAX];
        struct tr_dd_structure st;
        struct ddt_frame f = { .start = true, .frame = (uint16_t)tr_rng_u32(&rng) };
        for (unsigned i = 0; i < 3; i++)
            fdiffs[i] = (uint16_t)(tr_rng_below(&rng, 400) + 1);
        f.index = (unsigned)tr_rng_below(&rng, ddt_count(s));
        f.attach = tr_rng_below(&rng, 4) == 0;
        f.masked = tr_rng_below(&rng, 3) == 0;
        f.mask = (uint32_t)tr_rng_below(&rng, 1u << targets);
        f.dtis = tr_rng_below(&rng, 3) == 0 ? s->t[1].dtis : NULL;
        f.fdiffs = tr_rng_below(&rng, 3) == 0 ? fdiffs : NULL;
        f.chains = tr_rng_below(&rng, 3) == 0 ? chains : NULL;
        begin(&st, s);
        check_masked(&st, make(buf, s, &f), (uint32_t)tr_rng_below(&rng, 1u << targets), 101);
    }
}
