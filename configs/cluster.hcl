# Three machines, with the same file on each. A node knows which one it is by its host name, else by its
# address; or -node says so. Check the file with: ciderd validate -config cluster.hcl
# All settings: docs/configuration.md.

cluster "prod-cache" {
  # Without certificates traffic between nodes (port 7000) is neither encrypted nor authenticated. Anybody who
  # reaches that port controls the cluster and can read all of it. So put the nodes into a private network (a
  # VPC subnet, WireGuard, …), with a firewall that lets only these three machines reach port 7000. The next
  # line confirms that you have done so. Or give the nodes certificates (the tls block below, and
  # docs/encryption.md), and remove the line.
  insecure_peers = true

  node "cider-1" { address = "10.0.0.11" }
  node "cider-2" { address = "10.0.0.12" }
  node "cider-3" { address = "10.0.0.13" }
}

data_dir = "/var/lib/ciderd"

listen {
  text  = ":8080"          # people and scripts
  # text_tls = ":8443"     # the same with TLS
  # redis = ":6379"        # programs that speak Redis' protocol; redis_tls: the same with TLS
  peer  = ":7000"          # node to node
  admin = "127.0.0.1:8081" # health: /health/live, /health/ready, /health/writable
}

# tls {                                     # made by: ciderd tls init -config cluster.hcl -out tls
#   ca_file   = "/etc/ciderd/tls/ca.pem"      # with it nodes speak TLS to each other, and nothing else
#   cert_file = "/etc/ciderd/tls/node.pem"    # of this node
#   key_file  = "/etc/ciderd/tls/node-key.pem"
# }

limits {
  max_memory = "auto"  # what all that is stored may take: half of the smallest machine's memory; or a size, or "none"
  when_full  = "evict" # what has been used least; or "reject" what makes it grow
  # quota    = "64MiB" # what one user may take; "none" by default

  max_value_size  = "512KiB" # 1MiB at most
  max_connections = 10000
  # max_connections_per_address = 100 # 0 by default: no limit; set it where strangers can reach the port
  # max_output = "64MiB" # replies that clients have not read yet, of all connections together
  # stall      = "30s"   # a client that reads none of its replies for this long is disconnected
}

auth {
  signup       = "open" # or "closed": only the admin socket adds users
  idle_timeout = "30m"  # "0s": never
}

timeouts {
  write = "5s" # after that a write is answered TIMEOUT
  # election = "1s" # "auto" by default: how long a follower hears nothing of its leader before it asks for votes
}

log {
  level  = "info"
  format = "auto" # text, json, or auto: it depends on where the log goes
}
