# Three machines. The same file on each; a node finds out which one it is by its host name, else by
# its address, or is told with -node. Check it with: ciderd validate -config cluster.hcl

cluster "prod-cache" {
  # Traffic between nodes (port 7000) is neither encrypted nor authenticated yet: whoever reaches that
  # port controls the cluster and reads all of it. So the nodes must be in a private network (a VPC
  # subnet, WireGuard, …) with a firewall that lets only these three machines to each other's port
  # 7000. The next line says that you have seen to that; without it a node refuses to start.
  insecure_peers = true

  node "cider-1" { address = "10.0.0.11" }
  node "cider-2" { address = "10.0.0.12" }
  node "cider-3" { address = "10.0.0.13" }
}

data_dir = "/var/lib/ciderd"

listen {
  text  = ":8080"          # people and scripts
  peer  = ":7000"          # node to node
  admin = "127.0.0.1:8081" # health: /health/live, /health/ready, /health/writable
}

limits {
  max_value_size  = "512KiB" # 1MiB at most
  max_connections = 10000
  # max_connections_per_address = 100 # 0, unless set: no limit; set it where strangers can reach the port
  # max_output = "64MiB" # replies that clients have yet to take, of all connections together
  # stall      = "30s"   # a client that takes nothing of its replies for so long is closed
}

auth {
  signup       = "open" # or "closed": only the admin socket adds users
  idle_timeout = "30m"  # "0s": never
}

timeouts {
  write = "5s" # then TIMEOUT
}

log {
  level  = "info"
  format = "auto" # text, json, or by where it goes
}
