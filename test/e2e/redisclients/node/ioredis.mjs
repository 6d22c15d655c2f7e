// What programs in JavaScript do with ioredis.
import { Redis } from "ioredis";
import { check, env, prefix, rate, release, tls } from "./common.mjs";

const r = new Redis({ host: env.REDIS_HOST, port: +env.REDIS_PORT, username: env.REDIS_USER, password: env.REDIS_PASSWORD, keyPrefix: prefix, tls });
check(await r.set("page", "<html>", "EX", 100), "OK");
check(await r.get("page"), "<html>");
check((await r.ttl("page")) > 0, true);
check(await r.set("lock", "token", "PX", 10000, "NX"), "OK");
check(await r.set("lock", "other", "PX", 10000, "NX"), null);
check(await r.eval(release, 1, "lock", "token"), 1);
r.defineCommand("rate", { numberOfKeys: 1, lua: rate });
check(await r.rate("rate", 60000), 1);
check(await r.rate("rate", 60000), 2);
const pipe = r.pipeline();
for (let i = 0; i < 10000; i++) pipe.set(`item:${i}`, i);
check((await pipe.exec()).every(([error, reply]) => error === null && reply === "OK"), true);
const seen = new Set();
for await (const keys of r.scanStream({ match: `${prefix}item:*`, count: 1000 })) keys.forEach((key) => seen.add(key));
check(seen.size, 10000);
check(await r.mget("item:1", "none"), ["1", null]);
check(await r.multi().incr("n").get("item:3").exec(), [[null, 1], [null, "3"]]);
await r.quit();
console.log("ok");
