"""Programs that a test or a bench starts: what they are told by files and by the environment, and
how they are ended."""
import contextlib
import os
import signal
import subprocess


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def environment(settings=()):
    """The caller's, but of what configures Tring (TRING_*) these settings alone: what is measured
    must not depend on what somebody has set for a server of his own."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith("TRING_")} | dict(settings)


def end(process, patience_s=20):
    """This process and nothing else, by its id."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if process.poll() is None:
        process.kill()
        process.wait()
