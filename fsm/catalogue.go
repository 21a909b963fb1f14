package fsm

// The kinds of the commands. They are on disk and on the wire: never renumber or reuse one.
const (
	KindInitialize     Kind = 1
	KindOpenSession    Kind = 2
	KindTick           Kind = 3
	KindExpireTokens   Kind = 4
	KindAnnounceMember Kind = 5
	KindCreateToken    Kind = 10
	KindUseToken       Kind = 11
	KindRenewToken     Kind = 12
	KindRevokeToken    Kind = 13
	KindRevokeOrphan   Kind = 14
	KindRevokePrefix   Kind = 15
	KindPutPolicy      Kind = 20
	KindDeletePolicy   Kind = 21
	KindPutRole        Kind = 22
	KindDeleteRole     Kind = 23
	KindPutMount       Kind = 24
	KindEnableMount    Kind = 25
	KindTuneMount      Kind = 26
	KindDisableMount   Kind = 27
	KindMoveMount      Kind = 28
	KindPutJoinToken   Kind = 30
	KindUseJoinToken   Kind = 31
	KindPutTrust       Kind = 32
	KindPutAutopilot   Kind = 33
	KindAdmitNode      Kind = 34
	KindTransact       Kind = 50
	KindNoteFailure    Kind = 51
	KindUnlockUser     Kind = 52

	KindEnableAudit       Kind = 60
	KindDisableAudit      Kind = 61
	KindPutAuditHeader    Kind = 62
	KindDeleteAuditHeader Kind = 63

	KindCheckpoint        Kind = 70
	KindConfirmCheckpoint Kind = 71
	KindPutSchedule       Kind = 72
	KindDeleteSchedule    Kind = 73
	KindNoteSnapshot      Kind = 74
	KindWriteCubbyhole    Kind = 80
	KindDeleteCubbyhole   Kind = 81

	KindOnce Kind = 90

	KindAddKey         Kind = 100
	KindPutKeyRotation Kind = 101
	KindByBatch        Kind = 102
	KindBatchLogin     Kind = 103
	KindIssueBatch     Kind = 104

	KindBeginLease       Kind = 110
	KindCommitLease      Kind = 111
	KindAbandonLease     Kind = 112
	KindIssueLease       Kind = 113
	KindRenewLease       Kind = 114
	KindRevokeLease      Kind = 115
	KindRevokeForce      Kind = 116
	KindFinishRevocation Kind = 117
	KindFailRevocation   Kind = 118
	KindHastenRevocation Kind = 119
	KindPrepare          Kind = 120
)

// catalogue lists every command once: the number that is on disk and the empty value
// that its body is decoded into.
var catalogue = map[Kind]func() Command{
	KindInitialize:     func() Command { return new(Initialize) },
	KindOpenSession:    func() Command { return new(OpenSession) },
	KindTick:           func() Command { return new(Tick) },
	KindExpireTokens:   func() Command { return new(ExpireTokens) },
	KindAnnounceMember: func() Command { return new(AnnounceMember) },
	KindCreateToken:    func() Command { return new(CreateToken) },
	KindUseToken:       func() Command { return new(UseToken) },
	KindRenewToken:     func() Command { return new(RenewToken) },
	KindRevokeToken:    func() Command { return new(RevokeToken) },
	KindRevokeOrphan:   func() Command { return new(RevokeOrphan) },
	KindRevokePrefix:   func() Command { return new(RevokePrefix) },
	KindPutPolicy:      func() Command { return new(PutPolicy) },
	KindDeletePolicy:   func() Command { return new(DeletePolicy) },
	KindPutRole:        func() Command { return new(PutRole) },
	KindDeleteRole:     func() Command { return new(DeleteRole) },
	KindPutMount:       func() Command { return new(PutMount) },
	KindEnableMount:    func() Command { return new(EnableMount) },
	KindTuneMount:      func() Command { return new(TuneMount) },
	KindDisableMount:   func() Command { return new(DisableMount) },
	KindMoveMount:      func() Command { return new(MoveMount) },
	KindPutJoinToken:   func() Command { return new(PutJoinToken) },
	KindUseJoinToken:   func() Command { return new(UseJoinToken) },
	KindPutTrust:       func() Command { return new(PutTrust) },
	KindPutAutopilot:   func() Command { return new(PutAutopilot) },
	KindAdmitNode:      func() Command { return new(AdmitNode) },
	KindTransact:       func() Command { return new(Transact) },
	KindNoteFailure:    func() Command { return new(NoteFailure) },
	KindUnlockUser:     func() Command { return new(UnlockUser) },

	KindEnableAudit:       func() Command { return new(EnableAudit) },
	KindDisableAudit:      func() Command { return new(DisableAudit) },
	KindPutAuditHeader:    func() Command { return new(PutAuditHeader) },
	KindDeleteAuditHeader: func() Command { return new(DeleteAuditHeader) },

	KindOnce:              func() Command { return new(Once) },
	KindCheckpoint:        func() Command { return new(Checkpoint) },
	KindConfirmCheckpoint: func() Command { return new(ConfirmCheckpoint) },
	KindPutSchedule:       func() Command { return new(PutSchedule) },
	KindDeleteSchedule:    func() Command { return new(DeleteSchedule) },
	KindNoteSnapshot:      func() Command { return new(NoteSnapshot) },
	KindWriteCubbyhole:    func() Command { return new(WriteCubbyhole) },
	KindDeleteCubbyhole:   func() Command { return new(DeleteCubbyhole) },
	KindAddKey:            func() Command { return new(AddKey) },
	KindPutKeyRotation:    func() Command { return new(PutKeyRotation) },
	KindByBatch:           func() Command { return new(ByBatch) },
	KindBatchLogin:        func() Command { return new(BatchLogin) },
	KindIssueBatch:        func() Command { return new(IssueBatch) },

	KindBeginLease:       func() Command { return new(BeginLease) },
	KindCommitLease:      func() Command { return new(CommitLease) },
	KindAbandonLease:     func() Command { return new(AbandonLease) },
	KindIssueLease:       func() Command { return new(IssueLease) },
	KindRenewLease:       func() Command { return new(RenewLease) },
	KindRevokeLease:      func() Command { return new(RevokeLease) },
	KindRevokeForce:      func() Command { return new(RevokeForce) },
	KindFinishRevocation: func() Command { return new(FinishRevocation) },
	KindFailRevocation:   func() Command { return new(FailRevocation) },
	KindHastenRevocation: func() Command { return new(HastenRevocation) },
	KindPrepare:          func() Command { return new(Prepare) },
}

// Kind implements Command.
func (*Initialize) Kind() Kind { return KindInitialize }

// Kind implements Command.
func (*OpenSession) Kind() Kind { return KindOpenSession }

// Kind implements Command.
func (*Tick) Kind() Kind { return KindTick }

// Kind implements Command.
func (*ExpireTokens) Kind() Kind { return KindExpireTokens }

// Kind implements Command.
func (*AnnounceMember) Kind() Kind { return KindAnnounceMember }

// Kind implements Command.
func (*CreateToken) Kind() Kind { return KindCreateToken }

// Kind implements Command.
func (*UseToken) Kind() Kind { return KindUseToken }

// Kind implements Command.
func (*RenewToken) Kind() Kind { return KindRenewToken }

// Kind implements Command.
func (*RevokeToken) Kind() Kind { return KindRevokeToken }

// Kind implements Command.
func (*RevokeOrphan) Kind() Kind { return KindRevokeOrphan }

// Kind implements Command.
func (*RevokePrefix) Kind() Kind { return KindRevokePrefix }

// Kind implements Command.
func (*PutPolicy) Kind() Kind { return KindPutPolicy }

// Kind implements Command.
func (*DeletePolicy) Kind() Kind { return KindDeletePolicy }

// Kind implements Command.
func (*PutRole) Kind() Kind { return KindPutRole }

// Kind implements Command.
func (*DeleteRole) Kind() Kind { return KindDeleteRole }

// Kind implements Command.
func (*PutMount) Kind() Kind { return KindPutMount }

// Kind implements Command.
func (*PutJoinToken) Kind() Kind { return KindPutJoinToken }

// Kind implements Command.
func (*UseJoinToken) Kind() Kind { return KindUseJoinToken }

// Kind implements Command.
func (*PutTrust) Kind() Kind { return KindPutTrust }

// Kind implements Command.
func (*EnableAudit) Kind() Kind { return KindEnableAudit }

// Kind implements Command.
func (*DisableAudit) Kind() Kind { return KindDisableAudit }

// Kind implements Command.
func (*PutAuditHeader) Kind() Kind { return KindPutAuditHeader }

// Kind implements Command.
func (*DeleteAuditHeader) Kind() Kind { return KindDeleteAuditHeader }

// Kind implements Command.
func (*EnableMount) Kind() Kind { return KindEnableMount }

// Kind implements Command.
func (*TuneMount) Kind() Kind { return KindTuneMount }

// Kind implements Command.
func (*DisableMount) Kind() Kind { return KindDisableMount }

// Kind implements Command.
func (*MoveMount) Kind() Kind { return KindMoveMount }

// Kind implements Command.
func (*Transact) Kind() Kind { return KindTransact }

// Kind implements Command.
func (*NoteFailure) Kind() Kind { return KindNoteFailure }

// Kind implements Command.
func (*UnlockUser) Kind() Kind { return KindUnlockUser }

// Kind implements Command.
func (*Once) Kind() Kind { return KindOnce }

// Kind implements Command.
func (*PutAutopilot) Kind() Kind { return KindPutAutopilot }

// Kind implements Command.
func (*AdmitNode) Kind() Kind { return KindAdmitNode }

// Kind implements Command.
func (*WriteCubbyhole) Kind() Kind { return KindWriteCubbyhole }

// Kind implements Command.
func (*DeleteCubbyhole) Kind() Kind { return KindDeleteCubbyhole }

// Kind implements Command.
func (*BeginLease) Kind() Kind { return KindBeginLease }

// Kind implements Command.
func (*CommitLease) Kind() Kind { return KindCommitLease }

// Kind implements Command.
func (*AbandonLease) Kind() Kind { return KindAbandonLease }

// Kind implements Command.
func (*IssueLease) Kind() Kind { return KindIssueLease }

// Kind implements Command.
func (*RenewLease) Kind() Kind { return KindRenewLease }

// Kind implements Command.
func (*RevokeLease) Kind() Kind { return KindRevokeLease }

// Kind implements Command.
func (*RevokeForce) Kind() Kind { return KindRevokeForce }

// Kind implements Command.
func (*FinishRevocation) Kind() Kind { return KindFinishRevocation }

// Kind implements Command.
func (*FailRevocation) Kind() Kind { return KindFailRevocation }

// Kind implements Command.
func (*HastenRevocation) Kind() Kind { return KindHastenRevocation }

// Kind implements Command.
func (*Prepare) Kind() Kind { return KindPrepare }
