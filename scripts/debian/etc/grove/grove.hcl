# One node of a cluster. Change the addresses and node_id, and see README.md, "Running a cluster".
listener "tcp" {
  address         = "127.0.0.1:8200"
  cluster_address = "127.0.0.1:8201"
  tls_cert_file   = "/etc/grove/tls.crt"
  tls_key_file    = "/etc/grove/tls.key"
}

storage "raft" {
  path    = "/var/lib/grove"
  node_id = "grove1"
  # retry_join { leader_api_addr = "https://10.0.0.2:8200" }
  # retry_join { leader_api_addr = "https://10.0.0.3:8200" }
}

api_addr     = "https://127.0.0.1:8200"
cluster_addr = "https://127.0.0.1:8201"

# The same on all nodes, at least 32 random characters, mode 0600: openssl rand -base64 32
cluster_key_file = "/etc/grove/cluster.key"

log_level = "info"
