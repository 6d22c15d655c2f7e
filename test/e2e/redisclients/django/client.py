# What Django's cache framework does with django-redis.
import os

from django.conf import settings

url = "redis://{REDIS_USER}:{REDIS_PASSWORD}@{REDIS_HOST}:{REDIS_PORT}/0".format(**os.environ)
options = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
if os.environ.get("REDIS_CA"):
    url = "rediss" + url[5:]
    options["CONNECTION_POOL_KWARGS"] = {"ssl_ca_certs": os.environ["REDIS_CA"]}
settings.configure(
    CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "KEY_PREFIX": os.environ["PREFIX"], "OPTIONS": options}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache", INSTALLED_APPS=["django.contrib.sessions"], SECRET_KEY="x")

import django

django.setup()
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache


def check(got, want):
    if got != want:
        raise SystemExit(f"{got!r}, want {want!r}")


cache.set("page", {"title": "a", "body": b"\x00\xff"}, timeout=100)
check(cache.get("page"), {"title": "a", "body": b"\x00\xff"})
check(0 < cache.ttl("page") <= 100, True)
check(cache.add("page", "other"), False)
check(cache.get_or_set("computed", lambda: 42, timeout=60), 42)
cache.set("n", 1)
check(cache.incr("n"), 2)
check(cache.decr("n", 5), -3)
try:
    cache.incr("none")
    raise SystemExit("incr of a key that is not there")
except ValueError:
    pass
check(cache.touch("page", 50), True)
cache.set_many({f"item:{i}": i for i in range(1000)}, timeout=60)
check(len(cache.get_many([f"item:{i}" for i in range(1000)])), 1000)
check(len(list(cache.iter_keys("item:*"))), 1000)
check(cache.delete_pattern("item:*"), 1000)
check(cache.get("item:7"), None)
with cache.lock("job", timeout=10):
    check(cache.get("page")["title"], "a")
session = SessionStore()
session["user"] = "alice"
session.save()
check(SessionStore(session.session_key)["user"], "alice")
session.delete()
check(SessionStore(session.session_key).get("user"), None)
print("ok")
