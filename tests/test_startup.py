"""What TensorFlow writes while it starts is left out, and what anything else writes is not."""

import os
import subprocess
import sys

import pytest

from skgenre.networks import startup

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses the program grep")

USUAL = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1796079187.063462   18330 port.cc:153] oneDNN custom operations are on.",
    "I0000 00:00:1796079187.063962   18330 cudart_stub.cc:31] Could not find cuda drivers on",
    "E0000 00:00:1796079191.756111   18330 cuda_platform.cc:52] failed call to cuInit: INTERNAL",
]
OTHERS = [
    "F0000 00:00:1796079191.756111   18330 cpu_feature_guard.cc:1] The TensorFlow library was",
    "E0000 00:00:1796079191.756111   18330 executor.cc:1] out of memory",
    "a line of another thread",
]
#: How the block ends, and the exit code.
ENDS = {
    "pass": 0,
    "raise ImportError('no TensorFlow')": 1,
    "raise KeyboardInterrupt": -2,
    "os.abort()": -6,
    "os.kill(os.getpid(), 9)": -9,
}


@pytest.mark.parametrize("end", ENDS)
def test_unusual_lines_are_shown_whatever_happens(end):
    code = f"""
import os, runpy
without_usual_lines = runpy.run_path({startup.__file__!r})["without_usual_lines"]
os.write(2, b"before\\n")
with without_usual_lines():
    os.write(2, {os.linesep.join([*USUAL, *OTHERS, ""]).encode()!r})
    {end}
os.write(2, b"I0000 after\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ENDS[end]
    lines = done.stderr.splitlines()
    assert lines[0] == "before"
    assert [line for line in lines if line in OTHERS] == OTHERS
    assert not set(USUAL) & set(lines)
    assert ("I0000 after" in lines) == (end == "pass")
    assert ("ImportError: no TensorFlow" in lines) == ("ImportError" in end)


@pytest.mark.parametrize("missing", ["grep", "standard error"])
def test_without_a_filter_all_lines_are_shown(missing, capfd, monkeypatch):
    def fail(*args, **kwargs):
        raise FileNotFoundError

    with monkeypatch.context() as patched:
        patched.setattr(*((subprocess, "Popen") if missing == "grep" else (os, "dup")), fail)
        with startup.without_usual_lines():
            os.write(2, USUAL[0].encode())
    assert capfd.readouterr().err == USUAL[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_standard_error_is_restored_while_a_child_of_another_thread_runs(capfd):
    # It has inherited the pipe, so that the filter does not end.
    with startup.without_usual_lines():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"
    child.communicate(b"\n", timeout=60)
