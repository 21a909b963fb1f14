# Every node of docker-compose.yml has this configuration. What differs comes in through the environment:
# GROVE_RAFT_NODE_ID, GROVE_API_ADDR, GROVE_CLUSTER_ADDR, GROVE_CLUSTER_KEY.
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable     = true # for clients; nodes always talk over mutual TLS
}

storage "raft" {
  path = "/data"

  retry_join {
    leader_api_addr = "http://grove1:8200"
  }

  retry_join {
    leader_api_addr = "http://grove2:8200"
  }

  retry_join {
    leader_api_addr = "http://grove3:8200"
  }
}

log_level = "info"
