// Counts with ioredis until its input ends, or once.
import { Redis } from "ioredis";
import { check, env, prefix } from "./common.mjs";

const mode = process.argv[2];
const options = { host: env.REDIS_HOST, port: +env.REDIS_PORT, username: env.REDIS_USER, password: env.REDIS_PASSWORD };

async function count() {
  // Whatever goes wrong is to be seen.
  const r = new Redis({ ...options, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
  let over = false;
  process.stdin.on("end", () => { over = true; }).resume();
  for (let own = 1, last = 0; !over; own++) {
    check(await r.incr(`${prefix}own`), own);
    const n = await r.incr(env.SHARED);
    check(n > last, true);
    last = n;
    console.log(own);
  }
  r.disconnect();
}

async function once() {
  const r = new Redis({ ...options, commandTimeout: 5000 });
  r.on("error", () => {}); // what matters comes with the command
  try {
    const n = mode === "id" ? await r.call("CIDERD.ONCE", `${prefix}id`, "INCR", `${prefix}n`) : await r.incr(`${prefix}n`);
    console.log("reply", n);
  } catch (error) {
    console.log("error", error.message);
  }
  r.disconnect();
}

await (mode === "count" ? count() : once());
console.log("ok");
