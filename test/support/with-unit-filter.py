# Runs a command under the system call filter of a unit, as systemd would: with-unit-filter.py UNIT COMMAND...
# The sets (@system-service) are those of the systemd that is installed.
import errno
import os
import re
import subprocess
import sys

import seccomp


def calls_of(name):
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in listed.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls_of(word)
    return found


allowed = set()
for line in open(sys.argv[1]):
    match = re.match(r"SystemCallFilter=(~?)(.*)", line)
    if match is None:
        continue
    calls = set().union(*(calls_of(name) for name in match[2].split()))
    allowed = allowed - calls if match[1] else allowed | calls
# What systemd itself always lets through.
allowed |= calls_of("@default")

rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
for call in sorted(allowed):
    try:
        rules.add_rule(seccomp.ALLOW, call)
    except (RuntimeError, ValueError):
        pass  # Not known to this processor.
rules.set_attr(seccomp.Attr.CTL_NNP, True)
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
