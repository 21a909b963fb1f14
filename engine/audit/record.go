package audit

// Entry is one line of an audit log, with the names and the order of the reference's: the time
// first, everything else by its name.
type Entry struct {
	Time     string    `json:"time,omitempty"`
	Auth     *Auth     `json:"auth,omitempty"`
	Error    string    `json:"error,omitempty"`
	Request  *Request  `json:"request,omitempty"`
	Response *Response `json:"response,omitempty"`
	Type     string    `json:"type,omitempty"`
}

// Auth is who asks, or, in a response, who was let in.
type Auth struct {
	Accessor      string            `json:"accessor,omitempty"`
	ClientToken   string            `json:"client_token,omitempty"`
	DisplayName   string            `json:"display_name,omitempty"`
	EntityID      string            `json:"entity_id,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	NumUses       uint32            `json:"num_uses,omitempty"`
	Policies      []string          `json:"policies,omitempty"`
	PolicyResults *PolicyResults    `json:"policy_results,omitempty"`
	RemainingUses uint32            `json:"remaining_uses,omitempty"`
	TokenPolicies []string          `json:"token_policies,omitempty"`
	Issue
}

// Issue is when a token was made, of which type, for how long.
type Issue struct {
	TokenIssueTime string `json:"token_issue_time,omitempty"`
	TokenTTL       int64  `json:"token_ttl,omitempty"`
	TokenType      string `json:"token_type,omitempty"`
}

// PolicyResults is what the policies said.
type PolicyResults struct {
	Allowed          bool     `json:"allowed"`
	GrantingPolicies []Policy `json:"granting_policies,omitempty"`
}

// Policy is one policy that granted a request.
type Policy struct {
	Name        string `json:"name,omitempty"`
	NamespaceID string `json:"namespace_id,omitempty"`
	Type        string `json:"type"`
}

// Mount is where a request went.
type Mount struct {
	Accessor       string `json:"mount_accessor,omitempty"`
	Class          string `json:"mount_class,omitempty"`
	Point          string `json:"mount_point,omitempty"`
	RunningVersion string `json:"mount_running_version,omitempty"`
	Type           string `json:"mount_type,omitempty"`
}

// Request is what was asked.
type Request struct {
	ClientCertificateSerialNumber string              `json:"client_certificate_serial_number,omitempty"`
	ClientID                      string              `json:"client_id,omitempty"`
	ClientToken                   string              `json:"client_token,omitempty"`
	ClientTokenAccessor           string              `json:"client_token_accessor,omitempty"`
	Data                          map[string]any      `json:"data,omitempty"`
	Headers                       map[string][]string `json:"headers,omitempty"`
	ID                            string              `json:"id,omitempty"`
	Mount
	Namespace *Namespace `json:"namespace,omitempty"`
	Operation string     `json:"operation,omitempty"`
	Path      string     `json:"path,omitempty"`
	Origin
}

// Origin is where a request came from, and how it wants its answer.
type Origin struct {
	RemoteAddress string `json:"remote_address,omitempty"`
	RemotePort    int    `json:"remote_port,omitempty"`
	WrapTTL       int64  `json:"wrap_ttl,omitempty"`
}

// Namespace is the only one that there is.
type Namespace struct {
	ID   string `json:"id,omitempty"`
	Path string `json:"path,omitempty"`
}

// Response is what was answered.
type Response struct {
	Auth    *Auth               `json:"auth,omitempty"`
	Data    map[string]any      `json:"data,omitempty"`
	Headers map[string][]string `json:"headers,omitempty"`
	Served
	Secret   *Secret   `json:"secret,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	WrapInfo *WrapInfo `json:"wrap_info,omitempty"`
}

// Served is Mount as a response shows it: the reference gives the version another name there.
type Served struct {
	Accessor       string `json:"mount_accessor,omitempty"`
	Class          string `json:"mount_class,omitempty"`
	Point          string `json:"mount_point,omitempty"`
	RunningVersion string `json:"mount_running_plugin_version,omitempty"`
	Type           string `json:"mount_type,omitempty"`
}

// Secret names the lease of what was given out.
type Secret struct {
	LeaseID string `json:"lease_id,omitempty"`
}

// WrapInfo is about an answer that was wrapped.
type WrapInfo struct {
	Accessor        string `json:"accessor,omitempty"`
	CreationPath    string `json:"creation_path,omitempty"`
	CreationTime    string `json:"creation_time,omitempty"`
	Token           string `json:"token,omitempty"`
	TTL             int64  `json:"ttl,omitempty"`
	WrappedAccessor string `json:"wrapped_accessor,omitempty"`
}

// Record is an Entry before any device has made it its own, with everything in clear. It is only
// read, by all devices at once.
type Record struct {
	Entry
	// Headers are all of the request's; those of the table are written.
	Headers map[string][]string
	// PlainRequest and PlainResponse are the keys of data that are written as they are.
	PlainRequest, PlainResponse []string
}
