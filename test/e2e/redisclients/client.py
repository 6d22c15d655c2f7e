# What programs in Python do with redis-py: a cache, a lock, a counter with a limit, a scan, a long pipeline.
import os
import ssl

import redis

options = dict(host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]),
               username=os.environ["REDIS_USER"], password=os.environ["REDIS_PASSWORD"])
if os.environ.get("REDIS_CA"):
    options.update(ssl=True, ssl_ca_certs=os.environ["REDIS_CA"], ssl_cert_reqs=ssl.CERT_REQUIRED)
p = os.environ["PREFIX"]
r = redis.Redis(**options)


def check(got, want):
    if got != want:
        raise SystemExit(f"{got!r}, want {want!r}")


check(r.ping(), True)
check(r.set(p + "page", b"<html>\x00\xff", ex=100), True)
check(r.get(p + "page"), b"<html>\x00\xff")
check(0 < r.ttl(p + "page") <= 100, True)
check(r.set(p + "page", "x", nx=True), None)
check(r.getex(p + "page", ex=50), b"<html>\x00\xff")
check(r.mset({p + "a": 1, p + "b": 2}), True)
check(r.mget(p + "a", p + "none", p + "b"), [b"1", None, b"2"])
check(r.incrby(p + "a", 41), 42)
check(r.incrbyfloat(p + "b", 0.5), 2.5)
check(r.getdel(p + "b"), b"2.5")
check(r.expire(p + "a", 0), True)
check(r.exists(p + "a"), 0)

# A lock: SET NX PX, and a script that releases it.
with r.lock(p + "lock", timeout=10, blocking_timeout=5):
    check(r.lock(p + "lock", timeout=10).acquire(blocking=False), False)
check(r.exists(p + "lock"), 0)

# A limit on a rate.
limit = r.register_script("""
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {n, redis.call('PTTL', KEYS[1])}""")
for i in range(1, 4):
    n, left = limit(keys=[p + "rate"], args=[60000])
    check((n, 0 < left <= 60000), (i, True))

# A pipeline, and a scan for what it has stored.
with r.pipeline(transaction=False) as pipe:
    for i in range(10000):
        pipe.set(f"{p}item:{i}", i)
    check(pipe.execute(), [True] * 10000)
check(sorted(r.scan_iter(match=p + "item:*", count=1000)), sorted(f"{p}item:{i}".encode() for i in range(10000)))

# A transaction that watches.
def move(pipe):
    left = int(pipe.get(p + "item:7"))
    pipe.multi()
    pipe.set(p + "item:7", left + 1)
    pipe.get(p + "item:8")

check(r.transaction(move, p + "item:7"), [True, b"8"])
with r.pipeline() as pipe:
    pipe.watch(p + "item:7")
    r.set(p + "item:7", "other")
    pipe.multi()
    pipe.set(p + "item:7", "mine")
    try:
        pipe.execute()
        raise SystemExit("a change of what is watched was not seen")
    except redis.WatchError:
        pass
check(r.info()["redis_version"], "7.2.0")
print("ok")
