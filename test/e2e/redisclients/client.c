/* What programs in C do with hiredis. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext *c;

static void fail(const char *what) {
	fprintf(stderr, "%s: %s\n", what, c ? c->errstr : "no context");
	exit(1);
}

static void text(redisReply *r, const char *want) {
	if (!r || !r->str || strcmp(r->str, want)) fail(r && r->str ? r->str : want);
	freeReplyObject(r);
}

static void number(redisReply *r, long long want) {
	if (!r || r->type != REDIS_REPLY_INTEGER || r->integer != want) fail("not the number");
	freeReplyObject(r);
}

int main(void) {
	const char *p = getenv("PREFIX");
	c = redisConnect(getenv("REDIS_HOST"), atoi(getenv("REDIS_PORT")));
	if (!c || c->err) fail("connect");
	text(redisCommand(c, "AUTH %s %s", getenv("REDIS_USER"), getenv("REDIS_PASSWORD")), "OK");
	text(redisCommand(c, "SET %spage %b EX 100", p, "<html>", (size_t)6), "OK");
	text(redisCommand(c, "GET %spage", p), "<html>");
	number(redisCommand(c, "INCRBY %sn 5", p), 5);
	number(redisCommand(c, "EVAL %s 1 %slock token",
		"redis.call('set', KEYS[1], ARGV[1]) return redis.call('del', KEYS[1])", p), 1);
	for (int i = 0; i < 10000; i++) redisAppendCommand(c, "SET %sitem:%d %d", p, i, i);
	for (int i = 0; i < 10000; i++) {
		redisReply *r;
		if (redisGetReply(c, (void **)&r) != REDIS_OK) fail("pipeline");
		text(r, "OK");
	}
	long long seen = 0;
	char cursor[32] = "0";
	do {
		redisReply *r = redisCommand(c, "SCAN %s MATCH %sitem:* COUNT 1000", cursor, p);
		if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 2) fail("scan");
		snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
		seen += r->element[1]->elements;
		freeReplyObject(r);
	} while (strcmp(cursor, "0"));
	if (seen != 10000) fail("keys are missing");
	redisFree(c);
	puts("ok");
	return 0;
}
