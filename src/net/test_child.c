/* Goal: a child is started as promised, what it says arrives bounded, and none is left behind.
 * Method: /bin/sh scripts as children; real time, short waits. */
#include <sys/resource.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/child.h"
#include "net/clock.h"
#include "unit.h"

static struct tr_child *sh(const char *script, int nice)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    struct tr_child *child = NULL;
    struct tr_child_conf conf = { .argv = argv, .nice = nice };
    CHECK(tr_child_start(&child, &conf) == TR_OK);
    return child;
}

static struct tr_child_end finish(struct tr_child *child)
{
    struct tr_child_end end = { .code = -2 };
    for (int i = 0; i < 2000 && !tr_child_poll(child, &end); i++)
        tr_clock_sleep(5 * TR_MSEC);
    return end;
}

static bool alive(int pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

TEST(what_a_child_says_arrives)
{
    struct tr_child *c = sh("echo out; echo one >&2; printf 'last \\001 word\\n\\n' >&2;"
                            " echo 10 >&3; echo 55 >&3; printf 99 >&3; exit 7",
                            0);
    struct tr_child_end end = finish(c);
    CHECK_INT(end.code, 7);
    CHECK_STR(tr_child_out(c), "out\n");
    CHECK_STR(tr_child_progress(c), "55");
    char last[64];
    tr_child_last_error(c, last, sizeof last);
    CHECK_STR(last, "last   word");
    CHECK(tr_child_poll(c, &end) && end.code == 7);
    tr_child_destroy(c);
}

TEST(a_child_inherits_nothing)
{
    setenv("TRING_TEST_SECRET", "hush", 1);
    CHECK(dup2(1, 77) == 77); /* not close-on-exec */
    struct tr_child *c = sh("read line; echo \"in=$?\"; echo \"env=$TRING_TEST_SECRET\";"
                            " ls /proc/self/fd | tr '\\n' ' '; nice; cut -d' ' -f5 /proc/$$/stat;"
                            " echo $$",
                            7);
    CHECK_INT(finish(c).code, 0);
    close(77);
    unsetenv("TRING_TEST_SECRET");
    int pgrp = 0, pid = 0, niceness = 0;
    /* 4 is the folder that ls reads, where the shell left it free */
    CHECK_INT(sscanf(tr_child_out(c), "in=1\nenv=\n0 1 2 3 4 %d %d %d", &niceness, &pgrp, &pid), 3);
    int nicer = getpriority(PRIO_PROCESS, 0) + 7; /* on top of the server's own, 19 at most */
    CHECK_INT(niceness, nicer < 19 ? nicer : 19);
    CHECK_INT(pgrp, pid);
    tr_child_destroy(c);
}

TEST(output_is_bounded)
{
    struct tr_child *c = sh("head -c 300000 /dev/zero | tr '\\0' a;"
                            " head -c 300000 /dev/zero | tr '\\0' b >&2; echo c >&2;"
                            " head -c 300000 /dev/zero | tr '\\0' d >&3; echo >&3",
                            0);
    CHECK_INT(finish(c).code, 0);
    CHECK_INT(strlen(tr_child_out(c)), TR_CHILD_OUT_MAX);
    CHECK_INT(strlen(tr_child_err(c)), TR_CHILD_ERR_MAX);
    CHECK_STR(tr_child_err(c) + TR_CHILD_ERR_MAX - 3, "bc\n");
    CHECK_INT(strlen(tr_child_progress(c)), TR_CHILD_LINE_MAX);
    tr_child_destroy(c);
}

TEST(the_whole_group_is_killed)
{
    struct tr_child *c = sh("sleep 1000 & echo $!; sleep 1000", 0);
    struct tr_child_end end;
    while (!strchr(tr_child_out(c), '\n')) {
        CHECK(!tr_child_poll(c, &end));
        tr_clock_sleep(5 * TR_MSEC);
    }
    int grandchild = atoi(tr_child_out(c));
    CHECK(grandchild > 0 && alive(grandchild));
    tr_child_kill(c);
    end = finish(c);
    CHECK_INT(end.code, -1);
    CHECK_INT(end.signal, SIGKILL);
    tr_child_destroy(c);
    c = sh("sleep 1000", 0);
    tr_child_destroy(c); /* at once */
    for (int i = 0; i < 400 && alive(grandchild); i++)
        tr_clock_sleep(5 * TR_MSEC);
}

TEST(a_missing_program_is_told)
{
    const char *argv[] = { "/nowhere/program", NULL };
    struct tr_child *c = NULL;
    enum tr_err err = tr_child_start(&c, &(struct tr_child_conf){ .argv = argv });
    if (err == TR_OK) /* a sanitizer made a fork of vfork: told by the exit code */
        CHECK_INT(finish(c).code, 127);
    else
        CHECK_INT(err, TR_ERR_NOTFOUND);
    tr_child_destroy(c);
    tr_child_destroy(NULL);
}
