/* Goal: a good file gives its values, each kind of mistake is told with file, line and key, and
 * what --print-config writes reads back to the same. */
#include <stdlib.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_keys.h"
#include "unit.h"

static char told[4096];

static void tell(void *arg, const char *file, int line, const char *key, const char *text)
{
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%s:%d:%s: %s\n", file, line, key, text);
}

static enum tr_err parse(struct tr_config *c, const char *text, char *const *env)
{
    struct tr_config_problems problems = { .tell = tell };
    told[0] = 0;
    return tr_config_parse(c, "f.yaml", text, strlen(text), env, &problems);
}

TEST(config_defaults)
{
    struct tr_config c;
    CHECK_INT(parse(&c, "", NULL), TR_OK);
    CHECK_INT(c.http.port, 8088);
    CHECK_STR(c.admin.listen, "127.0.0.1");
    CHECK_INT(c.media.srtp_profiles.count, 3);
    CHECK(c.media.gso && !c.api.token_auth);
    CHECK_INT(c.media.bind.count, 0);
    tr_config_deinit(&c);
    CHECK_INT(parse(&c, "# only a comment\nhttp:\n", NULL), TR_OK);
    tr_config_deinit(&c);
}

TEST(config_values)
{
    struct tr_config c;
    CHECK_INT(parse(&c,
                    "http: { port: 80, allow_origin: 'https://a.example' }\n"
                    "media:\n  bind:\n    - 192.0.2.1\n    - '2001:db8::1'\n  gso: false\n"
                    "  nat_1_1_mapping: [ 198.51.100.1/10.0.0.1 ]\n"
                    "recording:\n  render:\n    fps: 30\n",
                    NULL),
              TR_OK);
    CHECK_STR(told, "");
    CHECK_INT(c.http.port, 80);
    CHECK_STR(c.http.allow_origin, "https://a.example");
    CHECK_INT(c.media.bind.count, 2);
    CHECK_STR(c.media.bind.items[1], "2001:db8::1");
    CHECK(!c.media.gso);
    CHECK_INT(c.recording.render.fps, 30);
    tr_config_deinit(&c);
}

TEST(config_mistakes)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "http:\n  prot: 80\n", "f.yaml:2:http.prot: is not a known key\n" },
        { "htpt:\n  port: 80\n", "f.yaml:1:htpt: is not a known key\n" },
        { "http:\n  port: 80\n  port: 81\n", "f.yaml:3:http.port: is there twice\n" },
        { "http:\n  port: many\n", "f.yaml:2:http.port: is not a whole number\n" },
        { "http:\n  port: 65536\n", "f.yaml:2:http.port: must be between 0 and 65535\n" },
        { "http:\n  port: 1.5\n", "f.yaml:2:http.port: is not a whole number\n" },
        { "http:\n  port: 99999999999999999999\n", "f.yaml:2:http.port: is not a whole number\n" },
        { "http:\n  port:\n",
          "f.yaml:2:http.port: has no value (remove the key for its default, or write \"\")\n" },
        { "http:\n  port: [1]\n", "f.yaml:2:http.port: must be a single value\n" },
        { "api:\n  token_auth: maybe\n", "f.yaml:2:api.token_auth: must be true or false\n" },
        { "server:\n  log_level: loud\n",
          "f.yaml:2:server.log_level: must be one of error|warn|info|debug\n" },
        { "media:\n  bind: [here]\n", "f.yaml:2:media.bind: \"here\" is not an IP address\n" },
        { "media:\n  nat_1_1_mapping: [198.51.100.1/fd00::1]\n",
          "f.yaml:2:media.nat_1_1_mapping: \"198.51.100.1/fd00::1\" is not an IP address, or "
          "public/private of one family\n" },
        { "turn:\n  allow_peers:\n    - 10.1.0.0/16\n    - 10.1.0.0/33\n",
          "f.yaml:4:turn.allow_peers: \"10.1.0.0/33\" is not an IP address or a range such as "
          "10.1.0.0/16, with nothing behind its prefix\n" },
        { "turn:\n  deny_peers: [host.example, '2001:db8::1/32']\n",
          "f.yaml:2:turn.deny_peers: \"host.example\" is not an IP address or a range such as "
          "10.1.0.0/16, with nothing behind its prefix\n"
          "f.yaml:2:turn.deny_peers: \"2001:db8::1/32\" is not an IP address or a range such as "
          "10.1.0.0/16, with nothing behind its prefix\n" },
        { "media:\n  bind: 192.0.2.1\n", "f.yaml:2:media.bind: must be a list such as [a, b]\n" },
        { "media:\n  bind: { a: b }\n", "f.yaml:2:media.bind: must be a list\n" },
        { "media:\n  bind: [[a]]\n", "f.yaml:2:media.bind: is not a text\n" },
        { "media:\n  srtp_profiles: [NULL]\n",
          "f.yaml:2:media.srtp_profiles: must be one of "
          "AEAD_AES_128_GCM|AEAD_AES_256_GCM|AES_CM_128_HMAC_SHA1_80\n"
          "f.yaml:0:media.srtp_profiles: must not be empty\n" },
        { "http:\n  base_path: janus\n",
          "f.yaml:2:http.base_path: \"janus\" is not a path such as \"/janus\" (a slash, then "
          "letters, digits, '-' or '_')\n" },
        { "http:\n  tls_cert: a.pem\n",
          "f.yaml:0:http.tls_cert: needs http.tls_key as well, and the other way round\n" },
        { "turn:\n  tls_cert: a.pem\n",
          "f.yaml:0:turn.tls_cert: needs turn.tls_key as well, and the other way round\n" },
        { "turn:\n  lifetime: 7200\n", "f.yaml:0:turn.lifetime: is more than turn.lifetime_max\n" },
        { "turn:\n  min_port: 60000\n  max_port: 50000\n",
          "f.yaml:0:turn.max_port: is not above turn.min_port\n" },
        { "http:\n  port: 8188\n", "f.yaml:0:http.ws_port: is the same as http.port\n" },
        { "http: 5\n", "f.yaml:1:http: must have keys below it\n" },
        { "- a\n", "f.yaml:1:file: must be a mapping of keys\n" },
        { "[a]: b\n", "f.yaml:1:file: has a key that is not a text\n" },
        { "---\nhttp:\n---\nhttp:\n", "f.yaml:3:file: has a second document\n" },
        { "server:\n  name: \"a\\0b\"\n", "f.yaml:2:server.name: has control characters\n" },
        { "server:\n  name: \"a\\nb\"\n", "f.yaml:2:server.name: has control characters\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tr_config c;
        CHECK_INT(parse(&c, cases[i].text, NULL), TR_ERR_BADMSG);
        CHECK_STR(told, cases[i].want);
        tr_config_deinit(&c);
    }
}

TEST(config_broken_yaml)
{
    static const char *const texts[] = { "http: {", "a: b: c", "\"", "\t- x", "\x01", "*a", "%" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tr_config c;
        CHECK_INT(parse(&c, texts[i], NULL), TR_ERR_BADMSG);
        CHECK(strstr(told, "f.yaml:1:") == told || strstr(told, "f.yaml:2:") == told);
        tr_config_deinit(&c);
    }
}

TEST(config_all_mistakes_at_once)
{
    struct tr_config c;
    CHECK_INT(parse(&c, "http:\n  a: 1\n  b: 2\nmedia:\n  port: 0\n", NULL), TR_ERR_BADMSG);
    CHECK_STR(told, "f.yaml:2:http.a: is not a known key\nf.yaml:3:http.b: is not a known key\n"
                    "f.yaml:5:media.port: must be between 1 and 65535\n");
    tr_config_deinit(&c);
}

TEST(config_environment)
{
    struct tr_config c;
    const char *env[] = { "TRING_HTTP_PORT=81",
                          "TRING_MEDIA_BIND=192.0.2.1, 192.0.2.2",
                          "TRING_RECORDING_RENDER_FPS=10",
                          "TRING_OTHER=1",
                          "HOME=/",
                          NULL };
    CHECK_INT(parse(&c, "http:\n  port: 80\n", (char *const *)env), TR_OK);
    CHECK_INT(c.http.port, 81);
    CHECK_INT(c.media.bind.count, 2);
    CHECK_STR(c.media.bind.items[1], "192.0.2.2");
    CHECK_INT(c.recording.render.fps, 10);
    tr_config_deinit(&c);
    const char *bad[] = { "TRING_HTTP_PRT=81", "TRING_HTTP_PORT=x", "TRING_MEDIA_BIND=1.2.3.4,,",
                          NULL };
    CHECK_INT(parse(&c, "", (char *const *)bad), TR_ERR_BADMSG);
    CHECK_STR(told, ":0:TRING_HTTP_PRT: is not the name of a key\n"
                    ":0:TRING_HTTP_PORT: is not a whole number\n"
                    ":0:TRING_MEDIA_BIND: has an empty item\n");
    tr_config_deinit(&c);
}

static char *printed(const struct tr_config *c)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    tr_config_print(out, c);
    fclose(out);
    return text;
}

TEST(config_print_reads_back)
{
    struct tr_config a, b;
    CHECK_INT(parse(&a,
                    "server: { name: 'a \"b\" \\c: #d' }\nhttp: { port: 1 }\n"
                    "media: { bind: [ 192.0.2.1 ], srtp_profiles: [ AEAD_AES_256_GCM ] }\n",
                    NULL),
              TR_OK);
    char *first = printed(&a), *defaults = printed(NULL);
    CHECK_INT(parse(&b, first, NULL), TR_OK);
    CHECK_STR(told, "");
    char *second = printed(&b);
    CHECK_STR(second, first);
    CHECK(strstr(defaults, "  # The UDP port. (1 to 65535)\n  port: 10000\n") != NULL);
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++)
        CHECK(strlen(key->doc) > 8);
    tr_config_deinit(&a);
    tr_config_deinit(&b);
    free(first);
    free(second);
    free(defaults);
}

/* What YAML cannot hold would make --print-config write a file that does not read back. */
TEST(config_texts_are_text)
{
    static const char *const bad[] = { "\xff",     "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                                       "a\x7f",    "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf",
                                       "\xe2\x82", "\t" };
    struct tr_config c;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char entry[64];
        snprintf(entry, sizeof(entry), "TRING_SERVER_NAME=%s", bad[i]);
        char *const env[] = { entry, NULL };
        CHECK_INT(parse(&c, "", env), TR_ERR_BADMSG);
        tr_config_deinit(&c);
    }
    char good[] = "TRING_SERVER_NAME=Gr\xc3\xbc\xc3\x9f Gott \xf0\x9f\x93\x9e";
    char *const env[] = { good, NULL };
    CHECK_INT(parse(&c, "", env), TR_OK);
    tr_config_deinit(&c);
    CHECK_INT(parse(&c, "? \"\"\n: 1\n", NULL), TR_ERR_BADMSG);
    CHECK(strstr(told, "has a key that is not a text") != NULL);
    tr_config_deinit(&c);
}

TEST(config_file)
{
    struct tr_config c;
    struct tr_config_problems problems = { .tell = tell };
    told[0] = 0;
    CHECK_INT(tr_config_load(&c, "/nonexistent/tring.yaml", true, NULL, &problems), TR_OK);
    tr_config_deinit(&c);
    CHECK_INT(tr_config_load(&c, "/nonexistent/tring.yaml", false, NULL, &problems), TR_ERR_BADMSG);
    CHECK(strstr(told, "/nonexistent/tring.yaml:0:file: cannot be read") == told);
    tr_config_deinit(&c);
    char path[] = "/tmp/tring-config-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "http:\n  port: 9\n", 16) == 16);
    close(fd);
    CHECK_INT(tr_config_load(&c, path, false, NULL, &problems), TR_OK);
    CHECK_INT(c.http.port, 9);
    tr_config_deinit(&c);
    unlink(path);
}

TEST_OOM(config_out_of_memory)
{
    struct tr_config c;
    enum tr_err err = parse(&c, "media: { bind: [ 192.0.2.1 ] }\n", NULL);
    tr_config_deinit(&c);
    return err == TR_ERR_BADMSG && strstr(told, "memory is out") ? TR_ERR_NOMEM : err;
}
