# Counts with redis-py until its input ends, or once.
import os
import sys
import threading

import redis

mode = sys.argv[1]
options = dict(host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]),
               username=os.environ["REDIS_USER"], password=os.environ["REDIS_PASSWORD"])
p = os.environ["PREFIX"]


def count():
    r = redis.Redis(**options)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    own = last = 0
    while not over.is_set():
        n = r.incr(p + "own")
        if n != own + 1:
            raise SystemExit(f"{n} after {own}")
        own = n
        n = r.incr(os.environ["SHARED"])
        if n <= last:
            raise SystemExit(f"{n} after {last} of the shared one")
        last = n
        print(own, flush=True)


def once():
    r = redis.Redis(socket_timeout=2, **options)
    try:
        if mode == "id":
            print("reply", r.execute_command("CIDERD.ONCE", p + "id", "INCR", p + "n"))
        else:
            print("reply", r.incr(p + "n"))
    except redis.RedisError as e:
        print("error", type(e).__name__, e)


count() if mode == "count" else once()
print("ok")
