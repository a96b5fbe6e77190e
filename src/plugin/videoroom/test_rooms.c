/* Goal: the requests about rooms answer as clients of the API expect, with every error that each of
 * them has; rooms that were made permanent come back, as closed as they were.
 * Method: the real core, a database in memory, transcripts of what a phone is told. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/auth.h"
#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"
#include "store/sql.h"
#include "unit.h"

#define PACKAGE "janus.plugin.videoroom"
#define TOLD(phone, text) CHECK_STR(phone_told(phone), text)

static struct stage stage;
static struct tr_rng rng;
static char complaints[1024];

static void complain(void *arg, const char *room, const char *why)
{
    (void)arg;
    size_t n = strlen(complaints);
    snprintf(complaints + n, sizeof complaints - n, "%s: %s; ", room, why);
}

static struct tr_videoroom_conf conf_default(void)
{
    rng = tr_rng_seeded(11);
    complaints[0] = '\0';
    return (struct tr_videoroom_conf){
        .rng = &rng, .demo_room = true, .demo_secret = "adminpwd", .complain = complain
    };
}

static enum tr_err open_with(const struct tr_videoroom_conf *conf)
{
    return stage_up(&stage, tr_videoroom_create(conf, TR_SECOND));
}

static struct phone *open_phone(const struct tr_videoroom_conf *conf)
{
    CHECK_INT(open_with(conf), TR_OK);
    return stage_phone(&stage, PACKAGE, NULL);
}

static struct phone *open_default(void)
{
    struct tr_videoroom_conf conf = conf_default();
    return open_phone(&conf);
}

/* A synchronous request and the whole of its answer. */
static void ask(struct phone *p, const char *body, const char *answer)
{
    char want[STAGE_TEXT];
    phone_say(p, body);
    snprintf(want, sizeof want, "success %s", answer);
    if (strcmp(phone_told(p), want) != 0)
        printf("    asked %s\n", body);
    CHECK_STR(p->text, want);
}

static void fails(struct phone *p, const char *body, int code, const char *text)
{
    char want[32];
    snprintf(want, sizeof want, "error %d", code);
    ask(p, body, want);
    CHECK_STR(p->error, text);
}

static bool says(struct phone *p, const char *body, const char *part)
{
    phone_say(p, body);
    return strstr(phone_told(p), part) != NULL;
}

/* --- create --- */

TEST(videoroom_create)
{
    struct phone *p = open_default();
    ask(p, "{'request':'create','room':7}", "{'permanent':false,'room':7,'videoroom':'created'}");
    fails(p, "{'request':'create','room':7}", 427, "Room 7 already exists");
    fails(p, "{'request':'create','room':'7'}", 430,
          "Invalid element type (room should be a positive integer)");
    fails(p, "{'request':'create','room':-1}", 430,
          "Invalid element type (room should be a positive integer)");
    CHECK(says(p, "{'request':'create'}", "'videoroom':'created'"));
    CHECK(says(p, "{'request':'create','room':0}", "'videoroom':'created'"));
    CHECK(says(p, "{'request':'list'}", "'description':'Room 7'"));
    stage_down(&stage);
}

TEST(videoroom_create_checks_every_field)
{
    static const char *const texts[] = {
        "description", "secret",     "pin",         "rec_dir",
        "audiocodec",  "videocodec", "vp9_profile", "h264_profile"
    };
    static const char *const numbers[] = { "bitrate", "fir_freq", "publishers",
                                           "audio_active_packets", "audio_level_average" };
    static const char *const flags[] = { "is_private",       "require_pvtid",
                                         "require_e2ee",     "signed_tokens",
                                         "notify_joining",   "bitrate_cap",
                                         "opus_fec",         "opus_dtx",
                                         "audiolevel_ext",   "record",
                                         "audiolevel_event", "videoorient_ext",
                                         "playoutdelay_ext", "transport_wide_cc_ext",
                                         "lock_record",      "dummy_publisher",
                                         "dummy_e2ee",       "permanent" };
    struct phone *p = open_default();
    char body[256], why[256];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(body, sizeof body, "{'request':'create','%s':1}", texts[i]);
        snprintf(why, sizeof why, "Invalid element type (%s should be a string)", texts[i]);
        fails(p, body, 430, why);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(body, sizeof body, "{'request':'create','%s':-1}", numbers[i]);
        snprintf(why, sizeof why, "Invalid element type (%s should be a positive integer)",
                 numbers[i]);
        fails(p, body, 430, why);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        snprintf(body, sizeof body, "{'request':'create','%s':'yes'}", flags[i]);
        snprintf(why, sizeof why, "Invalid element type (%s should be a boolean)", flags[i]);
        fails(p, body, 430, why);
    }
    stage_down(&stage);
}

TEST(videoroom_create_refuses_nonsense)
{
    struct phone *p = open_default();
    fails(p, "{'request':'create','audiocodec':'vp8'}", 430,
          "Invalid element (audiocodec can only be or contain opus, multiopus, isac32, isac16, "
          "g722, pcmu, pcma or l16)");
    fails(p, "{'request':'create','videocodec':'vp8,'}", 430,
          "Invalid element (videocodec can only be or contain vp8, vp9, h264, av1 or h265)");
    fails(p, "{'request':'create','videocodec':'vp8,vp9,h264,av1,h265,vp8'}", 430,
          "Invalid element (videocodec can only be or contain vp8, vp9, h264, av1 or h265)");
    fails(p, "{'request':'create','allowed':'x'}", 430,
          "Invalid element type (allowed should be an array)");
    fails(p, "{'request':'create','allowed':['a',7]}", 430,
          "Invalid element in the allowed array (not a string)");
    fails(p, "{'request':'create','dummy_streams':[{}]}", 429, "Missing mandatory element (codec)");
    fails(p, "{'request':'create','permanent':true}", 499,
          "No database, a permanent room cannot be kept");
    CHECK(!says(p, "{'request':'list'}", "},{")); /* the demo room alone */
    stage_down(&stage);
}

TEST(videoroom_bounds_settings)
{
    struct phone *p = open_default();
    char body[1400];
    CHECK(says(p,
               "{'request':'create','room':7,'bitrate':5,'publishers':99999999999,"
               "'audio_level_average':200,'audiocodec':'isac16,opus'}",
               "created"));
    phone_say(p, "{'request':'list'}");
    const char *told = phone_told(p);
    CHECK(strstr(told, "'bitrate':64000") && strstr(told, "'max_publishers':1073741824") &&
          strstr(told, "'audio_level_average':127") && strstr(told, "'audiocodec':'isac16,opus'"));
    snprintf(body, sizeof body, "{'request':'create','description':'%01025d'}", 0);
    fails(p, body, 430, "Invalid element (description should have 1024 bytes at most)");
    stage_down(&stage);
}

TEST(videoroom_too_many_rooms)
{
    struct tr_videoroom_conf conf = conf_default();
    conf.rooms_max = 2;
    struct phone *p = open_phone(&conf);
    CHECK(says(p, "{'request':'create'}", "created"));
    fails(p, "{'request':'create'}", 499, "Too many rooms");
    CHECK(says(p, "{'request':'destroy','room':1234,'secret':'adminpwd'}", "destroyed"));
    CHECK(says(p, "{'request':'create'}", "created"));
    stage_down(&stage);
}

TEST(videoroom_admin_key)
{
    struct tr_videoroom_conf conf = conf_default();
    conf.admin_key = "boss";
    struct phone *p = open_phone(&conf);
    fails(p, "{'request':'create'}", 429, "Missing mandatory element (admin_key)");
    fails(p, "{'request':'create','admin_key':1}", 430,
          "Invalid element type (admin_key should be a string)");
    fails(p, "{'request':'create','admin_key':'x'}", 433, "Unauthorized (wrong admin_key)");
    ask(p, "{'request':'create','room':7,'admin_key':'boss','is_private':true}",
        "{'permanent':false,'room':7,'videoroom':'created'}");
    CHECK(!says(p, "{'request':'list'}", "'room':7,"));
    CHECK(says(p, "{'request':'list','admin_key':'boss'}", "'room':7,"));
    fails(p, "{'request':'list','admin_key':'x'}", 433, "Unauthorized (wrong admin_key)");
    ask(p, "{'request':'exists','room':7}", "{'exists':true,'room':7,'videoroom':'success'}");
    stage_down(&stage);
}

TEST(videoroom_string_ids)
{
    struct tr_videoroom_conf conf = conf_default();
    char body[200];
    conf.string_ids = true;
    struct phone *p = open_phone(&conf);
    ask(p, "{'request':'exists','room':'1234'}",
        "{'exists':true,'room':'1234','videoroom':'success'}");
    ask(p, "{'request':'create','room':'lab'}",
        "{'permanent':false,'room':'lab','videoroom':'created'}");
    fails(p, "{'request':'create','room':'lab'}", 427, "Room lab already exists");
    fails(p, "{'request':'create','room':7}", 430,
          "Invalid element type (room should be a string, not empty)");
    fails(p, "{'request':'exists','room':''}", 430,
          "Invalid element type (room should be a string, not empty)");
    snprintf(body, sizeof body, "{'request':'create','room':'%064d'}", 0);
    fails(p, body, 430, "Invalid element (room should have 63 bytes at most, none of them 0)");
    CHECK(says(p, "{'request':'create'}", "-4")); /* like 0a1b2c3d-1234-4..., a random UUID */
    stage_down(&stage);
}

/* --- list, exists, edit, destroy --- */

TEST(videoroom_list_has_all_keys)
{
    static const char *const keys[] = { "room",
                                        "description",
                                        "pin_required",
                                        "is_private",
                                        "max_publishers",
                                        "bitrate",
                                        "bitrate_cap",
                                        "fir_freq",
                                        "require_pvtid",
                                        "require_e2ee",
                                        "dummy_publisher",
                                        "notify_joining",
                                        "audiocodec",
                                        "videocodec",
                                        "opus_fec",
                                        "opus_dtx",
                                        "record",
                                        "rec_dir",
                                        "lock_record",
                                        "num_participants",
                                        "audiolevel_ext",
                                        "audiolevel_event",
                                        "audio_active_packets",
                                        "audio_level_average",
                                        "videoorient_ext",
                                        "playoutdelay_ext",
                                        "transport_wide_cc_ext" };
    struct phone *p = open_default();
    CHECK(says(p, "{'request':'destroy','room':1234,'secret':'adminpwd'}", "destroyed"));
    CHECK(says(p,
               "{'request':'create','room':7,'pin':'123','secret':'s3cret','rec_dir':'/tmp/x',"
               "'description':'d'}",
               "created"));
    phone_say(p, "{'request':'list'}");
    const char *told = phone_told(p);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "'%s':", keys[i]);
        CHECK(strstr(told, key) != NULL);
    }
    CHECK(strstr(told, "'pin_required':true") && !strstr(told, "123") && !strstr(told, "s3cret"));
    stage_down(&stage);
}

TEST(videoroom_exists)
{
    struct phone *p = open_default();
    ask(p, "{'request':'exists','room':1234}", "{'exists':true,'room':1234,'videoroom':'success'}");
    ask(p, "{'request':'exists','room':5}", "{'exists':false,'room':5,'videoroom':'success'}");
    fails(p, "{'request':'exists'}", 429, "Missing mandatory element (room)");
    stage_down(&stage);
}

TEST(videoroom_edit)
{
    struct phone *p = open_default();
    fails(p, "{'request':'edit','room':5}", 426, "No such room (5)");
    fails(p, "{'request':'edit','room':1234}", 429, "Missing mandatory element (secret)");
    fails(p, "{'request':'edit','room':1234,'secret':'x'}", 433, "Unauthorized (wrong secret)");
    fails(p, "{'request':'edit','room':1234,'secret':'adminpwd','new_publishers':-1}", 430,
          "Invalid element type (new_publishers should be a positive integer)");
    fails(p, "{'request':'edit','room':1234,'secret':'adminpwd','permanent':true}", 499,
          "No database, a permanent room cannot be kept");
    ask(p,
        "{'request':'edit','room':1234,'secret':'adminpwd','new_description':'New',"
        "'new_is_private':false,'new_secret':'other','new_pin':'9','new_require_pvtid':true,"
        "'new_bitrate':300000,'new_fir_freq':4,'new_publishers':2,'new_lock_record':true,"
        "'new_rec_dir':'/r'}",
        "{'permanent':false,'room':1234,'videoroom':'edited'}");
    phone_say(p, "{'request':'list'}");
    const char *told = phone_told(p);
    CHECK(strstr(told, "'description':'New'") && strstr(told, "'pin_required':true") &&
          strstr(told, "'require_pvtid':true") && strstr(told, "'bitrate':300000") &&
          strstr(told, "'fir_freq':4") && strstr(told, "'max_publishers':2") &&
          strstr(told, "'lock_record':true") && strstr(told, "'rec_dir':'/r'") &&
          strstr(told, "'videocodec':'vp8'"));
    fails(p, "{'request':'edit','room':1234,'secret':'adminpwd'}", 433,
          "Unauthorized (wrong secret)");
    ask(p, "{'request':'edit','room':1234,'secret':'other','new_secret':''}",
        "{'permanent':false,'room':1234,'videoroom':'edited'}");
    ask(p, "{'request':'edit','room':1234,'new_is_private':true}",
        "{'permanent':false,'room':1234,'videoroom':'edited'}");
    ask(p, "{'request':'list'}", "{'list':[],'videoroom':'success'}");
    stage_down(&stage);
}

TEST(videoroom_destroy)
{
    struct phone *p = open_default();
    fails(p, "{'request':'destroy'}", 429, "Missing mandatory element (room)");
    fails(p, "{'request':'destroy','room':6}", 426, "No such room (6)");
    fails(p, "{'request':'destroy','room':1234,'secret':'no'}", 433, "Unauthorized (wrong secret)");
    ask(p, "{'request':'destroy','room':1234,'secret':'adminpwd'}",
        "{'permanent':false,'room':1234,'videoroom':'destroyed'}");
    ask(p, "{'request':'exists','room':1234}",
        "{'exists':false,'room':1234,'videoroom':'success'}");
    stage_down(&stage);
}

/* --- who may join --- */

TEST(videoroom_allowed)
{
    struct phone *p = open_default();
    const char *join = "{'request':'join','ptype':'publisher','room':7}";
    const char *with = "{'request':'join','ptype':'publisher','room':7,'token':'bbb'}";
    CHECK(says(p, "{'request':'create','room':7,'secret':'s','allowed':['aaa']}", "created"));
    phone_say(p, join);
    TOLD(p, "ack; #t error 433");
    phone_say(p, with);
    TOLD(p, "ack; #t error 433");
    CHECK_STR(p->error, "Unauthorized (not in the allowed list)");
    fails(p, "{'request':'allowed','room':7,'secret':'s'}", 429,
          "Missing mandatory element (action)");
    fails(p, "{'request':'allowed','room':7,'secret':'s','action':'x'}", 430,
          "Unsupported action (should be enable, disable, add or remove)");
    fails(p, "{'request':'allowed','room':7,'action':'add'}", 429,
          "Missing mandatory element (secret)");
    fails(p, "{'request':'allowed','room':7,'secret':'s','action':'add','allowed':[1]}", 430,
          "Invalid element in the allowed array (not a string)");
    phone_say(p, "{'request':'allowed','room':7,'secret':'s','action':'add',"
                 "'allowed':['bbb','bbb','aaa']}");
    const char *told = phone_told(p);
    CHECK(strstr(told, "'aaa'") && strstr(told, "'bbb'"));
    ask(p, "{'request':'allowed','room':7,'secret':'s','action':'remove','allowed':['aaa','z']}",
        "{'allowed':['bbb'],'room':7,'videoroom':'success'}");
    CHECK(says(p, with, "joined"));
    phone_say(p, "{'request':'leave'}");
    (void)phone_told(p);
    ask(p, "{'request':'allowed','room':7,'secret':'s','action':'DISABLE'}",
        "{'room':7,'videoroom':'success'}");
    CHECK(says(p, join, "joined"));
    ask(p, "{'request':'allowed','room':7,'secret':'s','action':'enable'}",
        "{'allowed':['bbb'],'room':7,'videoroom':'success'}");
    stage_down(&stage);
}

TEST(videoroom_pin)
{
    struct phone *p = open_default();
    CHECK(says(p, "{'request':'create','room':7,'pin':'42'}", "created"));
    phone_say(p, "{'request':'join','ptype':'publisher','room':7}");
    TOLD(p, "ack; #t error 429");
    phone_say(p, "{'request':'join','ptype':'publisher','room':7,'pin':42}");
    TOLD(p, "ack; #t error 430");
    phone_say(p, "{'request':'join','ptype':'publisher','room':7,'pin':'43'}");
    TOLD(p, "ack; #t error 433");
    CHECK_STR(p->error, "Unauthorized (wrong pin)");
    CHECK(says(p, "{'request':'join','ptype':'publisher','room':7,'pin':'42'}", "joined"));
    stage_down(&stage);
}

static int64_t unix_at(void *arg, tr_usec now)
{
    (void)arg, (void)now;
    return 1700000000 * (int64_t)TR_SECOND;
}

TEST(videoroom_signed_tokens)
{
    /* HMAC-SHA1 under "key" of what stands before the colon */
    static const char good[] =
        "1800000000,janus.plugin.videoroom,room=7:2QYEpQKq+nQim/CFDhA29iyokjA=";
    struct tr_videoroom_conf conf = conf_default();
    char body[400];
    conf.token_secret = "key";
    conf.unix_us = unix_at;
    CHECK(tr_token_signed_ok("key", good, PACKAGE, "room=7", 1700000000));
    struct phone *p = open_phone(&conf);
    CHECK(says(p, "{'request':'create','room':7,'signed_tokens':true}", "created"));
    CHECK(says(p, "{'request':'create','room':8,'signed_tokens':true}", "created"));
    phone_say(p, "{'request':'join','ptype':'publisher','room':7,'token':'x'}");
    TOLD(p, "ack; #t error 433");
    snprintf(body, sizeof body, "{'request':'join','ptype':'publisher','room':8,'token':'%s'}",
             good);
    phone_say(p, body);
    TOLD(p, "ack; #t error 433");
    snprintf(body, sizeof body, "{'request':'join','ptype':'publisher','room':7,'token':'%s'}",
             good);
    CHECK(says(p, body, "joined"));
    stage_down(&stage);
}

/* --- rooms that are there from the start --- */

TEST(videoroom_permanent_rooms_come_back)
{
    struct tr_videoroom_conf conf = conf_default();
    CHECK_INT(tr_sql_open(&conf.db, ":memory:"), TR_OK);
    struct phone *p = open_phone(&conf);
    ask(p,
        "{'request':'create','room':7,'permanent':true,'secret':'s','pin':'1','publishers':9,"
        "'allowed':['tok'],'dummy_publisher':true,'dummy_streams':[{'codec':'vp9'}]}",
        "{'permanent':true,'room':7,'videoroom':'created'}");
    CHECK(says(p, "{'request':'create','room':8,'permanent':true}", "'permanent':true"));
    CHECK(says(p, "{'request':'create','room':9,'permanent':true}", "'permanent':true"));
    ask(p, "{'request':'edit','room':8,'new_description':'Edited','permanent':true}",
        "{'permanent':true,'room':8,'videoroom':'edited'}");
    ask(p, "{'request':'destroy','room':9,'permanent':true}",
        "{'permanent':true,'room':9,'videoroom':'destroyed'}");
    CHECK(says(p, "{'request':'destroy','room':7,'secret':'s'}", "'permanent':false"));
    stage_down(&stage);

    p = open_phone(&conf);
    phone_say(p, "{'request':'list'}");
    const char *told = phone_told(p);
    CHECK(strstr(told, "'room':7,") && strstr(told, "'max_publishers':9") &&
          strstr(told, "'description':'Edited'") && !strstr(told, "'room':9,"));
    CHECK(says(p, "{'request':'listparticipants','room':7}", "'dummy':true"));
    phone_say(p, "{'request':'join','ptype':'publisher','room':7,'pin':'1','token':'no'}");
    TOLD(p, "ack; #t error 433");
    CHECK(says(p, "{'request':'join','ptype':'publisher','room':7,'pin':'1','token':'tok'}",
               "joined"));
    fails(p, "{'request':'destroy','room':7}", 429, "Missing mandatory element (secret)");
    stage_down(&stage);
    tr_sql_close(conf.db);
}

TEST(videoroom_rooms_of_the_configuration)
{
    static const char *const rooms[] = { "{\"room\":1,\"description\":\"One\"}",
                                         "not json",
                                         "[]",
                                         "{\"room\":2,\"bitrate\":\"x\"}",
                                         "{\"description\":\"no id\"}",
                                         "{\"room\":1}" };
    struct tr_videoroom_conf conf = conf_default();
    conf.rooms = rooms;
    conf.room_count = sizeof rooms / sizeof rooms[0];
    conf.demo_room = false;
    struct phone *p = open_phone(&conf);
    CHECK_STR(complaints, "?: Not a JSON object; ?: Not a JSON object; "
                          "2: Invalid element type (bitrate should be a positive integer); "
                          "?: Missing mandatory element (room); ");
    ask(p, "{'request':'exists','room':1}", "{'exists':true,'room':1,'videoroom':'success'}");
    ask(p, "{'request':'exists','room':1234}",
        "{'exists':false,'room':1234,'videoroom':'success'}");
    stage_down(&stage);
}

/* --- the rest --- */

TEST(videoroom_admin_messages)
{
    struct phone *p = open_default();
    struct tr_plugin *plugin = stage.plugin;
    static const struct {
        const char *body, *answer;
    } asked[] = {
        { "{\"request\":\"exists\",\"room\":1234}", "\"exists\":true" },
        { "{\"request\":\"CREATE\",\"room\":5}", "created" },
        { "{\"request\":\"join\",\"room\":5}", "\"error_code\":423" },
        { "{\"request\":7}", "\"error_code\":430" },
        { "{}", "\"error_code\":429" },
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_t *body = json_loads(asked[i].body, 0, NULL);
        json_t *answer = plugin->ops->admin(plugin, body, stage.now);
        char *text = json_dumps(answer, JSON_COMPACT);
        CHECK(strstr(text, asked[i].answer) != NULL);
        free(text);
        json_decref(answer);
        json_decref(body);
    }
    CHECK(says(p, "{'request':'exists','room':5}", "'exists':true"));
    stage_down(&stage);
}

TEST(videoroom_unknown_requests)
{
    struct phone *p = open_default();
    phone_say(p, "{'request':'dance'}");
    CHECK(strstr(phone_told(p), "error 423"));
    phone_say(p, "{}");
    CHECK(strstr(phone_told(p), "error 429"));
    phone_say(p, "{'request':1}");
    CHECK(strstr(phone_told(p), "error 430"));
    stage_down(&stage);
}

TEST_OOM(videoroom_create_without_memory)
{
    struct tr_videoroom_conf conf = conf_default();
    enum tr_err err = open_with(&conf);
    if (err != TR_OK)
        return err;
    struct phone *p = stage_phone(&stage, PACKAGE, NULL);
    bool made = p->handle && says(p, "{'request':'create','room':7,'allowed':['a']}", "created");
    stage_down(&stage);
    return made ? TR_OK : TR_ERR_NOMEM;
}
