<?php
// Counts with phpredis until its input ends, or once.
$mode = $argv[1];
$p = getenv("PREFIX");

function connected($timeout) {
    $r = new Redis();
    $r->connect(getenv("REDIS_HOST"), (int)getenv("REDIS_PORT"), 5, null, 0, $timeout);
    $r->auth([getenv("REDIS_USER"), getenv("REDIS_PASSWORD")]);
    return $r;
}

function fail($text) {
    fwrite(STDERR, $text . "\n");
    exit(1);
}

function over() {
    $read = [STDIN];
    $none = null;
    return stream_select($read, $none, $none, 0) > 0;
}

if ($mode === "count") {
    $r = connected(60);
    $own = $last = 0;
    while (!over()) {
        $n = $r->incr($p . "own");
        if ($n !== $own + 1) {
            fail(var_export($n, true) . " after $own: " . $r->getLastError());
        }
        $own = $n;
        $n = $r->incr(getenv("SHARED"));
        if (!is_int($n) || $n <= $last) {
            fail(var_export($n, true) . " after $last of the shared one: " . $r->getLastError());
        }
        $last = $n;
        echo "$own\n";
    }
} else {
    $r = connected(2);
    try {
        $n = $mode === "id" ? $r->rawCommand("CIDERD.ONCE", $p . "id", "INCR", $p . "n") : $r->incr($p . "n");
        echo $n === false ? "error " . $r->getLastError() : "reply $n", "\n";
    } catch (RedisException $e) {
        echo "error ", $e->getMessage(), "\n";
    }
}
echo "ok\n";
