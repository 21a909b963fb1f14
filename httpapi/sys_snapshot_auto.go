package httpapi

import (
	"net/url"
	"path/filepath"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

var autoFields = schema{
	"interval": seconds, "retain": integer, "path_prefix": text, "file_prefix": text, "storage_type": text, "local_max_space": integer,
}

// maxFilePrefix leaves room in the name of a file for time, index and mark.
const maxFilePrefix = 128

// writeAuto writes a configuration of automatic snapshots.
func writeAuto(rq *request) (*response, error) {
	s := fsm.Schedule{Name: rq.text("name"), Interval: rq.seconds("interval"), Retain: 1, PathPrefix: rq.text("path_prefix"), FilePrefix: "vault-snapshot"}
	if rq.has("retain") {
		s.Retain = uint32(max(0, min(rq.integer("retain"), fsm.MaxRetain+1)))
	}
	if rq.has("file_prefix") {
		s.FilePrefix = rq.text("file_prefix")
	}
	switch space := rq.integer("local_max_space"); {
	case rq.text("storage_type") != "local":
		return nil, invalid("storage_type %q: only \"local\" is allowed", rq.text("storage_type"))
	case !filepath.IsAbs(s.PathPrefix):
		return nil, invalid("path_prefix %q: an absolute path of a folder is needed", s.PathPrefix)
	case len(s.FilePrefix) > maxFilePrefix:
		return nil, invalid("file_prefix: at most %d bytes are allowed", maxFilePrefix)
	case space < 0:
		return nil, invalid("local_max_space cannot be negative")
	default:
		s.MaxSpace = uint64(space)
	}
	_, err := rq.propose(&fsm.PutSchedule{Caller: rq.asker(), Schedule: s})
	return nil, err
}

// deleteAuto deletes one; its files stay.
func deleteAuto(rq *request) (*response, error) {
	_, err := rq.propose(&fsm.DeleteSchedule{Caller: rq.asker(), Name: rq.text("name")})
	return nil, err
}

func listAuto(rq *request) (*response, error) {
	var names []string
	rq.api.store.View(func(m *fsm.Machine) {
		for _, s := range m.Schedules() {
			names = append(names, s.Name)
		}
	})
	return keys(names, "system")
}

// auto finds a configuration.
func (rq *request) auto() (s fsm.Schedule, err error) {
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { s, ok = m.Schedule(rq.text("name")) })
	if !ok {
		return s, errNotFound
	}
	return s, nil
}

func readAuto(rq *request) (*response, error) {
	s, err := rq.auto()
	if err != nil {
		return nil, err
	}
	return &response{data: map[string]any{
		"interval": wholeSeconds(s.Interval), "retain": s.Retain, "path_prefix": s.PathPrefix, "file_prefix": s.FilePrefix,
		"storage_type": "local", "local_max_space": s.MaxSpace,
	}, mount: "system"}, nil
}

// autoStatus says what became of the last automatic snapshots: last_… is the last that succeeded, snapshot_… the last
// attempt.
func autoStatus(rq *request) (*response, error) {
	s, err := rq.auto()
	if err != nil {
		return nil, err
	}
	next := s.Next()
	if next == 0 {
		next = token.InstantOf(rq.api.cfg.Now()) // at once
	}
	return &response{data: map[string]any{
		"consecutive_errors": s.Failures, "last_snapshot_error": s.Last.Error, "next_snapshot_start": moment(next),
		"last_snapshot_start": moment(s.Good.Start), "last_snapshot_end": moment(s.Good.End), "last_snapshot_url": fileURL(s.Good.File),
		"last_snapshot_index": s.Good.Index, "last_snapshot_node": s.Good.Node,
		"snapshot_start": moment(s.Last.Start), "snapshot_url": fileURL(s.Last.File), "snapshot_node": s.Last.Node,
	}, mount: "system"}, nil
}

// moment writes an instant; "": there is none.
func moment(i token.Instant) string {
	if i == 0 {
		return ""
	}
	return i.Time().UTC().Format(time.RFC3339Nano)
}

// fileURL writes the path of a file; "": there is none.
func fileURL(path string) string {
	if path == "" {
		return ""
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
