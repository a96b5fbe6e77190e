#!/usr/bin/env python3
"""Each rule of tidy, shown on the smallest text that breaks it and one that does not."""

import os
import sys
import tempfile
import unittest

import tidy

TOP = "/* What this is. */\n"


def rules_of(path, text, mesons=None):
    return [rule for _, rule, _ in tidy.check_source(path, text, ".", mesons).found]


def function(name, lines, inner="    x();"):
    return "static void %s(void)\n{\n%s\n}\n" % (name, "\n".join([inner] * (lines - 2)))


class Calls(unittest.TestCase):
    def bad(self, call, rule, path="src/media/a.c"):
        text = TOP + "static void f(void)\n{\n    %s;\n}\n" % call
        self.assertEqual(rules_of(path, text), [rule], call)

    def good(self, call, path="src/media/a.c"):
        text = TOP + "static void f(void)\n{\n    %s;\n}\n" % call
        self.assertEqual(rules_of(path, text), [], call)

    def test_banned(self):
        self.bad("p = malloc(3)", "alloc")
        self.bad("free(p)", "free")
        self.bad("strcpy(a, b)", "unbounded")
        self.bad("n = atoi(s)", "parse")
        self.bad("t = time(NULL)", "clock")
        self.bad("fd = socket(1, 2, 3)", "socket")
        self.bad("pthread_mutex_lock(&m)", "thread")
        self.bad("mtx_lock(&m)", "thread")
        self.bad("RAND_bytes(p, 3)", "random")
        self.bad("assert(x)", "assert")
        self.bad('printf("x")', "print")
        self.bad("exit(1)", "exit")
        self.bad("goto fail", "goto")

    def test_other_names_are_fine(self):
        self.good("tr_free(p)")
        self.good("pool->free(p)")
        self.good("pool.free(p)")
        self.good("snprintf(a, 3, b)")
        self.good("TR_ASSERT(x)")
        self.good("next_time(now)")
        self.good('f("malloc(3) printf(x)")')
        self.good("goto out")

    def test_places(self):
        self.good("fd = socket(1, 2, 3)", "src/net/udp.c")
        self.good("p = calloc(1, 3)", "src/lib/base/mem.c")
        self.good("clock_gettime(1, &t)", "src/net/clock.c")
        self.bad("clock_gettime(1, &t)", "clock", "src/net/loop.c")
        self.good('printf("x")', "tools/load/main.c")
        self.good("p = malloc(3)", "src/media/test_a.c")
        self.good("p = malloc(3)", "src/media/fuzz_a.c")
        self.good("p = malloc(3)", "src/media/media_test.h")
        self.bad("sleep(1)", "sleep", "src/media/test_a.c")

    def test_allow_needs_a_reason(self):
        self.good("free(p); /* tidy: allow free - the library hands it out */")
        self.bad("free(p); /* tidy: allow free */", "free")
        self.bad("free(p); /* tidy: allow alloc - another rule */", "free")


class Layers(unittest.TestCase):
    def rules(self, path, include):
        return rules_of(path, TOP + '#include "%s"\n' % include)

    def test_down_is_fine(self):
        for path, include in [("src/server/a.c", "contact/x.h"), ("src/gateway/a.c", "media/x.h"),
                              ("src/media/a.c", "peer/x.h"), ("src/media/a.c", "base/err.h"),
                              ("src/lib/ice/a.c", "stun/stun.h"), ("src/lib/sdp/a.c", "rtp/rtp.h"),
                              ("src/record/render/a.c", "record/x.h"), ("tools/a.c", "media/x.h"),
                              ("src/peer/test_a.c", "sim/sim.h"), ("src/peer/test_a.c", "unit.h"),
                              ("sim/a.c", "peer/x.h")]:
            self.assertEqual(self.rules(path, include), [], path + " " + include)

    def test_up_and_sideways_is_not(self):
        for path, include in [("src/contact/a.c", "server/x.h"), ("src/media/a.c", "gateway/x.h"),
                              ("src/peer/a.c", "media/x.h"), ("src/peer/a.c", "net/loop.h"),
                              ("src/lib/stun/a.c", "ice/ice.h"), ("src/lib/rtp/a.c", "net/x.h"),
                              ("src/lib/base/a.c", "stun/stun.h"), ("src/server/a.c", "what/x.h"),
                              ("src/server/a.c", "record/render/x.h"), ("src/net/a.c", "sim/sim.h"),
                              ("src/record/render/a.c", "media/x.h"), ("src/media/a.c", "media.h"),
                              ("src/peer/test_a.c", "gateway/x.h"), ("sim/a.c", "gateway/x.h")]:
            self.assertEqual(self.rules(path, include), ["layer"], path + " " + include)

    def test_homes(self):
        text = TOP + "#include <libavcodec/avcodec.h>\n"
        self.assertEqual(rules_of("src/media/a.c", text), ["home"])
        self.assertEqual(rules_of("src/record/render/a.c", text), [])


class Sizes(unittest.TestCase):
    def test_function(self):
        self.assertEqual(rules_of("src/media/a.c", TOP + function("f", 99)), [])
        self.assertEqual(rules_of("src/media/a.c", TOP + function("f", 130)), ["function-size"])
        self.assertEqual(rules_of("src/media/test_a.c", TOP + function("f", 130)), [])
        notes = tidy.check_source("src/media/a.c", TOP + function("f", 70)).notes
        self.assertEqual([n[1] for n in notes], ["function-size"])

    def test_exempt(self):
        tidy.rules.EXEMPT["src/media/a.c:parse"] = "one switch"
        self.assertEqual(rules_of("src/media/a.c", TOP + function("parse", 130)), [])
        self.assertEqual(rules_of("src/media/a.c", TOP + function("f", 130)), ["function-size"])

    def test_name(self):
        code = "int a;\n\nstatic enum tr_err\ntr_x(struct y *y,\n int b)\n{\n}\nTEST(abc)\n{\n}\n"
        self.assertEqual([f[0] for f in tidy.functions(code)], ["tr_x", "abc"])

    def test_complexity(self):
        self.assertEqual(tidy.complexity("if (a && b || c) x ? y : z; for (;;) while (1) ;"), 7)
        table = "switch (x) {\n" + "case 1: return 2;\ncase 3: x = 4; break;\n" * 30 + "}"
        self.assertEqual(tidy.complexity(table), 1)
        shared = "switch (x) {\ncase 1:\ncase 2:\ncase 3:\n    f();\n    break;\n}"
        self.assertEqual(tidy.complexity(shared), 2)
        many = TOP + function("f", 40, "    if (a) b();")
        self.assertEqual(rules_of("src/media/a.c", many), ["complexity"])

    def test_files(self):
        self.assertEqual(rules_of("src/media/a.c", TOP + "int a;\n" * 1500), ["file-size"])
        header = TOP + "#ifndef TR_A_H\n#define TR_A_H\n" + "int a;\n" * 150 + "#endif\n"
        self.assertEqual(rules_of("src/media/a.h", header), ["header-size"])


class Text(unittest.TestCase):
    def test_hygiene(self):
        self.assertEqual(rules_of("a.c", "int a;\t\n"), ["tab", "trailing"])
        self.assertEqual(rules_of("a.c", "int a; \n"), ["trailing"])
        self.assertEqual(rules_of("a.c", "int a;"), ["newline"])
        self.assertEqual(rules_of("a.c", "int a;\n\n"), ["newline"])
        self.assertEqual(rules_of("a.c", "int a;\r\n"), ["trailing"])
        self.assertEqual(rules_of("a.c", "int " + "a" * 100 + ";\n"), ["columns"])
        self.assertEqual(rules_of("a.c", "/* %s: later */\n" % ("TO" + "DO")), ["unfinished"])
        self.assertEqual(rules_of("Makefile", "a:\n\ttrue\n"), [])

    def test_invisible(self):
        for c in "\u200b\u202e\ufeff\u00a0":
            self.assertEqual(rules_of("a.md", "a%sb\n" % c), ["invisible"])
        self.assertEqual(rules_of("a.md", "r\u00e9sum\u00e9 \u2192\n"), [])

    def test_links(self):
        with tempfile.TemporaryDirectory() as root:
            open(os.path.join(root, "there.md"), "w", encoding="utf-8").close()
            text = "[a](there.md#x) [b](https://example.org/) [c](#here) [d](gone.md)\n"
            found = tidy.check_source("a.md", text, root).found
            self.assertEqual([m for _, _, m in found], ["gone.md does not exist"])


class Shape(unittest.TestCase):
    def guard(self, path, guard):
        src = tidy.Source(path, TOP + "#ifndef %s\n#define %s\n#endif\n" % (guard, guard))
        tidy.check_guard(src)
        return [rule for _, rule, _ in src.found]

    def test_guard(self):
        self.assertEqual(self.guard("src/media/sink.h", "TR_SINK_H"), [])
        self.assertEqual(self.guard("src/media/sink.h", "TR_MEDIA_SINK_H"), [])
        self.assertEqual(self.guard("src/media/sink.h", "SINK_H"), ["guard"])
        self.assertEqual(self.guard("src/media/sink.h", "TR_SOURCE_H"), ["guard"])

    def test_guard_twice(self):
        text = TOP + "#ifndef TR_A_H\n#define TR_A_H\n#endif\n"
        a, b = tidy.Source("src/media/a.h", text), tidy.Source("src/net/a.h", text)
        tidy.check_guards_unique([a, b])
        self.assertEqual([rule for _, rule, _ in a.found + b.found], ["guard"])

    def test_top_comment(self):
        self.assertEqual(rules_of("src/media/a.c", "int a;\n"), ["top-comment"])

    def test_dead_code(self):
        for comment in ["x = y + 1;", "if (x) {", "return x;", "tr_f(x);", "p->n = 3;"]:
            text = TOP + "/* %s */\n" % comment
            self.assertEqual(rules_of("src/media/a.c", text), ["dead-code"], comment)
        self.assertEqual(rules_of("src/media/a.c", TOP + "#if 0\n#endif\n"), ["dead-code"])
        for comment in ["An entry may fill the hole; see below.", "returns early; x = 3 holds.",
                        "if the peer is gone (it may be), stop", "x == y here"]:
            text = TOP + "/* %s */\n" % comment
            self.assertEqual(rules_of("src/media/a.c", text), [], comment)

    def test_dead_file(self):
        mesons = {"src/media/meson.build": "static_library('m', 'a.c', foreach 'b', 'sub/d.c')"}
        for name, want in [("a.c", []), ("test_b.c", []), ("c.c", ["dead-file"]), ("sub/d.c", [])]:
            self.assertEqual(rules_of("src/media/" + name, TOP, mesons), want, name)

    def test_meson(self):
        good = "# May depend on: base.\nlibrary('x', implicit_include_directories: false)\n"
        self.assertEqual(rules_of("src/net/meson.build", good), [])
        self.assertEqual(rules_of("src/net/meson.build", good + "library('y')\n"), ["meson"])
        self.assertEqual(rules_of("src/net/meson.build", "x = 1\n"), ["meson"])


class Tree(unittest.TestCase):
    def test_whole(self):
        """A tree with one bad file fails, and its complaint names file, line and rule."""
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "src/net"))
            os.makedirs(os.path.join(root, "node_modules"))
            for path, text in [("src/net/meson.build", "# May depend on: base.\n'a.c'\n"),
                               ("src/net/a.c", TOP + "int a;\n"), ("node_modules/x.c", "\t\n")]:
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            out, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")
            try:
                self.assertEqual(tidy.main([root]), 0)
                with open(os.path.join(root, "src/net/a.c"), "a", encoding="utf-8") as f:
                    f.write("int b; \n")
                self.assertEqual(tidy.main([root]), 1)
            finally:
                sys.stdout.close()
                sys.stdout = out


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad))
    sys.exit(bad > 0)
