# Three nodes on one machine, to try out a cluster. make cluster starts all three; or, in three terminals:
#
#   ciderd -config configs/cluster-local.hcl -node cider-1
#   ciderd -config configs/cluster-local.hcl -node cider-2
#   ciderd -config configs/cluster-local.hcl -node cider-3
#
# Then nc localhost 8080, 8180 or 8280: every node takes reads and writes. No port can be reached from
# another machine.

cluster "local" {
  node "cider-1" {
    address  = "127.0.0.1:7000"
    text     = "localhost:8080"
    admin    = "127.0.0.1:8081"
    data_dir = "./ciderd-data/cider-1"
  }
  node "cider-2" {
    address  = "127.0.0.1:7100"
    text     = "localhost:8180"
    admin    = "127.0.0.1:8181"
    data_dir = "./ciderd-data/cider-2"
  }
  node "cider-3" {
    address  = "127.0.0.1:7200"
    text     = "localhost:8280"
    admin    = "127.0.0.1:8281"
    data_dir = "./ciderd-data/cider-3"
  }
}
