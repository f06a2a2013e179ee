#!/usr/bin/env python3
"""Runs a command and appends what the kernel says of it to a file: FILE COMMAND [ARG ...]. Used on both ends of a connection."""
import json
import os
import resource
import sys

pid = os.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
# ru_oublock counts the 512-byte blocks that the command (and what it waited for) made dirty on a real filesystem.
with open(sys.argv[1], "a") as out:
    out.write(json.dumps({"peak_kib": usage.ru_maxrss, "written": usage.ru_oublock * 512, "cpu": usage.ru_utime + usage.ru_stime}) + "\n")
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
