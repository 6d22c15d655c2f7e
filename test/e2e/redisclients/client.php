<?php
// What programs in PHP do with phpredis.
$p = getenv("PREFIX");
$ca = getenv("REDIS_CA");
$r = new Redis();
$context = $ca ? ["stream" => ["cafile" => $ca, "verify_peer" => true, "verify_peer_name" => true, "peer_name" => getenv("REDIS_HOST")]] : [];
$r->connect(($ca ? "tls://" : "") . getenv("REDIS_HOST"), (int)getenv("REDIS_PORT"), 5, null, 0, 30, $context);
function check($got, $want) {
    if ($got !== $want) {
        fwrite(STDERR, var_export($got, true) . ", want " . var_export($want, true) . "\n");
        exit(1);
    }
}
check($r->auth([getenv("REDIS_USER"), getenv("REDIS_PASSWORD")]), true);
check($r->setex($p . "page", 100, "<html>"), true);
check($r->get($p . "page"), "<html>");
check($r->get($p . "none"), false);
check($r->ttl($p . "page") > 0, true);
check($r->set($p . "lock", "token", ["nx", "px" => 10000]), true);
check($r->set($p . "lock", "other", ["nx", "px" => 10000]), false);
$release = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
check($r->eval($release, [$p . "lock", "other"], 1), 0);
check($r->eval($release, [$p . "lock", "token"], 1), 1);
check($r->incrBy($p . "n", 5), 5);
$pipe = $r->multi(Redis::PIPELINE);
for ($i = 0; $i < 10000; $i++) {
    $pipe->set($p . "item:" . $i, $i);
}
check($pipe->exec(), array_fill(0, 10000, true));
$r->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$seen = [];
$it = null;
while (($keys = $r->scan($it, $p . "item:*", 1000)) !== false) {
    foreach ($keys as $key) {
        $seen[$key] = true;
    }
}
check(count($seen), 10000);
check($r->mget([$p . "item:1", $p . "none"]), ["1", false]);
check($r->multi()->incr($p . "n")->get($p . "item:3")->exec(), [6, "3"]);

// Sessions as PHP keeps them.
$auth = http_build_query(["auth" => [getenv("REDIS_USER"), getenv("REDIS_PASSWORD")], "prefix" => $p . "session:"]);
if (!$ca) {
    ini_set("session.save_handler", "redis");
    ini_set("session.save_path", "tcp://" . getenv("REDIS_HOST") . ":" . getenv("REDIS_PORT") . "?" . $auth);
    session_id("abc123");
    session_start();
    $_SESSION["user"] = "alice";
    session_write_close();
    session_start();
    check($_SESSION["user"], "alice");
    session_write_close();
    check($r->exists($p . "session:abc123"), 1);
}
echo "ok\n";
