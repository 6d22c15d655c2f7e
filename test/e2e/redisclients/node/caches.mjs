// The caches of cache-manager and keyv over @keyv/redis.
import KeyvRedis, { createKeyv } from "@keyv/redis";
import { createCache } from "cache-manager";
import { Keyv } from "keyv";
import { check, prefix, tls, url } from "./common.mjs";

const connection = { url, socket: tls ? { tls: true, ...tls } : undefined };
const keyv = new Keyv({ store: new KeyvRedis(connection), namespace: prefix + "keyv" });
keyv.on("error", (error) => { throw error; });
check(await keyv.set("page", { title: "a" }, 100000), true);
check(await keyv.get("page"), { title: "a" });
check(await keyv.has("page"), true);
check(await keyv.delete("page"), true);
check(await keyv.get("page"), undefined);
for (let i = 0; i < 500; i++) await keyv.set(`item:${i}`, i);
const seen = new Set();
for await (const [key] of keyv.iterator()) seen.add(key);
check(seen.size, 500);
await keyv.clear();
check(await keyv.get("item:7"), undefined);
await keyv.disconnect();

const cache = createCache({ stores: [createKeyv(connection, { namespace: prefix + "manager" })], ttl: 60000 });
let computed = 0;
for (let i = 0; i < 3; i++) check(await cache.wrap("slow", async () => ++computed), 1);
await cache.mset([{ key: "a", value: 1 }, { key: "b", value: 2 }]);
check(await cache.mget(["a", "b", "none"]), [1, 2, undefined]);
await cache.del("a");
check(await cache.get("a"), undefined);
await cache.clear();
check(await cache.get("b"), undefined);
await cache.disconnect();
console.log("ok");
