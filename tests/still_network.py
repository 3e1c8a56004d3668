"""A network of a program's own in which nothing changes, with one service of the machine's in it.

A browser drops what it is loading whenever an address comes or goes on its machine, and builds
under test bring and take addresses all the time.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def run(port, *command, **settings):
    """What `subprocess.run` gives of a command that reaches `port` of the machine's loopback, and
    nothing else."""
    # A thread has its own network, and so do those that it begins: what leads out is begun here.
    with concurrent.futures.ThreadPoolExecutor(1) as inside:
        server = inside.submit(_listen_apart, port).result()
        with server:
            threading.Thread(target=_lead_out, args=(server, port), daemon=True).start()
            try:
                return inside.submit(subprocess.run, command, **settings).result()
            finally:
                server.shutdown(socket.SHUT_RDWR)


def _listen_apart(port):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network of its own: {os.strerror(number)}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return socket.create_server(("127.0.0.1", port))


def _lead_out(server, port):
    # It ends when the listener is shut.
    with contextlib.suppress(OSError):
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
