package main

import (
	"bytes"
	"encoding/json"
	"os"
	"time"
)

// event is a line of a server's log.
type event struct {
	At      time.Time     `json:"@timestamp"`
	Message string        `json:"@message"`
	Took    time.Duration `json:"took"`
	Pauses  uint64        `json:"pauses"`
	P99     time.Duration `json:"pause_p99"`
	Longest time.Duration `json:"pause_longest"`
	Stops   time.Duration `json:"stopping_p99"` // the part of a pause until all threads stood still
}

// What servers say.
const (
	froze    = "froze the state for a snapshot"
	wrote    = "wrote a snapshot"
	restored = "restored a snapshot"
	memory   = "memory"
)

// events returns the lines with a message that came after a time.
func (n *node) events(message string, after time.Time) ([]event, error) {
	text, err := os.ReadFile(n.log())
	if err != nil {
		return nil, err
	}
	var found []event
	for line := range bytes.Lines(text) {
		var e event
		if !bytes.Contains(line, []byte(message)) || json.Unmarshal(line, &e) != nil {
			continue
		}
		if e.Message == message && e.At.After(after) {
			found = append(found, e)
		}
	}
	return found, nil
}

// longest is the longest that an event took.
func longest(es []event) time.Duration {
	var most time.Duration
	for _, e := range es {
		most = max(most, e.Took)
	}
	return most
}
