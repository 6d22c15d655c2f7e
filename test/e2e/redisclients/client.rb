# What programs in Ruby do with redis-rb.
require "redis"

options = { host: ENV["REDIS_HOST"], port: ENV["REDIS_PORT"].to_i, username: ENV["REDIS_USER"], password: ENV["REDIS_PASSWORD"] }
options.update(ssl: true, ssl_params: { ca_file: ENV["REDIS_CA"] }) if ENV["REDIS_CA"].to_s != ""
r = Redis.new(**options)
p = ENV["PREFIX"]

def check(got, want)
  abort "#{got.inspect}, want #{want.inspect}" unless got == want
end

check r.ping, "PONG"
check r.set("#{p}page", "<html>", ex: 100), "OK"
check r.get("#{p}page"), "<html>"
check((1..100).include?(r.ttl("#{p}page")), true)
check r.set("#{p}lock", "token", nx: true, px: 10_000), true
check r.set("#{p}lock", "other", nx: true, px: 10_000), false
release = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
check r.eval(release, ["#{p}lock"], ["other"]), 0
check r.eval(release, ["#{p}lock"], ["token"]), 1
check r.incr("#{p}n"), 1
replies = r.pipelined { |pipe| 10_000.times { |i| pipe.set("#{p}item:#{i}", i) } }
check replies, ["OK"] * 10_000
check r.scan_each(match: "#{p}item:*", count: 1000).to_a.uniq.size, 10_000
check r.mapped_mget("#{p}item:1", "#{p}none"), { "#{p}item:1" => "1", "#{p}none" => nil }
check r.multi { |t| t.incr("#{p}n"); t.get("#{p}item:3") }, [2, "3"]
puts "ok"
