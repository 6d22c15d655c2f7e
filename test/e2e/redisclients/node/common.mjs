import { readFileSync } from "node:fs";
import { isDeepStrictEqual, inspect } from "node:util";

export const env = process.env;
export const prefix = env.PREFIX;
export const tls = env.REDIS_CA ? { ca: readFileSync(env.REDIS_CA), host: env.REDIS_HOST } : undefined;
export const url = `redis${tls ? "s" : ""}://${env.REDIS_USER}:${env.REDIS_PASSWORD}@${env.REDIS_HOST}:${env.REDIS_PORT}`;

export function check(got, want) {
  if (!isDeepStrictEqual(got, want)) {
    console.error(`${inspect(got)}, want ${inspect(want)}`);
    process.exit(1);
  }
}

export const release = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
export const rate = `local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n`;
