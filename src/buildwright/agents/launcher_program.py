"""Stands in for an agent's program that a library starts: hands arguments, standard input and output to the engine.

A program of its own, which runs outside the sandbox: it must import nothing of ours. Its arguments are the path of a
socket and those of the agent's program. It ends as that program did, and with the engine.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(path: str, argv: list[str]) -> int:
    """Hand over, wait for the end, and return the exit code."""
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(path)
    told = json.dumps(argv).encode()
    socket.send_fds(engine, [len(told).to_bytes(4, "big")], [0, 1])
    engine.sendall(told)
    # The library must see the end of the program's output, and its input must not be held open here.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    code = engine.recv(1)
    return code[0] if code else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
