/* rlimits bound memory (private data, since the journal is mapped and may be large), CPU time and
 * core files. A seccomp filter makes new sockets, programs and debugging of others fail with EPERM;
 * everything else stays allowed, since the codecs' needs differ by version. Where seccomp is not
 * there the limits still hold. */
#include "record/render/limits.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/assert.h"

#define DATA_MAX (3ull << 30)

enum { CPU_MIN_S = 300, CPU_PER_CALL_SECOND = 6 };

static void limit(int what, uint64_t max)
{
    struct rlimit r = { .rlim_cur = max, .rlim_max = max };
    setrlimit((__rlimit_resource_t)what, &r);
}

#if defined(__x86_64__)
#    define AUDIT_ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define AUDIT_ARCH_HERE AUDIT_ARCH_AARCH64
#endif

/* Whether this is a build with the address or the thread sanitizer, as gcc or as clang tells. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define WITH_SANITIZER 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define WITH_SANITIZER 1
#    endif
#endif

#ifdef AUDIT_ARCH_HERE
#    define DENY(nr)                                                                               \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                                           \
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static void no_network(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_HERE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        DENY(SYS_socket),
        DENY(SYS_connect),
        DENY(SYS_bind),
        DENY(SYS_execve),
        DENY(SYS_execveat),
#    ifndef WITH_SANITIZER /* whose leak checker stops its own threads by ptrace */
        DENY(SYS_ptrace),
#    endif
        DENY(SYS_process_vm_writev),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { .len = TR_ARRAY_LEN(code), .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
#else
static void no_network(void)
{
}
#endif

void rn_limits_start(void)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 256);
#ifndef WITH_SANITIZER
    limit(RLIMIT_DATA, DATA_MAX); /* a sanitizer's shadow is far larger */
#endif
    no_network();
}

void rn_limits_cpu(int64_t duration_us)
{
    limit(RLIMIT_CPU, CPU_MIN_S + (uint64_t)duration_us / 1000000 * CPU_PER_CALL_SECOND);
}
