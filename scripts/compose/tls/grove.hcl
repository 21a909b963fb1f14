# The configuration of scripts/compose/tls.yml.
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/etc/grove/tls/tls.crt"
  tls_key_file    = "/etc/grove/tls/tls.key"
}

storage "raft" {
  path = "/data"

  retry_join {
    leader_api_addr     = "https://grove1:8200"
    leader_ca_cert_file = "/etc/grove/tls/ca.crt"
  }

  retry_join {
    leader_api_addr     = "https://grove2:8200"
    leader_ca_cert_file = "/etc/grove/tls/ca.crt"
  }

  retry_join {
    leader_api_addr     = "https://grove3:8200"
    leader_ca_cert_file = "/etc/grove/tls/ca.crt"
  }
}

log_level = "info"
