# Node 1 of docker-compose.yml.
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable     = true
}

storage "raft" {
  path    = "/data"
  node_id = "grove1"

  retry_join {
    leader_api_addr = "http://grove2:8200"
  }

  retry_join {
    leader_api_addr = "http://grove3:8200"
  }
}

api_addr     = "http://grove1:8200"
cluster_addr = "http://grove1:8201"
log_level    = "info"
