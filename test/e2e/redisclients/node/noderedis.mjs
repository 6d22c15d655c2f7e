// What programs in JavaScript do with node-redis, with RESP2 and RESP3.
import { createClient } from "redis";
import { check, prefix, rate, release, tls, url } from "./common.mjs";

for (const RESP of [2, 3]) {
  const p = `${prefix}${RESP}:`;
  const r = createClient({ url, RESP, socket: tls ? { tls: true, ...tls } : undefined });
  r.on("error", (error) => { throw error; });
  await r.connect();
  check(await r.set(p + "page", "<html>", { EX: 100 }), "OK");
  check(await r.get(p + "page"), "<html>");
  check((await r.ttl(p + "page")) > 0, true);
  check(await r.set(p + "lock", "token", { NX: true, PX: 10000 }), "OK");
  check(await r.set(p + "lock", "other", { NX: true, PX: 10000 }), null);
  check(await r.eval(release, { keys: [p + "lock"], arguments: ["token"] }), 1);
  check(await r.eval(rate, { keys: [p + "rate"], arguments: ["60000"] }), 1);
  const replies = await Promise.all(Array.from({ length: 10000 }, (_, i) => r.set(`${p}item:${i}`, `${i}`)));
  check(replies.every((reply) => reply === "OK"), true);
  const seen = new Set();
  for await (const keys of r.scanIterator({ MATCH: p + "item:*", COUNT: 1000 })) [keys].flat().forEach((key) => seen.add(key));
  check(seen.size, 10000);
  check(await r.mGet([p + "item:1", p + "none"]), ["1", null]);
  check(await r.multi().incr(p + "n").get(p + "item:3").exec(), [1, "3"]);
  await r.close();
}
console.log("ok");
