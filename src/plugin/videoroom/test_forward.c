/* Goal: forwarders, remotizations and remote publishers answer as clients of the API expect, ask
 * the media engine for what was meant, and end with those that they belong to.
 * Method: phones in rooms over the real core and SDP side, offers of real browsers, doubles for the
 * media engine; what the engine was asked for is looked at directly. */
#include <stdio.h>
#include <stdlib.h>

#include "plugin/videoroom/test_room_rig.h"
#include "unit.h"

#define FAILS(phone, body, code, part)                                                             \
    (phone_say(phone, body), (void)phone_told(phone), check_error(phone, code, part, __LINE__))

/* 30 bytes of key and salt in base64. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"

static void check_error(const struct phone *p, int code, const char *part, int line)
{
    char want[32];
    snprintf(want, sizeof want, "success error %d", code);
    if (!CHECK(strcmp(p->text, want) == 0 && strstr(p->error, part) != NULL))
        unit_note("    line %d: \"%s\": \"%s\"", line, p->text, p->error);
}

static struct phone *opened(void)
{
    begin();
    return room("");
}

/* A phone that publishes as user 5. */
static struct phone *publisher_of(const char *sdp)
{
    struct phone *p = joined(5);
    offer(p, "{'request':'publish'}", fixture(sdp));
    hear(p, "configured");
    up(p);
    return p;
}

static const struct double_forward *forward_at(int i)
{
    return &engine.forwards[i];
}

static json_int_t number_in(const struct phone *p, const char *name)
{
    const char *at = strstr(p->text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* --- rtp_forward --- */

TEST(videoroom_forward_streams)
{
    struct phone *p = opened(), *pub = publisher_of("chrome-offer-av.sdp");
    ask(p,
        "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':5,'host':'192.0.2.1',"
        "'streams':[{'mid':'0','port':5002,'ssrc':77,'pt':33},"
        "{'mid':'1','host':'2001:db8::1','port':5004,'rtcp_port':5005},{'mid':'9','port':1}]}",
        "'videoroom':'rtp_forward'");
    HAS(p, "'publisher_id':5");
    HAS(p, "'room':1");
    HAS(p, "{'host':'192.0.2.1','port':5002,'pt':33,'ssrc':77,'stream_id':");
    HAS(p, "'type':'audio'}");
    HAS(p, "{'host':'2001:db8::1','local_rtcp_port':4321,'port':5004,'remote_rtcp_port':5005,");
    CHECK(strstr(p->text, "rtp_stream") == NULL);
    CHECK_INT(engine_forwards(), 2);
    CHECK_INT(forward_at(0)->conf.layer, 0);
    CHECK_INT(forward_at(0)->source.mline, 0);
    CHECK_INT(forward_at(1)->source.mline, 1);
    CHECK(forward_at(0)->conf.audio_level_id > 0);
    CHECK(!forward_at(0)->paused);
    json_int_t id = number_in(p, "'stream_id':");

    ask(p, "{'request':'listforwarders','room':1,'secret':'s'}", "'videoroom':'forwarders'");
    HAS(p, "'publishers':[{'display':'user 5','forwarders':[{");
    HAS(p, "'publisher_id':5");
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':5,'mid':'0','mute':true}", "success");
    CHECK(forward_at(0)->paused && !forward_at(1)->paused);
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':5,'mid':'0','mute':false}", "success");
    CHECK(!forward_at(0)->paused);

    char body[200], want[100];
    snprintf(body, sizeof body,
             "{'request':'stop_rtp_forward','room':1,'secret':'s','publisher_id':5,"
             "'stream_id':%lld}",
             (long long)id);
    snprintf(want, sizeof want,
             "{'publisher_id':5,'room':1,'stream_id':%lld,'videoroom':'stop_rtp_forward'}",
             (long long)id);
    ask(p, body, want);
    CHECK_INT(engine_forwards(), 1);
    FAILS(p, body, 428, "No such stream");
    phone_verb(pub, "detach");
    CHECK_INT(engine_forwards(), 0);
    ask(p, "{'request':'listforwarders','room':1,'secret':'s'}", "'publishers':[]");
    stage_down(&stage);
}

TEST(videoroom_forward_legacy_and_simulcast)
{
    struct phone *p = opened();
    publisher_of("chrome-offer-simulcast.sdp");
    ask(p,
        "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':5,'host':'media.example',"
        "'audio_port':5002,'video_port':5004,'video_rtcp_port':5005,'video_ssrc':1,'video_pt':100,"
        "'video_port_2':5006,'video_ssrc_2':2,'video_port_3':5008,'data_port':9}",
        "'rtp_stream':{");
    HAS(p, "'host':'media.example'");
    HAS(p, "'video':5004,'video_2':5006,'video_3':5008,'video_rtcp':5005,'video_stream_id':");
    HAS(p, "'video_stream_id_2':");
    HAS(p, "'video_stream_id_3':");
    HAS(p, "'warning':'deprecated_api'");
    int video = engine.forwards[0].conf.port == 5002 ? 1 : 0;
    CHECK_INT(engine_forwards(), video + 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(forward_at(video + i)->conf.layer, i);
    CHECK_INT(forward_at(video)->conf.rtcp_port, 5005);
    CHECK_INT(forward_at(video + 1)->conf.rtcp_port, 0);
    CHECK_INT(forward_at(video + 1)->conf.ssrc, 2);
    ask(p, "{'request':'listforwarders','room':1,'secret':'s'}", "'substream':2");
    HAS(p, "'host':'media.example'"); /* not known yet */

    int before = engine_forwards();
    ask(p,
        "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':5,'host':'192.0.2.1',"
        "'simulcast':true,'video_port':6000,'video_port_2':6002}",
        "'video':6000");
    CHECK_INT(engine_forwards(), before + 1);
    CHECK_INT(forward_at(before)->conf.layer, TR_FORWARD_BEST);
    stage_down(&stage);
}

TEST(videoroom_forward_srtp_and_errors)
{
    struct phone *p = opened();
    publisher_of("chrome-offer-av.sdp");
#define FORWARD                                                                                    \
    "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':5,'host':'192.0.2.1',"
    ask(p, FORWARD "'srtp_suite':32,'srtp_crypto':'" KEY "','streams':[{'mid':'1','port':5}]}",
        "'srtp':true");
    CHECK_INT(forward_at(0)->conf.srtp, TR_SRTP_AES128_CM_SHA1_32);
    CHECK_INT(forward_at(0)->conf.keys.key[15], 15);
    CHECK_INT(forward_at(0)->conf.keys.salt[13], 29);
    FAILS(p, FORWARD "'srtp_suite':64,'srtp_crypto':'" KEY "','video_port':5}", 430,
          "Invalid SRTP suite (64)");
    FAILS(p, FORWARD "'srtp_suite':80,'srtp_crypto':'abc','video_port':5}", 430, "srtp_crypto");
    FAILS(p, FORWARD "'srtp_suite':80,'video_port':5}", 429, "srtp_crypto");
    FAILS(p, FORWARD "'srtp_crypto':'" KEY "','video_port':5}", 429, "srtp_suite");
    FAILS(p, FORWARD "'host_family':'ipx','video_port':5}", 430, "Unsupported protocol family");
    FAILS(p, FORWARD "'video_port':65536}", 430, "video_port");
    FAILS(p, FORWARD "'video_port':5,'video_pt':128}", 430, "video_pt");
    FAILS(p, FORWARD "'streams':[{'mid':'1'}]}", 429, "port");
    FAILS(p, FORWARD "'streams':[7]}", 429, "mid");
    engine.refuse_forwards = TR_ERR_EXISTS;
    FAILS(p, FORWARD "'video_port':5}", 430, "SRTP key");
    engine.refuse_forwards = TR_ERR_INVAL;
    FAILS(p, FORWARD "'video_port':5}", 430, "host");
    engine.refuse_forwards = TR_ERR_IO;
    FAILS(p, FORWARD "'video_port':5}", 499, "");
    engine.refuse_forwards = TR_OK;
    CHECK_INT(engine_forwards(), 1);
    FAILS(p, "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':5,'video_port':5}", 429,
          "host");
    FAILS(p, "{'request':'rtp_forward','room':1,'publisher_id':5,'host':'a','video_port':5}", 429,
          "secret");
    FAILS(p, "{'request':'rtp_forward','room':1,'secret':'x','publisher_id':5,'host':'a'}", 433,
          "");
    FAILS(p, "{'request':'rtp_forward','room':1,'secret':'s','publisher_id':6,'host':'a'}", 428,
          "No such feed (6)");
    FAILS(p, "{'request':'rtp_forward','room':2,'secret':'s','publisher_id':5,'host':'a'}", 426,
          "");
    FAILS(p, "{'request':'stop_rtp_forward','room':1,'secret':'s','publisher_id':5}", 429,
          "stream_id");
    /* All or none, when there are too many. */
    for (int i = 0; i < 63; i++)
        ask(p, FORWARD "'audio_port':7}", "audio_stream_id");
    FAILS(p, FORWARD "'audio_port':7}", 499, "Too many forwarders");
    CHECK_INT(engine_forwards(), 64);
    stage_down(&stage);
}

TEST(videoroom_forward_locked)
{
    struct tr_videoroom_conf conf = conf_default();
    conf.admin_key = "key";
    conf.lock_rtp_forward = true;
    begin_with(&conf);
    struct phone *p = phone();
    ask(p, "{'request':'create','room':1,'secret':'s','admin_key':'key'}", "created");
    publisher_of("chrome-offer-av.sdp");
    FAILS(p, FORWARD "'audio_port':7}", 429, "admin_key");
    FAILS(p, FORWARD "'audio_port':7,'admin_key':'no'}", 433, "");
    ask(p, FORWARD "'audio_port':7,'admin_key':'key'}", "audio_stream_id");
    FAILS(p, "{'request':'stop_rtp_forward','room':1,'secret':'s','publisher_id':5,'stream_id':1}",
          429, "admin_key");
    FAILS(p,
          "{'request':'publish_remotely','room':1,'secret':'s','publisher_id':5,'remote_id':'x',"
          "'host':'192.0.2.1','port':1}",
          429, "admin_key");
    stage_down(&stage);
}

/* --- remotizations --- */

TEST(videoroom_publish_remotely)
{
    struct phone *p = opened(), *pub = publisher_of("chrome-offer-pair-audio.sdp");
#define REMOTELY                                                                                   \
    "{'request':'publish_remotely','room':1,'secret':'s','publisher_id':5,'host':'192.0.2.9',"
    ask(p, REMOTELY "'remote_id':'there','port':7000,'rtcp_port':7001}",
        "success {'id':5,'remote_id':'there','room':1,'videoroom':'success'}");
    CHECK_INT(engine_forwards(), 1);
    CHECK_INT(forward_at(0)->conf.ssrc, 1000);
    CHECK_INT(forward_at(0)->conf.port, 7000);
    CHECK_INT(forward_at(0)->conf.rtcp_port, 0); /* audio has nothing to ask for */
    FAILS(p, REMOTELY "'remote_id':'there','port':7000}", 436, "already exists");
    FAILS(p, REMOTELY "'remote_id':'other','port':0}", 430, "port");
    FAILS(p, REMOTELY "'port':1}", 429, "remote_id");
    ask(p, "{'request':'listremotes','room':1,'secret':'s','publisher_id':5}",
        "'list':[{'host':'192.0.2.9','port':7000,'remote_id':'there','rtcp_port':7001}]");
    ask(p, "{'request':'list_remotes','room':1,'secret':'s','publisher_id':5}", "'id':5");
    ask(p, "{'request':'listforwarders','room':1,'secret':'s'}", "'publishers':[]");

    /* Video is added: it is forwarded, too, and has the RTCP. */
    phone_send(pub, "{'request':'configure'}", "offer", fixture("chrome-offer-pair-added.sdp"),
               false);
    (void)phone_told(pub);
    HAS(pub, "configured");
    CHECK_INT(engine_forwards(), 2);
    CHECK_INT(forward_at(1)->conf.ssrc, 1010);
    CHECK_INT(forward_at(1)->conf.rtcp_port, 7001);

    ask(p,
        "{'request':'unpublish_remotely','room':1,'secret':'s','publisher_id':5,"
        "'remote_id':'there'}",
        "success {'id':5,'room':1,'videoroom':'success'}");
    CHECK_INT(engine_forwards(), 0);
    FAILS(p,
          "{'request':'unpublish_remotely','room':1,'secret':'s','publisher_id':5,"
          "'remote_id':'there'}",
          428, "No such remotization");
    for (int i = 0; i < 16; i++) {
        char body[256];
        snprintf(body, sizeof body, REMOTELY "'remote_id':'r%d','port':7000}", i);
        ask(p, body, "success");
    }
    FAILS(p, REMOTELY "'remote_id':'more','port':7000}", 499, "Too many remotizations");
    phone_say(pub, "{'request':'unpublish'}");
    CHECK_INT(engine_forwards(), 0);
    stage_down(&stage);
}

/* --- remote publishers --- */

#define ADD "{'request':'add_remote_publisher','room':1,'secret':'s',"
#define AUDIO                                                                                      \
    "{'type':'audio','mindex':0,'mid':'0','codec':'opus','fec':true,'audiolevel_ext_id':3}"
#define VIDEO "{'type':'video','mindex':1,'mid':'1','codec':'vp8','simulcast':true}"

TEST(videoroom_remote_publisher)
{
    struct phone *p = opened(), *other = publisher_of("chrome-offer-av.sdp");
    ask(p,
        ADD "'id':9,'display':'Far','metadata':{'a':1},'port':7000,'streams':[" AUDIO "," VIDEO
            ",{'type':'data','mindex':2,'mid':'2'}]}",
        "{'id':9,'port':7000,'room':1,'rtcp_port':5001,'videoroom':'success'}");
    CHECK_INT(engine.plain.ports_count, 2);
    CHECK_INT(engine.plain_tracks[0].layers[0].ssrc, 1000);
    CHECK_INT(engine.plain_tracks[0].ext.id[TR_EXT_AUDIO_LEVEL], 3);
    CHECK_INT(engine.plain_tracks[1].layers_count, 3);
    CHECK_INT(engine.plain_tracks[1].layers[2].ssrc, 1012);
    CHECK(engine.plain_tracks[1].fb_pli && !engine.plain_tracks[2].used);
    CHECK(engine.plain_ports[1].feeds.rtcp);
    (void)phone_told(other);
    HAS(other, "'publishers':[{'audio_codec':'opus','display':'Far','id':9,'metadata':{'a':1}");
    HAS(other, "'simulcast':true");
    ask(p, "{'request':'listparticipants','room':1}", "'remote':true");
    FAILS(p, ADD "'id':9,'streams':[" AUDIO "]}", 436, "already exists");

    /* Somebody takes its streams. */
    struct phone *sub = phone();
    phone_say(sub, "{'request':'join','ptype':'subscriber','room':1,'streams':[{'feed':9}]}");
    (void)phone_told(sub);
    HAS(sub, "attached");

    ask(p,
        "{'request':'update_remote_publisher','room':1,'secret':'s','id':9,'display':'Afar',"
        "'streams':[{'type':'audio','mindex':0,'mid':'0','codec':'opus','disabled':true},"
        "{'type':'video','mindex':3,'mid':'3','codec':'h264','h264_profile':'42e01f'}]}",
        "success {'videoroom':'success'}");
    CHECK_INT(engine_peer(engine.peers[engine.peer_count - 1].id)->live, 1);
    (void)phone_told(other);
    HAS(other, "'display':'Afar'");
    HAS(other, "'disabled':true");
    FAILS(p,
          "{'request':'update_remote_publisher','room':1,'secret':'s','id':9,"
          "'streams':[{'type':'video','mindex':9,'mid':'9','codec':'vp8'}]}",
          430, "mindex should be 4");
    FAILS(p,
          "{'request':'update_remote_publisher','room':1,'secret':'s','id':9,'srtp_suite':80,"
          "'srtp_crypto':'" KEY "','streams':[]}",
          430, "cannot be changed");
    FAILS(p, "{'request':'update_remote_publisher','room':1,'secret':'s','id':5,'streams':[]}", 428,
          "No such remote publisher (5)");
    FAILS(p, REMOTELY "'remote_id':'x','port':1,'publisher_id':9}", 430, "Only local");

    int live = engine_peers();
    ask(p, "{'request':'remove_remote_publisher','room':1,'secret':'s','id':9}",
        "success {'videoroom':'success'}");
    CHECK_INT(engine_peers(), live - 1);
    (void)phone_told(other);
    HAS(other, "'leaving':9");
    FAILS(p, "{'request':'remove_remote_publisher','room':1,'secret':'s','id':9}", 428, "");
    stage_down(&stage);
}

TEST(videoroom_remote_publisher_is_recorded)
{
    struct phone *p = opened();
    ask(p, ADD "'id':9,'display':'Far','streams':[" AUDIO "," VIDEO "]}", "'port':");
    CHECK_INT(engine_recordings(), 0);
    ask(p, "{'request':'enable_recording','room':1,'secret':'s','record':true}", "success");
    CHECK_INT(engine_recordings(), 1);
    CHECK_INT(engine.recordings[0].tracks, 2);
    CHECK_STR(engine.recordings[0].last.label, "Far");
    CHECK_STR(engine.recordings[0].last.codec, "VP8");
    ask(p, "{'request':'remove_remote_publisher','room':1,'secret':'s','id':9}", "success");
    CHECK_INT(engine_recordings(), 0);
    stage_down(&stage);
}

TEST(videoroom_remote_publisher_errors)
{
    struct phone *p = opened();
    FAILS(p, ADD "'streams':[]}", 430, "streams");
    FAILS(p, "{'request':'add_remote_publisher','room':1,'secret':'s'}", 429, "streams");
    FAILS(p, "{'request':'add_remote_publisher','room':1,'streams':[" AUDIO "]}", 429, "secret");
    FAILS(p, ADD "'streams':[7]}", 429, "mid");
    FAILS(p, ADD "'streams':[{'type':'smell','mindex':0,'mid':'0'}]}", 430, "type");
    FAILS(p, ADD "'streams':[{'type':'audio','mindex':0,'mid':'0'}]}", 429, "codec");
    FAILS(p, ADD "'streams':[{'type':'audio','mindex':0,'mid':'0','codec':'vp8'}]}", 430, "codec");
    FAILS(p, ADD "'streams':[{'type':'audio','mindex':0,'mid':'','codec':'opus'}]}", 430, "mid");
    FAILS(p, ADD "'streams':[" AUDIO "],'port':70000}", 430, "port");
    FAILS(p, ADD "'streams':[" AUDIO "],'mcast':'here'}", 430, "mcast");
    FAILS(p, ADD "'streams':[" AUDIO "],'srtp_suite':80}", 429, "srtp_crypto");
    engine.refuse_peers = true;
    FAILS(p, ADD "'streams':[" AUDIO "]}", 499, "could not be opened");
    engine.refuse_peers = false;
    ask(p, "{'request':'listparticipants','room':1}", "'participants':[]");
    ask(p, ADD "'streams':[" AUDIO "],'srtp_suite':80,'srtp_crypto':'" KEY "'}", "'port':");
    CHECK_INT(engine.plain.srtp, TR_SRTP_AES128_CM_SHA1_80);
    /* A codec that the room does not take is no media. */
    ask(p, ADD "'streams':[{'type':'audio','mindex':0,'mid':'0','codec':'g722'}]}", "'port':");
    ask(p, "{'request':'destroy','room':1,'secret':'s'}", "destroyed");
    CHECK_INT(engine_peers(), 0);
    stage_down(&stage);
}
