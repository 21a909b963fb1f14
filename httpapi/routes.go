package httpapi

import "github.com/tokengrove/grove/httpapi/acl"

// routes is the table of everything that Grove serves.
var routes = []route{
	// The token store.
	{path: "auth/token/create", ops: ops{acl.Update: write(createFields, createToken)}},
	{path: "auth/token/create-orphan", ops: ops{acl.Update: write(createFields, createOrphan)}},
	{path: "auth/token/create/{role}", ops: ops{acl.Update: write(createFields, createWithRole)}},
	{path: "auth/token/lookup", ops: ops{acl.Update: query(tokenField, lookupToken), acl.Read: read(lookupToken)}},
	{path: "auth/token/lookup-self", ops: ops{acl.Update: query(tokenField, lookupSelf), acl.Read: read(lookupSelf)}},
	{path: "auth/token/lookup-accessor", ops: ops{acl.Update: query(accessorField, lookupAccessor)}},
	{path: "auth/token/renew", ops: ops{acl.Update: write(renewFields, renewToken)}},
	{path: "auth/token/renew-self", ops: ops{acl.Update: write(renewFields, renewSelf)}},
	{path: "auth/token/renew-accessor", ops: ops{acl.Update: write(renewFields, renewAccessor)}},
	{path: "auth/token/revoke", ops: ops{acl.Update: write(tokenField, revokeToken)}},
	{path: "auth/token/revoke-self", ops: ops{acl.Update: write(schema{"token": text}, revokeSelf)}},
	{path: "auth/token/revoke-accessor", ops: ops{acl.Update: write(accessorField, revokeAccessor)}},
	{path: "auth/token/revoke-orphan", sudo: true, ops: ops{acl.Update: write(tokenField, revokeOrphan)}},
	{path: "auth/token/accessors{slash:/?}", sudo: true, ops: ops{acl.List: read(listAccessors)}},
	{path: "auth/token/roles{slash:/?}", ops: ops{acl.List: read(listRoles)}},
	{path: "auth/token/roles/{role}", exists: roleExists, ops: ops{acl.Read: read(readRole), acl.Update: write(roleFields, writeRole), acl.Delete: write(nil, deleteRole)}},
	{path: "auth/token/tidy", ops: ops{acl.Update: query(nil, tidy)}},

	// Policies.
	{path: "sys/policies/acl{slash:/?}", ops: ops{acl.List: read(listPolicies)}},
	{path: "sys/policies/acl/{name}", ops: ops{acl.Read: read(readPolicy), acl.Update: write(policyFields, writePolicy), acl.Delete: write(nil, deletePolicy)}},
	{path: "sys/policy{slash:/?}", ops: ops{acl.Read: read(listOldPolicies), acl.List: read(listOldPolicies)}},
	{path: "sys/policy/{name}", ops: ops{acl.Read: read(readOldPolicy), acl.Update: write(policyFields, writePolicy), acl.Delete: write(nil, deletePolicy)}},
	{path: "sys/capabilities", ops: ops{acl.Update: query(capabilityFields, capabilities)}},
	{path: "sys/capabilities-self", ops: ops{acl.Update: query(capabilityFields, capabilitiesSelf)}},
	{path: "sys/capabilities-accessor", ops: ops{acl.Update: query(capabilityFields, capabilitiesAccessor)}},
	{path: "sys/internal/ui/resultant-acl", ops: ops{acl.Read: read(resultantACL)}},

	// Leases of tokens.
	{path: "sys/leases/lookup", ops: ops{acl.Update: query(leaseFields, lookupLease)}},
	{path: "sys/leases/lookup/", sudo: true, ops: ops{acl.List: read(listLeases)}},
	{path: "sys/leases/lookup/{prefix:.+}", sudo: true, ops: ops{acl.List: read(listLeases)}},
	{path: "sys/leases/renew", ops: ops{acl.Update: write(leaseFields, renewLease)}},
	{path: "sys/leases/renew/{lease:.+}", ops: ops{acl.Update: write(leaseFields, renewLease)}},
	{path: "sys/leases/revoke", ops: ops{acl.Update: write(leaseFields, revokeLease)}},
	{path: "sys/leases/revoke/{lease:.+}", ops: ops{acl.Update: write(leaseFields, revokeLease)}},
	{path: "sys/leases/revoke-prefix/{prefix:.+}", sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},
	{path: "sys/leases/revoke-force/{prefix:.+}", sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},
	{path: "sys/leases/tidy", ops: ops{acl.Update: query(nil, tidy)}},
	{path: "sys/renew", ops: ops{acl.Update: write(leaseFields, renewLease)}},
	{path: "sys/renew/{lease:.+}", ops: ops{acl.Update: write(leaseFields, renewLease)}},
	{path: "sys/revoke", ops: ops{acl.Update: write(leaseFields, revokeLease)}},
	{path: "sys/revoke/{lease:.+}", ops: ops{acl.Update: write(leaseFields, revokeLease)}},
	{path: "sys/revoke-prefix/{prefix:.+}", sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},
	{path: "sys/revoke-force/{prefix:.+}", sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},

	// The node and its cluster.
	{path: "sys/init", open: true, ops: ops{acl.Read: read(readInit), acl.Update: query(initFields, initialize)}},
	{path: "sys/health", open: true, ops: ops{acl.Read: read(health)}},
	{path: "sys/seal-status", open: true, ops: ops{acl.Read: read(sealStatus)}},
	{path: "sys/leader", open: true, ops: ops{acl.Read: read(leader)}},
	{path: "sys/grove/cluster", open: true, ops: ops{acl.Read: read(clusterPointer)}},
	{path: "sys/ha-status", ops: ops{acl.Read: read(haStatus)}},
	{path: "sys/step-down", sudo: true, ops: ops{acl.Update: query(nil, stepDown)}},
	{path: "sys/storage/raft/configuration", ops: ops{acl.Read: read(raftConfiguration)}},
	{path: "sys/storage/raft/join", open: true, ops: ops{acl.Update: query(joinFields, joinRaft)}},
	{path: "sys/storage/raft/remove-peer", ops: ops{acl.Update: query(schema{"server_id": text, "dr_operation_token": text}, removePeer)}},
	{path: "sys/internal/counters/tokens", ops: ops{acl.Read: read(countTokens)}},
	{path: "sys/version-history{slash:/?}", ops: ops{acl.List: read(versionHistory)}},

	// What is mounted.
	{path: "sys/auth", ops: ops{acl.Read: read(listAuth)}},
	{path: "sys/auth/{mount}", sudo: true, ops: ops{acl.Read: read(readAuth)}},
	{path: "sys/auth/{mount}/tune", sudo: true, ops: ops{acl.Read: read(readTune), acl.Update: write(tuneFields, tuneAuth)}},
	{path: "sys/mounts", ops: ops{acl.Read: read(listMounts)}},
	{path: "sys/mounts/auth/{mount}/tune", sudo: true, ops: ops{acl.Read: read(readTune), acl.Update: write(tuneFields, tuneAuth)}},
}
