package main

// Options of the reference that have nothing to decide here: accepted, with a warning.
var (
	ignoredTop = []string{
		"disable_mlock", "ui", "enable_ui", "telemetry", "seal", "kms", "hsm", "raw_storage_endpoint", "disable_cache", "cache_size",
		"plugin_directory", "plugin_tmpdir", "plugin_file_uid", "plugin_file_permissions", "introspection_endpoint",
		"enable_response_header_hostname", "enable_response_header_raft_node_id", "service_registration", "entropy", "license_path",
		"disable_clustering", "disable_performance_standby", "disable_sealwrap", "disable_indexing", "disable_printable_check",
		"disable_sentinel_trace", "user_lockout", "log_file", "log_rotate_bytes", "log_rotate_duration", "log_rotate_max_files",
		"log_requests_level", "detect_deadlocks", "imprecise_lease_role_tracking", "experiments", "enable_unauthenticated_access",
		"administrative_namespace_path", "reporting", "unsafe_cross_namespace_identity", "cluster_cipher_suites", "ha_storage",
		"default_max_request_duration", "enable_post_unseal_trace", "post_unseal_trace_directory", "allow_audit_log_prefixing",
		"request_limiter", "adaptive_overload_protection", "initialize", "audit", "observations", "remove_irrevocable_lease_after",
	}
	ignoredListener = []string{
		"tls_prefer_server_cipher_suites", "proxy_protocol_behavior", "proxy_protocol_authorized_addrs", "x_forwarded_for_authorized_addrs",
		"x_forwarded_for_hop_skips", "x_forwarded_for_reject_not_authorized", "x_forwarded_for_reject_not_present",
		"x_forwarded_for_client_cert_header", "x_forwarded_for_client_cert_header_decoders", "max_request_size", "max_request_duration",
		"max_json_depth", "max_json_string_value_length", "max_json_object_entry_count", "max_json_array_element_count",
		"require_request_header", "telemetry", "profiling", "inflight_requests_logging", "custom_response_headers", "redact_version",
		"redact_addresses", "redact_cluster_name", "disable_replication_status_endpoints", "disable_request_limiter", "chroot_namespace",
		"purpose", "role", "type", "agent_api", "proxy_api",
	}
	ignoredStorage = []string{
		"max_entry_size", "max_mount_and_namespace_table_entry_size",
		"autopilot_reconcile_interval", "autopilot_update_interval", "autopilot_redundancy_zone", "autopilot_upgrade_version",
		"raft_wal", "raft_log_verifier_enabled", "raft_log_verification_interval", "max_transaction_size",
	}
	ignoredJoin = []string{"auto_join_scheme", "auto_join_port"}
)

// top decodes a file.
func (c *config) top(warnings *[]string) *decoder {
	d := &decoder{ignored: ignoredTop, warnings: warnings, values: map[string]any{
		"api_addr": &c.APIAddr, "cluster_addr": &c.ClusterAddr, "cluster_name": &c.ClusterName, "log_level": &c.LogLevel,
		"log_format": &c.LogFormat, "default_lease_ttl": &c.DefaultTTL, "max_lease_ttl": &c.MaxTTL, "pid_file": &c.PIDFile, "leave_on_terminate": &c.LeaveOnTerminate,
		"cluster_key": &c.Join.Key, "cluster_key_file": &c.Join.KeyFile, "seal_key_file": &c.Join.SealKeyFile, "join_token": &c.Join.Token,
		"max_requests": &c.Limits.Requests, "max_requests_waiting": &c.Limits.Waiting, "max_request_wait": &c.Limits.Wait,
		"max_body_memory": &c.Limits.BodyBytes, "login_rate": &c.Limits.LoginRate,
	}}
	storage := func(it item) error { return c.storage(it, warnings) }
	d.blocks = map[string]func(item) error{
		"listener": func(it item) error { return c.listener(it, warnings) },
		"storage":  storage,
		"backend":  storage,
	}
	return d
}

func (c *config) listener(it item, warnings *[]string) error {
	if it.label() != "tcp" {
		return it.errorf("listener %q: only listener \"tcp\" is supported", it.label())
	}
	l := listenerBlock{Address: "127.0.0.1:8200"}
	d := &decoder{where: `listener "tcp"`, ignored: ignoredListener, warnings: warnings, values: map[string]any{
		"address": &l.Address, "cluster_address": &l.ClusterAddress,
		"tls_disable": &l.TLS.Disable, "tls_cert_file": &l.TLS.CertFile, "tls_key_file": &l.TLS.KeyFile,
		"tls_min_version": &l.TLS.MinVersion, "tls_max_version": &l.TLS.MaxVersion, "tls_cipher_suites": &l.TLS.CipherSuites,
		"tls_client_ca_file": &l.TLS.ClientCAFile, "tls_require_and_verify_client_cert": &l.TLS.RequireClient,
		"tls_disable_client_certs": &l.TLS.NoClient,
		"http_read_header_timeout": &l.Timeouts.ReadHeader, "http_read_timeout": &l.Timeouts.Read,
		"http_write_timeout": &l.Timeouts.Write, "http_idle_timeout": &l.Timeouts.Idle,
		"max_connections": &l.Connections.Total, "max_connections_per_client": &l.Connections.PerClient,
	}}
	if err := d.body(it); err != nil {
		return err
	}
	if err := checkAddress(l.Address); err != nil {
		return it.errorf("listener: %v", err)
	}
	if err := checkAddress(l.ClusterAddress); l.ClusterAddress != "" && err != nil {
		return it.errorf("listener %s: cluster_%v", l.Address, err)
	}
	if err := l.Connections.validate(); err != nil {
		return it.errorf("listener %s: %v", l.Address, err)
	}
	if err := l.TLS.check(); err != nil {
		return it.errorf("listener %s: %v", l.Address, err)
	}
	c.Listeners = append(c.Listeners, l)
	return nil
}

func (c *config) storage(it item, warnings *[]string) error {
	if it.label() != "raft" {
		return it.errorf("storage %q: only storage \"raft\" is supported", it.label())
	}
	if c.Storage != nil {
		return it.errorf("a second storage block")
	}
	s := &storageBlock{}
	d := &decoder{where: `storage "raft"`, ignored: ignoredStorage, warnings: warnings, values: map[string]any{
		"path": &s.Path, "node_id": &s.NodeID, "performance_multiplier": &s.Multiplier, "retry_join_as_non_voter": &s.NonVoter, "non_voter": &s.NonVoter,
		"snapshot_threshold": &s.Snapshots.Threshold, "trailing_logs": &s.Snapshots.Trailing, "snapshot_interval": &s.Snapshots.Interval,
		"max_clock_skew": &s.ClockSkew, "state_check_interval": &s.CheckInterval,
	}}
	d.blocks = map[string]func(item) error{"retry_join": func(j item) error { return s.join(j, warnings) }}
	if err := d.body(it); err != nil {
		return err
	}
	c.Storage = s
	return nil
}

func (s *storageBlock) join(it item, warnings *[]string) error {
	var j joinBlock
	d := &decoder{where: "retry_join", ignored: ignoredJoin, warnings: warnings, values: map[string]any{
		"leader_api_addr": &j.APIAddr, "leader_tls_servername": &j.ServerName, "auto_join": &j.AutoJoin,
		"leader_ca_cert_file": &j.CAFile, "leader_client_cert_file": &j.CertFile, "leader_client_key_file": &j.KeyFile,
		"leader_ca_cert": &j.CAText, "leader_client_cert": &j.CertText, "leader_client_key": &j.KeyText,
	}}
	if err := d.body(it); err != nil {
		return err
	}
	if j.AutoJoin != "" {
		return it.errorf("retry_join: auto_join is not supported, name the members with leader_api_addr")
	}
	if j.APIAddr == "" {
		return it.errorf("retry_join needs leader_api_addr")
	}
	if err := checkURL("leader_api_addr", j.APIAddr); err != nil {
		return it.errorf("retry_join: %v", err)
	}
	s.Joins = append(s.Joins, j)
	return nil
}
