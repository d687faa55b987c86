"""
Holds sockets and hands them to daemons, one after the other, as systemd does.

  socket_holder.py hold CONTROL SOCKETS   binds what the JSON list SOCKETS says, prints their ports
  socket_holder.py exec CONTROL PROGRAM ARGUMENT...   becomes the program, with the held sockets from 3 on
"""

import array
import json
import os
import socket
import sys


def bind(wanted):
    kind, address = wanted["kind"], wanted.get("address", "127.0.0.1")
    if kind in ("unix", "unix_dgram", "unix_seqpacket"):
        types = {
            "unix": socket.SOCK_STREAM,
            "unix_dgram": socket.SOCK_DGRAM,
            "unix_seqpacket": socket.SOCK_SEQPACKET,
        }
        held = socket.socket(socket.AF_UNIX, types[kind])
        held.bind(address)
        os.chmod(address, int(wanted.get("mode", "0660"), 8))
    else:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        held = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        held.bind((address, 0))
    if wanted.get("listens", True) and kind not in ("unix_dgram", "udp"):
        held.listen(4096)
    if wanted.get("removed"):
        os.unlink(address)
    return held


def hold(control_path, wanted):
    sockets = [bind(one) for one in wanted["sockets"]]
    control = socket.socket(socket.AF_UNIX)
    control.bind(control_path)
    control.listen()
    ports = [s.getsockname()[1] if s.family != socket.AF_UNIX else None for s in sockets]
    print(json.dumps(ports), flush=True)
    fds = array.array("i", [s.fileno() for s in sockets]).tobytes()
    while True:
        peer, _ = control.accept()
        with peer:
            peer.sendmsg(
                [json.dumps(wanted["environment"]).encode()],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)],
            )


def become(control_path, command):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(control_path)
        text, received, _, _ = socket.recv_fds(control, 65536, 64)
    # Away from where they shall be, then into their places.
    high = [os.dup2(fd, 200 + n, inheritable=True) for n, fd in enumerate(received)]
    for n, fd in enumerate(high):
        os.dup2(fd, 3 + n, inheritable=True)
        os.close(fd)
    os.closerange(3 + len(high), 200)
    environment = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(high)),
        **json.loads(text),
    }
    os.environ.update({name: value for name, value in environment.items() if value is not None})
    os.execvp(command[0], command)


if sys.argv[1] == "hold":
    hold(sys.argv[2], json.loads(sys.argv[3]))
else:
    become(sys.argv[2], sys.argv[3:])
