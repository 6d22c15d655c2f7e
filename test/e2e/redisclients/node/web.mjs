// Sessions over HTTP: express-session in connect-redis.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";
import { check, prefix, tls, url } from "./common.mjs";

const client = createClient({ url, socket: tls ? { tls: true, ...tls } : undefined });
client.on("error", (error) => { throw error; });
await client.connect();
const app = express();
const store = new RedisStore({ client, prefix: prefix + "session:", ttl: 100 });
app.use(session({ store, secret: "x", resave: false, saveUninitialized: false }));
app.get("/count", (request, response) => {
  request.session.count = (request.session.count ?? 0) + 1;
  response.send(String(request.session.count));
});
app.get("/logout", (request, response) => request.session.destroy(() => response.send("bye")));
const server = app.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const base = `http://127.0.0.1:${server.address().port}`;
const first = await fetch(base + "/count");
check(await first.text(), "1");
const cookie = first.headers.get("set-cookie").split(";")[0];
for (let i = 2; i < 10; i++) check(await (await fetch(base + "/count", { headers: { cookie } })).text(), String(i));
check(await store.length(), 1);
check(await (await fetch(base + "/logout", { headers: { cookie } })).text(), "bye");
check(await store.length(), 0);
await client.close();
server.close();
console.log("ok");
