"""
systemd's end of sd_notify: prints each message as a line of JSON.

  notify_socket.py PATH
"""

import array
import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
    receiver.bind(sys.argv[1])
    print("bound", flush=True)
    while True:
        text, ancillary, _, _ = receiver.recvmsg(65536, socket.CMSG_SPACE(64))
        # A barrier: its sender waits until this end of its pipe is closed.
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                for fd in fds:
                    os.close(fd)
        if text != b"BARRIER=1":
            print(json.dumps(text.decode()), flush=True)
