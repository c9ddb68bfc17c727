"""One worker of gunicorn's default kind, which closes each connection: https://docs.gunicorn.org/en/stable/design.html.

It prints its address and ends with its standard input, which parent and worker share.
"""

import os
import threading

bind = "127.0.0.1:0"
workers = 1
loglevel = "warning"
# What does not start says so instead of an address.
preload_app = True


def end_with_input():
    def wait():
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def when_ready(server):
    host, port = server.LISTENERS[0].sock.getsockname()
    print(f"{host}:{port}", flush=True)
    end_with_input()


def post_worker_init(_worker):
    # Threads are not forked.
    end_with_input()
