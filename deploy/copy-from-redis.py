#!/usr/bin/python3
"""Copies the strings of a Redis database into a user's cache, with their deadlines.

    copy-from-redis.py redis://OLD:6379/0 redis://USER:PASSWORD@NODE:6379

It needs redis-py (Debian: python3-redis). It overwrites keys of the same name, and may be run again, or while the old
server is still written to: the last run copies what has changed. Keys of other types than strings, and those that are too
long or too large here, are left out and named. Exit code: 0 if all were copied, 1 if some were left out.
"""
import sys

import redis

AT_ONCE = 500


def ask(server, keys, *commands):
    """The replies to each of the commands for each of the keys."""
    pipe = server.pipeline(transaction=False)
    for key in keys:
        for command in commands:
            pipe.execute_command(command, key)
    replies = pipe.execute(raise_on_error=False)
    return [replies[i : i + len(commands)] for i in range(0, len(replies), len(commands))]


def copy(old, new, keys, largest, left_out):
    fit = []
    for key, (kind, size) in zip(keys, ask(old, keys, "TYPE", "STRLEN")):
        if kind == b"none":
            continue  # it has gone meanwhile
        if kind != b"string":
            left_out.append((key, "a " + kind.decode()))
        elif size > largest:
            left_out.append((key, f"{size} bytes, more than {largest}"))
        else:
            fit.append(key)
    store, stored = new.pipeline(transaction=False), []
    for key, (left, value) in zip(fit, ask(old, fit, "PTTL", "GET")):
        if value is not None:
            store.set(key, value, px=left if left > 0 else None)
            stored.append(key)
    failed = [(key, str(r)) for key, r in zip(stored, store.execute(raise_on_error=False)) if isinstance(r, Exception)]
    left_out.extend(failed)
    return len(stored) - len(failed)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = (redis.Redis.from_url(url) for url in sys.argv[1:])
    largest = int(new.config_get("proto-max-bulk-len")["proto-max-bulk-len"])
    copied, left_out, some = 0, [], []
    for key in old.scan_iter(count=AT_ONCE):
        some.append(key)
        if len(some) == AT_ONCE:
            copied, some = copied + copy(old, new, some, largest, left_out), []
    copied += copy(old, new, some, largest, left_out)
    for key, why in left_out:
        print(f"left out: {key!r}: {why}", file=sys.stderr)
    print(f"{copied} keys copied, {len(left_out)} left out")
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
