package fsm

import (
	"fmt"

	"github.com/tokengrove/grove/fsm/policy"
)

// Check verifies every invariant of the state and names the first that does not hold.
// It reads everything: O(state).
func (m *Machine) Check() error {
	for _, check := range m.checks() {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// Checks are the parts of Check. They only read, and each holds at every index, so that they may run side by
// side, and between entries.
func (m *Machine) Checks() []func() error { return m.checks() }

// checks are the parts of Check. They only read, and may run side by side.
func (m *Machine) checks() []func() error {
	checks := []func() error{m.checkRest}
	for _, check := range m.forest.Checks() {
		checks = append(checks, func() error {
			if err := check(); err != nil {
				return fmt.Errorf("forest: %w", err)
			}
			return nil
		})
	}
	return checks
}

// checkRest verifies everything but the forest.
func (m *Machine) checkRest() error {
	if !m.Initialized() && (m.forest.Len() > 0 || len(m.policies) > 0 || len(m.roles) > 0) {
		return fmt.Errorf("state before the cluster was initialized")
	}
	if len(m.changes.last) > maxChanges {
		return fmt.Errorf("%d changes are remembered, at most %d", len(m.changes.last), maxChanges)
	}
	for k, e := range m.changes.last { // order: any failure will do
		if e > m.epoch || e <= m.changes.floor {
			return fmt.Errorf("change of %q at epoch %d, the epoch is %d and the floor %d", k, e, m.epoch, m.changes.floor)
		}
	}
	if len(m.sessions) > MaxSessions {
		return fmt.Errorf("%d edge sessions, at most %d", len(m.sessions), MaxSessions)
	}
	for id, s := range m.sessions { // order: any failure will do
		if err := s.check(); err != nil {
			return fmt.Errorf("edge session %x: %w", id, err)
		}
		if s.used > m.at {
			return fmt.Errorf("edge session %x used after the machine's time", id)
		}
	}
	if _, ok := m.policies[policy.Root]; ok {
		return fmt.Errorf("the root policy is stored")
	}
	if _, ok := m.policies[policy.Default]; m.Initialized() && !ok {
		return fmt.Errorf("the default policy is missing")
	}
	if err := m.joining.check(); err != nil {
		return err
	}
	if err := m.upkeep.check(); err != nil {
		return err
	}
	if err := m.audit.Check(); err != nil {
		return err
	}
	if err := m.checkMounting(); err != nil {
		return err
	}
	if err := m.checkAnswers(); err != nil {
		return err
	}
	if err := m.checkCubbyholes(); err != nil {
		return err
	}
	if err := m.checkLeases(); err != nil {
		return err
	}
	if err := m.checkSealing(); err != nil {
		return err
	}
	if err := m.membership.check(); err != nil {
		return err
	}
	return m.checkNames()
}

func (s *session) check() error {
	if len(s.results) > MaxWindow {
		return fmt.Errorf("window of %d results, at most %d", len(s.results), MaxWindow)
	}
	for seq := range s.results { // order: any failure will do
		if seq < s.low {
			return fmt.Errorf("result %d is kept though everything below %d was answered", seq, s.low)
		}
	}
	return nil
}

// checkNames verifies that map keys are the names of their values.
func (m *Machine) checkNames() error {
	for k, v := range m.policies { // order: any failure will do
		if v.Name != k {
			return fmt.Errorf("policy %q is stored as %q", v.Name, k)
		}
	}
	for k, v := range m.roles { // order: any failure will do
		if v.Name != k {
			return fmt.Errorf("role %q is stored as %q", v.Name, k)
		}
	}
	for k, v := range m.mounts { // order: any failure will do
		if v.Path != k {
			return fmt.Errorf("mount %q is stored as %q", v.Path, k)
		}
	}
	for k, v := range m.members { // order: any failure will do
		if v.ID != k {
			return fmt.Errorf("member %q is stored as %q", v.ID, k)
		}
	}
	return nil
}
