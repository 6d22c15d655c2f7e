# What programs in Perl do with the module Redis.
use strict;
use warnings;
use Redis;

my $p = $ENV{PREFIX};
my $r = Redis->new(server => "$ENV{REDIS_HOST}:$ENV{REDIS_PORT}", encoding => undef);
sub check { my ($got, $want) = @_; die "$got, want $want" unless (defined $got ? $got : "undef") eq $want }
check($r->auth($ENV{REDIS_USER}, $ENV{REDIS_PASSWORD}), "OK");
check($r->set("${p}page", "<html>", "EX", 100), "OK");
check($r->get("${p}page"), "<html>");
check($r->get("${p}none"), "undef");
check($r->setnx("${p}lock", "token"), 1);
check($r->setnx("${p}lock", "other"), 0);
check($r->eval("if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end", 1, "${p}lock", "token"), 1);
check($r->incr("${p}n"), 1);
my $stored = 0;
for my $i (0 .. 9999) {
    $r->set("${p}item:$i", $i, sub { my ($reply, $error) = @_; die $error if $error; $stored++ });
}
$r->wait_all_responses;
check($stored, 10000);
my ($cursor, %seen) = (0);
do {
    my ($next, $keys) = @{ $r->scan($cursor, "MATCH", "${p}item:*", "COUNT", 1000) };
    $seen{$_} = 1 for @$keys;
    $cursor = $next;
} while ($cursor ne "0");
check(scalar(keys %seen), 10000);
$r->multi;
$r->incr("${p}n");
$r->get("${p}item:3");
my @replies = $r->exec;
check("@replies", "2 3");
print "ok\n";
