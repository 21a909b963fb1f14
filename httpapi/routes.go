package httpapi

import "github.com/tokengrove/grove/httpapi/acl"

// Parts of patterns. A role's name is what the reference takes for one; a lease, a prefix
// and the name of a policy may have slashes.
const (
	slash    = `{_:/?}`
	roleName = `{role_name:\w(?:[\w.-]*\w)?}`
	leaseAt  = `{url_lease_id:.+}`
	prefix   = `{prefix:.+}`
	name     = `{name:.+}`
	mountAt  = `{path:.+}`
	// revocationAt is the lease of one.
	revocationAt = `{revocation:.+}`
)

// routes is the table of everything that Grove serves. The router tries one line after the
// other: what is asked most comes first.
var routes = []route{
	// The token store.
	{path: "auth/token/lookup-self", ops: ops{acl.Read: self(tokenField, lookupSelf), acl.Update: self(tokenField, lookupSelf)}},
	{path: "auth/token/create", ops: ops{acl.Update: showing(createFields, createToken, showCreated)}},
	{path: "auth/token/renew-self", ops: ops{acl.Update: showing(renewFields, renewSelf, showRenewed)}},
	{path: "auth/token/revoke", ops: ops{acl.Update: write(tokenField, revokeToken)}},
	{path: "auth/token/lookup", ops: ops{acl.Read: query(tokenField, lookupToken), acl.Update: query(tokenField, lookupToken)}},
	{path: "auth/token/create-orphan", ops: ops{acl.Update: showing(createFields, createOrphan, showCreated)}},
	{path: "auth/token/create/" + roleName, ops: ops{acl.Update: showing(createFields, createWithRole, showCreated)}},
	{path: "auth/token/renew", ops: ops{acl.Update: showing(renewFields, renewToken, showRenewed)}},
	{path: "auth/token/revoke-self", ops: ops{acl.Update: write(nil, revokeSelf)}},
	{path: "auth/token/lookup-accessor", ops: ops{acl.Update: query(accessorField, lookupAccessor)}},
	{path: "auth/token/renew-accessor", ops: ops{acl.Update: showing(renewAccessorFields, renewAccessor, showRenewed)}},
	{path: "auth/token/revoke-accessor", ops: ops{acl.Update: showing(accessorField, revokeAccessor, showRevokedAccessor)}},
	{path: "auth/token/revoke-orphan", sudo: true, ops: ops{acl.Update: showing(tokenField, revokeOrphan, showRevokedOrphan)}},
	{path: "auth/token/accessors/", sudo: true, whole: true, ops: ops{acl.List: read(listAccessors)}},
	{path: "auth/token/roles" + slash, ops: ops{acl.List: read(listRoles)}},
	{path: "auth/token/roles/" + roleName, exists: roleExists, ops: ops{
		acl.Read: query(roleFields, readRole), acl.Update: write(roleFields, writeRole), acl.Delete: write(roleFields, deleteRole),
	}},
	{path: "auth/token/tidy", ops: ops{acl.Update: query(nil, tidy)}},

	// What tokens keep for themselves.
	{path: "cubbyhole/{_:.*}", exists: cubbyholeEntryExists, ops: ops{
		acl.Read: early(readCubbyhole), acl.Update: write(nil, writeCubbyhole), acl.Delete: write(nil, deleteCubbyhole), acl.List: early(listCubbyhole),
	}},

	// Policies.
	{path: "sys/policies/acl" + slash, ops: ops{acl.List: read(listPolicies)}},
	{path: "sys/policies/acl/" + name, ops: ops{acl.Read: query(policyFields, readPolicy), acl.Update: write(policyFields, writePolicy), acl.Delete: write(policyFields, deletePolicy)}},
	{path: "sys/policy" + slash, ops: ops{acl.Read: read(listOldPolicies), acl.List: read(listOldPolicies)}},
	{path: "sys/policy/" + name, ops: ops{acl.Read: query(oldPolicyFields, readOldPolicy), acl.Update: write(oldPolicyFields, writeOldPolicy), acl.Delete: write(oldPolicyFields, deletePolicy)}},
	{path: "sys/capabilities-self", ops: ops{acl.Update: query(capabilityFields, capabilitiesSelf)}},
	{path: "sys/capabilities", ops: ops{acl.Update: query(capabilityFields, capabilities)}},
	{path: "sys/capabilities-accessor", ops: ops{acl.Update: query(capabilityAccessorFields, capabilitiesAccessor)}},
	{path: "sys/internal/ui/resultant-acl", ops: ops{acl.Read: read(resultantACL)}},

	// Leases, and what of them must still be taken back.
	{path: "sys/leases/lookup", ops: ops{acl.Update: query(leaseField, lookupLease)}},
	{path: "sys/leases/lookup/", sudo: true, whole: true, ops: ops{acl.List: read(listLeases)}},
	{path: "sys/leases/lookup/" + prefix, sudo: true, whole: true, ops: ops{acl.List: read(listLeases)}},
	{path: "sys/leases/renew", ops: ops{acl.Update: showing(renewLeaseFields, renewLease, showRenewedLease)}},
	{path: "sys/leases/renew/" + leaseAt, ops: ops{acl.Update: showing(renewLeaseFields, renewLease, showRenewedLease)}},
	{path: "sys/leases/revoke", ops: ops{acl.Update: write(revokeLeaseFields, revokeLease)}},
	{path: "sys/leases/revoke/" + leaseAt, ops: ops{acl.Update: write(revokeLeaseFields, revokeLease)}},
	{path: "sys/leases/revoke-prefix/" + prefix, sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},
	{path: "sys/leases/revoke-force/" + prefix, sudo: true, ops: ops{acl.Update: write(syncField, revokeForce)}},
	{path: "sys/leases/tidy", ops: ops{acl.Update: query(nil, tidy)}},
	{path: "sys/leases/count", whole: true, ops: ops{acl.Read: query(irrevocable, countLeases)}},
	{path: "sys/leases" + slash, sudo: true, whole: true, ops: ops{acl.Read: query(irrevocable, listIrrevocable)}},
	{path: "sys/grove/revocations", sudo: true, whole: true, ops: ops{acl.Read: query(revocationFields, listRevocations)}},
	{path: "sys/grove/revocations/" + revocationAt + "/retry", sudo: true, ops: ops{acl.Update: write(nil, retryRevocation)}},
	{path: "sys/grove/revocations/" + revocationAt + "/force", sudo: true, ops: ops{acl.Update: write(nil, forceRevocation)}},
	{path: "sys/grove/revocations/" + revocationAt, sudo: true, ops: ops{acl.Read: read(readRevocation)}},
	{path: "sys/renew", ops: ops{acl.Update: showing(renewLeaseFields, renewLease, showRenewedLease)}},
	{path: "sys/renew/" + leaseAt, ops: ops{acl.Update: showing(renewLeaseFields, renewLease, showRenewedLease)}},
	{path: "sys/revoke", ops: ops{acl.Update: write(revokeLeaseFields, revokeLease)}},
	{path: "sys/revoke/" + leaseAt, ops: ops{acl.Update: write(revokeLeaseFields, revokeLease)}},
	{path: "sys/revoke-prefix/" + prefix, sudo: true, ops: ops{acl.Update: write(syncField, revokePrefix)}},
	{path: "sys/revoke-force/" + prefix, sudo: true, ops: ops{acl.Update: write(syncField, revokeForce)}},

	// The node and its cluster.
	{path: "sys/health", open: true, ops: ops{acl.Read: read(health)}},
	{path: "sys/init", open: true, ops: ops{acl.Read: read(readInit), acl.Update: query(initFields, initialize)}},
	{path: "sys/seal-status", open: true, ops: ops{acl.Read: read(sealStatus)}},
	{path: "sys/leader", open: true, ops: ops{acl.Read: read(leader)}},
	{path: "sys/grove/cluster", open: true, ops: ops{acl.Read: read(clusterPointer)}},
	{path: "sys/grove/join-token", sudo: true, ops: ops{acl.Update: showing(joinTokenFields, makeJoinToken, showJoinToken)}},
	{path: "sys/key-status", ops: ops{acl.Read: read(keyStatus)}},
	{path: "sys/rotate", sudo: true, ops: ops{acl.Update: write(nil, rotateKey)}},
	{path: "sys/rotate/config", ops: ops{acl.Read: query(rotateFields, readRotation), acl.Update: write(rotateFields, writeRotation)}},
	{path: "sys/grove/rotate-ca", sudo: true, ops: ops{acl.Read: read(readCA), acl.Update: query(nil, rotateCA)}},
	{path: "sys/ha-status", local: true, ops: ops{acl.Read: read(haStatus)}},
	{path: "sys/step-down", sudo: true, ops: ops{acl.Update: query(nil, stepDown)}},
	{path: "sys/storage/raft/configuration", local: true, ops: ops{acl.Read: read(raftConfiguration)}},
	{path: "sys/storage/raft/autopilot/configuration", ops: ops{acl.Read: read(readAutopilot), acl.Update: write(autopilotFields, writeAutopilot)}},
	{path: "sys/storage/raft/autopilot/state", local: true, ops: ops{acl.Read: read(autopilotState)}},
	{path: "sys/storage/raft/join", open: true, ops: ops{acl.Update: query(joinFields, joinRaft)}},
	{path: "sys/storage/raft/remove-peer", ops: ops{acl.Update: query(removePeerFields, removePeer)}},
	{path: "sys/storage/raft/snapshot", sudo: true, file: true, ops: ops{acl.Read: read(saveSnapshot), acl.Update: query(nil, restoreSnapshot)}},
	{path: "sys/storage/raft/snapshot-force", sudo: true, file: true, ops: ops{acl.Update: query(nil, forceSnapshot)}},
	{path: "sys/storage/raft/snapshot-auto/config" + slash, sudo: true, ops: ops{acl.List: read(listAuto)}},
	{path: "sys/storage/raft/snapshot-auto/config/{name:[^/]+}", sudo: true, ops: ops{
		acl.Read: query(autoFields, readAuto), acl.Update: write(autoFields, writeAuto), acl.Delete: write(autoFields, deleteAuto),
	}},
	{path: "sys/storage/raft/snapshot-auto/status/{name:[^/]+}", sudo: true, ops: ops{acl.Read: read(autoStatus)}},
	{path: "sys/grove/check", sudo: true, ops: ops{acl.Read: read(lastCheck), acl.Update: query(nil, checkReplicas)}},
	{path: "sys/internal/counters/tokens", ops: ops{acl.Read: read(countTokens)}},
	{path: "sys/version-history/", ops: ops{acl.List: read(versionHistory)}},

	// The audit trail.
	{path: "sys/audit" + slash, sudo: true, ops: ops{acl.Read: read(listAudit)}},
	{path: "sys/audit/" + mountAt, sudo: true, ops: ops{acl.Update: write(auditFields, enableAudit), acl.Delete: write(nil, disableAudit)}},
	{path: "sys/audit-hash/" + mountAt, ops: ops{acl.Update: query(auditHashFields, auditHash)}},
	{path: "sys/config/auditing/request-headers" + slash, sudo: true, ops: ops{acl.Read: read(listAuditHeaders)}},
	{path: "sys/config/auditing/request-headers/{header:[^/]+}", sudo: true, ops: ops{
		acl.Read: read(readAuditHeader), acl.Update: write(auditHeaderFields, putAuditHeader), acl.Delete: write(nil, deleteAuditHeader),
	}},

	// What is mounted.
	{path: "sys/auth" + slash, ops: ops{acl.Read: read(listAuth)}},
	{path: "sys/auth/" + mountAt + "/tune", sudo: true, ops: ops{acl.Read: read(readTune), acl.Update: write(tuneFields, tuneAuth)}},
	{path: "sys/auth/" + mountAt, sudo: true, ops: ops{
		acl.Read: query(enableFields, readAuth), acl.Update: write(enableFields, enableAuth), acl.Delete: write(enableFields, disableAuth),
	}},
	{path: "sys/remount", sudo: true, ops: ops{acl.Update: write(remountFields, remount)}},
	{path: "sys/remount/status/{migration_id:.+}", ops: ops{acl.Read: read(remountStatus)}},
	{path: "sys/locked-users", ops: ops{acl.Read: query(lockedFields, listLockedUsers)}},
	{path: "sys/locked-users/{mount_accessor}/unlock/{alias_identifier:.+}", ops: ops{acl.Update: write(unlockFields, unlockUser)}},
	{path: "sys/mounts" + slash, ops: ops{acl.Read: read(listMounts)}},
	{path: "sys/mounts/auth/" + mountAt + "/tune", ops: ops{acl.Read: read(readTune), acl.Update: write(tuneFields, tuneAuth)}},
	{path: "sys/mounts/" + mountAt + "/tune", ops: ops{acl.Read: read(readSecretTune), acl.Update: write(tuneFields, tuneSecret)}},
	{path: "sys/mounts/" + mountAt, ops: ops{
		acl.Read: query(enableFields, readSecret), acl.Update: write(enableFields, enableSecret), acl.Delete: write(enableFields, disableSecret),
	}},
}
