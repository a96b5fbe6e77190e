#!/usr/bin/env python3
"""Style and layering check over the whole tree; the rules are the tables in rules.py.

Works on text, not on a syntax tree: comments and strings are blanked by one regular expression,
functions are what stands between a '{' and a '}' in the first column (clang-format sees to that).
Exit code 1 when something was found. Usage: tidy.py [--notes] [root]
"""

import os
import re
import sys

import rules

SKIP_DIRS = {".git", "node_modules", "dist", "data", "corpus", "__pycache__", ".cache", "fixtures"}
TEXT_EXT = {".c", ".h", ".py", ".sh", ".md", ".yaml", ".yml", ".txt", ".ts", ".js", ".mjs", ".css",
            ".html", ".json", ""}
OURS_EXT = {".c", ".h", ".py", ".sh", ".yaml", ".yml"}  # prettier looks after the web's files
C_ROOTS = ("src/", "sim/", "tools/", "test/", "bench/")

BLANK = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INVISIBLE = re.compile("[\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
                       "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
                       "\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
WORDS_LEFT = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
ALLOW = re.compile(r"tidy: allow ([\w-]+) - \S")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
BRANCH = re.compile(r"\b(?:if|for|while)\b|&&|\|\||\?|(?:\bcase\b[^\n]*:\s*\n\s*)*\bcase\b[^\n]*")
TABLE_ROW = re.compile(r"(?:\bcase\b[^\n]*:\s*)*?\bcase\b[^:\n]*:\s*(?:return\b|\w[^;]*;\s*break;)")
CODE_IN_COMMENT = re.compile(
    r"^[\s*/]*(?:(?:if|for|while|switch)\s*\(.*\)\s*\{?"
    r"|(?:\w+ )*[\w>.\[\]*-]+\s*[-+|&^]?=[^=].*;"
    r"|return\b[^.]*;|[\w>.-]+\([^)]*\);|#(?:if|define|include)\b.*)[\s*/]*$")
TARGET = re.compile(r"\b(?:executable|static_library|shared_library|library|both_libraries)\s*\(")
MD_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def is_test(path):
    """Tests, fuzz targets and what only they use."""
    name = os.path.basename(path)
    return (name.startswith(("test_", "fuzz_")) or name.endswith(("_test.h", "_test.c"))
            or path.startswith(("test/", "sim/", "bench/")))


def blank(text):
    """The text with comments and literals replaced by spaces of the same length."""
    def spaces(m):
        s = m.group()
        if "\n" not in s:
            return s[0] + " " * (len(s) - 2) + s[-1] if s[0] in "\"'" else " " * len(s)
        return "".join(c if c == "\n" else " " for c in s)
    return BLANK.sub(spaces, text)


def line_of(text, pos):
    return text.count("\n", 0, pos) + 1


class Source:
    """One file, and what the checks say about it."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.code = blank(text) if path.endswith((".c", ".h")) else ""
        self.found = []  # (line, rule, message)
        self.notes = []

    def allowed(self, line, rule):
        """A 'tidy: allow' on the line or the one above it."""
        for i in (line - 1, line - 2):
            m = ALLOW.search(self.lines[i]) if 0 <= i < len(self.lines) else None
            if m and m.group(1) == rule:
                return True
        return False

    def complain(self, line, rule, message):
        if not self.allowed(line, rule):
            self.found.append((line, rule, message))


# -- Text of any kind ------------------------------------------------------------------------------

def check_invisible(src):
    for i, line in enumerate(src.lines, 1):
        m = INVISIBLE.search(line)
        if m:
            src.complain(i, "invisible", "character U+%04X shows nothing" % ord(m.group()))


def check_hygiene(src):
    tabs_ok = os.path.basename(src.path) == "Makefile"
    for i, line in enumerate(src.lines, 1):
        if "\t" in line and not tabs_ok:
            src.complain(i, "tab", "use spaces")
        if line.endswith((" ", "\t", "\r")):
            src.complain(i, "trailing", "white space at the end of the line")
        if WORDS_LEFT.search(line) and not src.path.startswith("test/tidy/"):
            src.complain(i, "unfinished", "do it, or write an issue")
        if len(line) > rules.COLUMNS_MAX and src.path.endswith((".c", ".h", ".py")):
            src.complain(i, "columns", "%d columns, at most %d" % (len(line), rules.COLUMNS_MAX))
    if src.text and not src.text.endswith("\n"):
        src.complain(len(src.lines), "newline", "no newline at the end of the file")
    if src.text.endswith("\n\n"):
        src.complain(len(src.lines), "newline", "empty lines at the end of the file")


def check_links(src, root):
    folder = os.path.dirname(os.path.join(root, src.path))
    for m in MD_LINK.finditer(src.text):
        target = m.group(1)
        if re.match(r"[a-z]+:", target):
            continue
        if not os.path.exists(os.path.join(folder, target)):
            src.complain(line_of(src.text, m.start()), "link", "%s does not exist" % target)


# -- C: sizes --------------------------------------------------------------------------------------

def functions(code):
    """(name, first line, last line, body) of each function."""
    lines = code.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{":
            start = i
        elif line.startswith("}") and start is not None:
            yield name_above(lines, start), start + 1, i + 1, "\n".join(lines[start:i])
            start = None


def name_above(lines, brace):
    head = []
    for line in reversed(lines[:brace]):
        if not line.strip() or line.startswith(("}", "#")) or line.rstrip().endswith(";"):
            break
        head.insert(0, line)
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", " ".join(head))
    m = re.search(r"\b(TEST|TEST_OOM)\s*\(\s*(\w+)", head) or re.search(r"()(\w+)\s*\(", head)
    return m.group(2) if m else "?"


def complexity(body):
    """Branches + 1. Labels that share their code count once, and a row of a table such as
    `case X: return y;` not at all."""
    return 1 + sum(1 for m in BRANCH.finditer(body) if not TABLE_ROW.match(m.group()))


def check_sizes(src):
    n = len(src.lines) - 1
    if n > rules.FILE_MAX:
        src.complain(1, "file-size", "%d lines, at most %d" % (n, rules.FILE_MAX))
    elif n > rules.FILE_NOTE:
        src.notes.append((1, "file-size", "%d lines: plan a split" % n))
    if src.path.endswith(".h") and n > rules.HEADER_MAX:
        src.complain(1, "header-size", "%d lines, at most %d" % (n, rules.HEADER_MAX))
    length_max = rules.FUNC_MAX_TEST if is_test(src.path) else rules.FUNC_MAX
    complexity_max = rules.COMPLEXITY_MAX_TEST if is_test(src.path) else rules.COMPLEXITY_MAX
    for name, first, last, body in functions(src.code):
        if "%s:%s" % (src.path, name) in rules.EXEMPT:
            continue
        size, branches = last - first + 1, complexity(body)
        if size > length_max:
            src.complain(first, "function-size",
                         "%s: %d lines, at most %d" % (name, size, length_max))
        elif size > rules.FUNC_NOTE:
            src.notes.append((first, "function-size", "%s: %d lines" % (name, size)))
        if branches > complexity_max:
            src.complain(first, "complexity",
                         "%s: %d, at most %d" % (name, branches, complexity_max))


# -- C: calls --------------------------------------------------------------------------------------

def in_places(path, places):
    return any(is_test(path) if p == "tests" else path.startswith(p) for p in places)


CALLS = [(rule, re.compile(r"(?<![\w.>#])(%s)\s*\(" % "|".join(calls.split())), instead, places)
         for rule, (calls, instead, places) in rules.BANNED.items()]
ANY_CALL = re.compile(r"(?<![\w.>#])(?:%s)\s*\(" % "|".join(
    "|".join(calls.split()) for calls, _, _ in rules.BANNED.values()))


def check_calls(src):
    if not ANY_CALL.search(src.code):
        return
    for rule, pattern, instead, places in CALLS:
        if in_places(src.path, places):
            continue
        for m in pattern.finditer(src.code):
            src.complain(line_of(src.code, m.start()), rule, "%s(): use %s" % (m.group(1), instead))


def check_goto(src):
    for m in re.finditer(r"\bgoto\s+(\w+)", src.code):
        if m.group(1) != "out":
            src.complain(line_of(src.code, m.start()), "goto", "one label, `out`")


def check_packed(src):
    for m in re.finditer(r"\bpacked\b", src.code):
        src.complain(line_of(src.code, m.start()), "packed",
                     "no structs laid over bytes: read with struct tr_rd")


# -- C: layers -------------------------------------------------------------------------------------

def place(path):
    """('lib', name), ('src', layer), ('render', ...); ('free', ...) may include anything."""
    parts = path.split("/")
    if path.startswith("src/lib/"):
        return "lib", parts[2]
    if path.startswith("src/%s/" % rules.RENDER):
        return "render", rules.RENDER
    if path.startswith("src/"):
        return "src", parts[1]
    return ("sim", "sim") if parts[0] == "sim" else ("free", parts[0])


def include_place(name):
    """Where "a/b.h" lies; the roots are src/ and src/lib/."""
    first = name.split("/")[0]
    if name.startswith(rules.RENDER + "/"):
        return "render", rules.RENDER
    if first in rules.LIBS:
        return "lib", first
    return ("sim", "sim") if first == "sim" else ("src", first)


def layer_error(src_place, target):
    """Why a file at src_place must not include one at target; None when it may."""
    kind, name = src_place
    to_kind, to = target
    if kind == "free" or src_place == target:
        return None
    if to_kind == "render":
        return "tring-render is a program of its own"
    if to_kind == "src" and to not in rules.LAYERS:
        return "%s is no layer (rules.py LAYERS, LIBS)" % to
    if kind == "lib":
        if to_kind != "lib":
            return "src/lib lies below %s" % to
        return None if to == "base" or to in rules.LIBS.get(name, ()) else \
            "lib/%s may not include lib/%s (rules.py LIBS)" % (name, to)
    if to_kind == "lib":
        return None
    if kind == "render":
        return None if to in rules.RENDER_ALLOWED else "tring-render may not include %s" % to
    if kind == "sim":
        return None if to in rules.SIM_ALLOWED else "sim may not include %s" % to
    if to_kind == "sim":
        return "sim is for tests"
    if name not in rules.LAYERS:
        return "%s is no layer (rules.py LAYERS)" % name
    if rules.LAYERS.index(to) < rules.LAYERS.index(name):
        return "points up from %s to %s" % (name, to)
    why = rules.NOT_ALLOWED.get(name, {}).get(to)
    return why and "%s may not include %s: %s" % (name, to, why)


def check_includes(src):
    here = place(src.path)
    for m in INCLUDE.finditer(src.text):
        line, (quote, name) = line_of(src.text, m.start()), m.groups()
        if quote == "<":
            check_home(src, line, name)
        elif "/" not in name:
            if not (is_test(src.path) or here[0] == "free"):
                src.complain(line, "layer", 'write the folder too: "folder/%s"' % name)
        elif is_test(src.path) and include_place(name)[0] == "sim":
            continue
        else:
            why = layer_error(here, include_place(name))
            if why:
                src.complain(line, "layer", "%s: %s" % (name, why))


def check_home(src, line, name):
    if is_test(src.path) or src.path.startswith("tools/"):
        return
    for prefix, homes in rules.HOMES.items():
        if name.startswith(prefix) and not src.path.startswith(tuple(homes)):
            src.complain(line, "home", "<%s> belongs to %s" % (name, " ".join(homes) or "tests"))


# -- C: shape --------------------------------------------------------------------------------------

def check_guard(src):
    stem = os.path.basename(src.path)[:-2].upper().replace("-", "_")
    folder = os.path.basename(os.path.dirname(src.path)).upper().replace("-", "_")
    m = re.search(r"^#ifndef (\w+)\n#define (\w+)$", src.code, re.M)
    want = {"TR_%s_H" % stem, "TR_%s_%s_H" % (folder, stem)}
    if not m or m.group(1) != m.group(2) or m.group(1) not in want:
        src.complain(1, "guard", "include guard %s" % " or ".join(sorted(want)))
        return None
    return m.group(1)


def check_top_comment(src):
    if not src.text.startswith("/*"):
        src.complain(1, "top-comment", "open with a comment that says what this file is, and how")


def check_dead_code(src):
    if re.search(r"^\s*#\s*if\s+0\b", src.code, re.M):
        line = line_of(src.code, re.search(r"^\s*#\s*if\s+0\b", src.code, re.M).start())
        src.complain(line, "dead-code", "#if 0: git keeps old code")
    if src.path.endswith(".h"):
        return  # a header's comment may show how it is used
    for m in BLANK.finditer(src.text):
        if m.group()[0] != "/":
            continue
        for i, line in enumerate(m.group().split("\n")):
            if CODE_IN_COMMENT.match(line.replace("/*", "", 1)):
                src.complain(line_of(src.text, m.start()) + i, "dead-code",
                             "looks like code in a comment; git keeps old code")


# -- Meson -----------------------------------------------------------------------------------------

def check_meson(src):
    if not src.path.startswith("src/"):
        return
    head = "\n".join(src.lines[:10]).lower()
    if "depend" not in head:
        src.complain(1, "meson", "say at the top what this folder may depend on")
    targets = len(TARGET.findall(src.text))
    if targets > src.text.count("implicit_include_directories: false"):
        src.complain(1, "meson", "every target: implicit_include_directories: false")


def check_dead_file(src, mesons):
    """A .c file that no meson.build of its folder or above names."""
    folder, name = os.path.split(src.path)
    stem = name[:-2]
    short = re.sub(r"^(test|fuzz)_", "", stem)
    while True:
        text = mesons.get(os.path.join(folder, "meson.build"), "")
        rel = os.path.relpath(src.path, folder or ".")
        if any("'%s'" % s in text for s in (rel, rel[:-2], name, stem, short)):
            return
        if not folder:
            break
        folder = os.path.dirname(folder)
    src.complain(1, "dead-file", "no meson.build names it")


# -- All together ----------------------------------------------------------------------------------

def check_c(src):
    check_sizes(src)
    check_calls(src)
    check_includes(src)
    check_goto(src)
    check_packed(src)
    check_dead_code(src)
    if src.path.endswith(".c"):
        check_top_comment(src)


def check_source(path, text, root=".", mesons=None):
    """All complaints about one file, as a Source. Also the unit tests' way in."""
    src = Source(path, text)
    name = os.path.basename(path)
    ext = os.path.splitext(name)[1]
    check_invisible(src)
    if ext in OURS_EXT or name in ("meson.build", "Makefile", "meson_options.txt"):
        check_hygiene(src)
    if ext == ".md":
        check_links(src, root)
    if ext in (".c", ".h") and path.startswith(C_ROOTS):
        check_c(src)
    if ext == ".c" and path.startswith(C_ROOTS) and mesons is not None:
        check_dead_file(src, mesons)
    if name == "meson.build":
        check_meson(src)
    return src


def walk(root):
    for folder, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS and not d.startswith("build"))
        for name in sorted(files):
            if name == "package-lock.json" or name == "LICENSE":
                continue
            if os.path.splitext(name)[1] in TEXT_EXT or name == "meson.build":
                yield os.path.relpath(os.path.join(folder, name), root)


def read_tree(root):
    tree, bad = {}, []
    for path in walk(root):
        try:
            with open(os.path.join(root, path), encoding="utf-8", newline="") as f:
                tree[path] = f.read()
        except UnicodeDecodeError:
            bad.append(path)
        except FileNotFoundError:
            pass  # a dangling link, or a file that went meanwhile
    return tree, bad


def check_guards_unique(sources):
    seen = {}
    for src in sources:
        if src.path.endswith(".h") and src.path.startswith(C_ROOTS):
            guard = check_guard(src)
            if guard and seen.setdefault(guard, src.path) != src.path:
                src.complain(1, "guard", "%s is also the guard of %s" % (guard, seen[guard]))


def main(argv):
    notes = "--notes" in argv
    roots = [a for a in argv if not a.startswith("--")]
    here = os.path.dirname(os.path.abspath(__file__))
    root = roots[0] if roots else os.path.join(here, "..", "..")
    tree, bad = read_tree(root)
    mesons = {p: t for p, t in tree.items() if os.path.basename(p) == "meson.build"}
    sources = [check_source(p, t, root, mesons) for p, t in tree.items()]
    check_guards_unique(sources)
    found = len(bad)
    for path in bad:
        print("%s:1: utf-8: not UTF-8 text" % path)
    for src in sources:
        found += len(src.found)
        for line, rule, message in sorted(src.found):
            print("%s:%d: %s: %s" % (src.path, line, rule, message))
        for line, rule, message in src.notes if notes else ():
            print("%s:%d: note: %s: %s" % (src.path, line, rule, message))
    noted = sum(len(s.notes) for s in sources)
    print("tidy: %d files, %d complaints, %d notes" % (len(sources), found, noted))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
