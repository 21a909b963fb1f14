package fsm

// PutSchedule writes a configuration of automatic snapshots. What became of earlier ones stays.
type PutSchedule struct {
	Caller   Caller   `cbor:"1,keyasint"`
	Schedule Schedule `cbor:"2,keyasint"`
}

func (c *PutSchedule) asks() Caller { return c.Caller }

// apply stores it.
func (c *PutSchedule) apply(m *Machine, _ *applyContext) Result {
	if err := c.Schedule.check(); err != nil {
		return refuse(Invalid, "%v", err)
	}
	old, known := m.upkeep.schedules[c.Schedule.Name]
	if !known && len(m.upkeep.schedules) >= maxSchedules {
		return refuse(Invalid, "there are %d configurations of automatic snapshots: delete one first", maxSchedules)
	}
	s := c.Schedule
	s.Last, s.Good, s.Failures = old.Last, old.Good, old.Failures
	m.upkeep.schedules[s.Name] = s
	return Result{}
}

// DeleteSchedule deletes a configuration of automatic snapshots, if it is there. Files stay.
type DeleteSchedule struct {
	Caller Caller `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
}

func (c *DeleteSchedule) asks() Caller { return c.Caller }

// apply deletes it.
func (c *DeleteSchedule) apply(m *Machine, _ *applyContext) Result {
	delete(m.upkeep.schedules, c.Name)
	return Result{}
}

// NoteSnapshot records what became of an automatic snapshot.
type NoteSnapshot struct {
	Name string      `cbor:"1,keyasint"`
	Run  SnapshotRun `cbor:"2,keyasint"`
}

// apply records it, unless the configuration was deleted meanwhile.
func (c *NoteSnapshot) apply(m *Machine, _ *applyContext) Result {
	s, ok := m.upkeep.schedules[c.Name]
	if !ok {
		return refuse(NotFound, "no automatic snapshots %q", c.Name)
	}
	s.Last = c.Run
	if c.Run.Error == "" {
		s.Good, s.Failures = c.Run, 0
	} else {
		s.Failures++
	}
	m.upkeep.schedules[c.Name] = s
	return Result{}
}

// Kind implements Command.
func (*PutSchedule) Kind() Kind { return KindPutSchedule }

// Kind implements Command.
func (*DeleteSchedule) Kind() Kind { return KindDeleteSchedule }

// Kind implements Command.
func (*NoteSnapshot) Kind() Kind { return KindNoteSnapshot }
