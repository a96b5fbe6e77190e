"""Computers and cables that exist only while a test runs: network namespaces of this test's own.

Everything that a Lab made is taken away again by close(), also what an earlier run that was killed
left behind: the names hold the id of the process that made them. Nothing outside of these
namespaces is touched."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

from turnserver import Failed

PREFIX = "tringnat"
NAMES = re.compile(rf"{PREFIX}-(\d+)-")
GRACE_S = 5


class NotHere(Exception):
    """Namespaces cannot be made here; the text says why."""


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def existing():
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def remove_namespace(name):
    """With what still runs in it: it has a network that is no one else's."""
    with contextlib.suppress(Failed):
        for pid in run("ip", "netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "del", name)


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Host:
    """A computer: a namespace, with cables to others."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.namespace = f"{PREFIX}-{os.getpid()}-{name}"
        run("ip", "netns", "add", self.namespace)
        self.ip("link", "set", "lo", "up")

    def command(self, *command):
        return ["ip", "netns", "exec", self.namespace, *command]

    def ip(self, *arguments):
        run("ip", "-n", self.namespace, *arguments)

    def set(self, **values):
        """Kernel settings, with __ for the dots: net__ipv4__ip_forward=1"""
        pairs = [f"{name.replace('__', '.')}={value}" for name, value in values.items()]
        run(*self.command("sysctl", "-q", "-w", *pairs))

    def address(self, device, address):
        more = ["nodad"] if ":" in address else []
        self.ip("address", "add", address, "dev", device, *more)

    def route(self, via, device=None):
        family = ["-6"] if ":" in via else []
        self.ip(*family, "route", "replace", "default", "via", via,
                *(["dev", device] if device else []))

    def filter(self, rules):
        """Rules of nftables in the place of those that were there."""
        run(*self.command("nft", "-f", "-"), text="flush ruleset\n" + rules)

    def start(self, *command, **how):
        process = subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, **how)
        self.lab.processes.append(process)
        return process

    def run(self, *command, limit=60):
        """Standard output of a program that ends by itself, whatever its exit code."""
        process = self.start(*command, stdout=subprocess.PIPE, text=True)
        try:
            return process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{command[0]} did not end within {limit} s") from late
        finally:
            end(process)


class Lab:
    def __init__(self):
        self.hosts = {}
        self.processes = []
        self.cables = 0

    def __enter__(self):
        for name in existing():
            found = NAMES.match(name)
            if found and not is_alive(int(found.group(1))):
                remove_namespace(name)
        return self

    def __exit__(self, *what):
        for process in reversed(self.processes):
            end(process)
        for host in self.hosts.values():
            remove_namespace(host.namespace)

    def host(self, name):
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def cable(self, host, device, other, other_device):
        """Between two hosts; device names may be the same on each host but once."""
        self.cables += 1
        one, two = (f"tn{os.getpid()}{side}{self.cables}" for side in "ab")
        run("ip", "link", "add", one, "type", "veth", "peer", "name", two)
        for end_name, owner, name in ((one, host, device), (two, other, other_device)):
            run("ip", "link", "set", end_name, "netns", owner.namespace)
            owner.ip("link", "set", end_name, "name", name, "up")

    def switch(self, name):
        """What many cables lead to: a host that only carries frames."""
        host = self.host(name)
        host.ip("link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        host.ip("link", "set", "bridge", "up")
        return host

    def plug(self, host, device, switch):
        self.cable(host, device, switch, f"to-{host.name}"[:15])
        switch.ip("link", "set", f"to-{host.name}"[:15], "master", "bridge")


def require():
    """Raises NotHere where this test cannot be made."""
    for program, package in (("ip", "iproute2"), ("nft", "nftables"), ("sysctl", "procps")):
        if not shutil.which(program):
            raise NotHere(f"{program} is missing (package {package})")
    name = f"{PREFIX}-{os.getpid()}-try"
    try:
        run("ip", "netns", "add", name)
    except Failed as why:
        raise NotHere(f"network namespaces are not permitted ({why})") from why
    try:
        run("ip", "netns", "exec", name, "nft", "add", "table", "ip", "try")
    except Failed as why:
        raise NotHere(f"nftables are not permitted ({why})") from why
    finally:
        remove_namespace(name)


def until(what, check, limit=20, every=0.05):
    stop = time.monotonic() + limit
    while time.monotonic() < stop:
        found = check()
        if found:
            return found
        time.sleep(every)
    raise Failed(f"not within {limit} s: {what}")
