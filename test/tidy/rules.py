"""What tidy holds the tree to. Only tables here; tidy.py reads them.

A rule that would make one line worse is broken there, in the open:
    free(text); /* tidy: allow free - jansson hands out malloc memory */
on the line itself or the one above. Functions that are too long for a reason stand in EXEMPT.
"""

# -- Layers: an include may point to its own folder or to one further down, never up. --------------

LAYERS = [
    "server", "contact", "ops", "plugin", "gateway", "cluster", "record", "store", "media", "peer",
    "net",
]  # the libraries of src/lib lie below all of them

# Narrower than the order says.
NOT_ALLOWED = {
    "peer": {"net": "a peer is a state machine without I/O"},
    "store": {
        "media": "the store keeps rows and blobs, it knows no call",
        "peer": "the store keeps rows and blobs, it knows no call",
    },
}

# src/record/render is a program of its own; nobody includes it.
RENDER = "record/render"
RENDER_ALLOWED = {"record", "store", "net"}

# What each library of src/lib may include beside base.
LIBS = {
    "base": set(),
    "stun": set(),
    "turn": {"stun"},
    "ice": {"stun"},
    "dtls": {"srtp"},  # the profiles that a handshake may choose
    "srtp": {"rtp"},
    "payload": set(),
    "rtp": {"payload"},
    "sdp": {"payload", "rtp", "ice"},
    "sctp": set(),
    "bwe": {"rtp"},
}

SIM_ALLOWED = {"peer", "media"}  # and all libraries; tests may include sim in turn

# Libraries of others that have one home: header prefix -> folders that may include it.
HOMES = {
    "libav": ["src/record/render/"],
    "libsw": ["src/record/render/"],
    "libwebsockets": ["src/gateway/", "src/net/", "src/cluster/", "tools/"],
    "uv.h": ["src/gateway/"],
    "usrsctp": ["src/lib/sctp/"],
    "sofia-sip/": ["src/plugin/"],
    "sqlite3": ["src/store/"],
    "libpq": ["src/store/"],
    "yaml": ["src/server/"],
    "srtp2/": [],  # the test oracle
    "intel-ipsec-mb": ["src/lib/srtp/"],
    "sys/socket": ["src/net/"],
    "sys/epoll": ["src/net/"],
    "sys/eventfd": ["src/net/"],
    "sys/timerfd": ["src/net/"],
    "poll.h": ["src/net/"],
    "netdb.h": ["src/net/"],
    "pthread": ["src/net/", "src/lib/base/"],
    "threads.h": ["src/net/", "src/lib/base/"],
    "assert.h": [],
}

# -- Calls that are not ours to make ---------------------------------------------------------------

# name -> (calls, what to use, where it is fine). "tests": tests, fuzz targets, sim/ and bench/.
BANNED = {
    "alloc": ("malloc calloc realloc reallocarray strdup strndup asprintf vasprintf posix_memalign "
              "aligned_alloc alloca",
              "tr_alloc, tr_strdup, tr_realloc or an arena (base/mem.h, base/arena.h)",
              ["src/lib/base/mem.c", "tests"]),
    "free": ("free", "tr_free (base/mem.h)", ["src/lib/base/mem.c", "tests"]),
    "unbounded": ("strcpy stpcpy strcat sprintf vsprintf gets strncpy strncat",
                  "struct tr_wr (base/slice.h) or snprintf", ["tests"]),
    "parse": ("strtok atoi atol atoll atof sscanf scanf fscanf",
              "struct tr_rd (base/slice.h), or strtoul with its end checked", ["tests"]),
    "clock": ("clock_gettime gettimeofday time clock ftime",
              "the argument `now`, which comes from net/clock.h", ["src/net/clock.c", "tests"]),
    "sleep": ("sleep usleep nanosleep clock_nanosleep",
              "a timer of the loop (net/loop.h), or virtual time in tests",
              ["src/net/", "tools/", "bench/"]),
    "socket": ("socket socketpair bind accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg "
               "setsockopt getsockopt getaddrinfo getnameinfo epoll_create1 epoll_ctl epoll_wait "
               "eventfd timerfd_create",
               "src/net, the only place with sockets", ["src/net/", "tests"]),
    "thread": ("pthread_\\w+ mtx_\\w+ cnd_\\w+ thrd_\\w+",
               "src/net (threads, mailboxes); nothing else locks",
               ["src/net/", "src/lib/base/", "tests"]),
    "random": ("rand srand rand_r random srandom drand48 lrand48 getrandom getentropy RAND_bytes "
               "RAND_priv_bytes arc4random",
               "struct tr_rng (base/rng.h), handed in", ["src/net/", "tests"]),
    "assert": ("assert", "TR_ASSERT (base/assert.h), which stays on in release builds", []),
    "print": ("printf fprintf vprintf vfprintf puts putchar fputs fputc perror",
              "the log (net/log.h), or struct tr_wr",
              ["src/server/", "src/record/render/", "src/net/log.c", "src/lib/base/assert.c",
               "tools/", "tests"]),
    "exit": ("exit _exit quick_exit abort",
             "an error to the caller, or TR_ASSERT",
             ["src/server/", "src/record/render/", "src/lib/base/assert.c", "tools/", "tests"]),
    "shell": ("system popen", "posix_spawn with an argument list", []),
    "jump": ("setjmp longjmp sigsetjmp siglongjmp", "an enum tr_err", []),
    "signal": ("signal", "sigaction or signalfd", []),
    "unsafe": ("gmtime localtime ctime asctime strerror inet_ntoa inet_addr gethostbyname",
               "the _r form, or base/addr.h for addresses", []),
}

# -- Sizes -----------------------------------------------------------------------------------------

FILE_NOTE, FILE_MAX = 800, 1500
HEADER_MAX = 150
COLUMNS_MAX = 100
FUNC_NOTE, FUNC_MAX, FUNC_MAX_TEST = 60, 100, 150
COMPLEXITY_MAX, COMPLEXITY_MAX_TEST = 20, 30

# "path:function" -> why it may be longer or more branched than the limits. Ceilings only go down.
EXEMPT = {
}
