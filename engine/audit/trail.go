package audit

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	table "github.com/tokengrove/grove/fsm/audit"
)

// Config is what New needs.
type Config struct {
	Stdout io.Writer // of the file device "stdout"; nil: none
	// Report is told when a device begins to fail, and, with nil, when it works again. It is called
	// by the goroutines of devices, and must not block. nil: nobody is told.
	Report func(path string, err error)
	Now    func() time.Time // nil: time.Now
	Syslog string           // where the system's log listens; "": the usual places
}

// Trail is the audit devices of a node. It is safe for concurrent use. A nil Trail records nothing.
type Trail struct {
	cfg     Config
	mu      sync.Mutex // one Sync at a time
	current atomic.Pointer[set]
}

// set is the devices of one table.
type set struct {
	table   *table.Table
	devices []*device
	broken  []error // devices that this build does not know how to open
}

// New returns a trail without devices.
func New(c Config) *Trail {
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Report == nil {
		c.Report = func(string, error) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	t := &Trail{cfg: c}
	t.current.Store(&set{table: &table.Table{}})
	return t
}

// Table returns the table whose devices are open.
func (t *Trail) Table() *table.Table { return t.current.Load().table }

// Sync opens and closes devices until they are those of the table that read returns. It is read
// while no other Sync is under way, so that an older one never replaces a newer. Opening is not waited
// for: a device that cannot be opened fails its records, and tries again at each.
func (t *Trail) Sync(read func() *table.Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, want := t.current.Load(), read()
	if old.table == want {
		return
	}
	next := &set{table: want}
	kept := map[*device]bool{}
	for _, d := range want.Devices {
		if k := old.find(&d); k != nil {
			next.devices, kept[k] = append(next.devices, k), true
			continue
		}
		opened, err := t.cfg.start(d)
		if err != nil {
			err = fmt.Errorf("audit device %s: %w", d.Path, err)
			next.broken = append(next.broken, err)
			t.cfg.Report(d.Path, err)
			continue
		}
		next.devices = append(next.devices, opened)
	}
	t.current.Store(next)
	for _, d := range old.devices {
		if !kept[d] {
			d.close()
		}
	}
}

// find returns the device that is opened as d says.
func (s *set) find(d *table.Device) *device {
	for _, k := range s.devices {
		if reflect.DeepEqual(k.Device, *d) {
			return k
		}
	}
	return nil
}

// Reopen opens all files and connections again: the files may have been moved away.
func (t *Trail) Reopen() {
	for _, d := range t.current.Load().devices {
		d.reopen()
	}
}

// Close closes all devices.
func (t *Trail) Close() { t.Sync(func() *table.Table { return &table.Table{} }) }

// Probe opens d beside the devices that there are, writes a test record to it as the reference
// does, and closes it: what it returns is what is wrong with d on this node.
func (t *Trail) Probe(d table.Device) error {
	quiet := t.cfg
	quiet.Report = func(string, error) {}
	probe, err := quiet.start(d)
	if err != nil {
		return err
	}
	defer probe.close()
	r := &Record{Entry: Entry{Type: "request", Request: &Request{
		Operation: "update", Path: "sys/audit/test", Namespace: &Namespace{ID: "root"},
	}}}
	if err := t.write(&set{table: &table.Table{}, devices: []*device{probe}}, r); err != nil {
		var e *failure
		errors.As(err, &e)
		return fmt.Errorf("sanity check failed; %w", e.err)
	}
	return nil
}

// failure is why a device has not recorded something.
type failure struct {
	path string
	err  error
}

// Error implements error.
func (f *failure) Error() string { return "audit device " + f.path + ": " + f.err.Error() }

// Unwrap gives errors.Is the error below.
func (f *failure) Unwrap() error { return f.err }

// Write records r. It returns nil when at least one device has it, or there is none. Where all that
// could not were closed meanwhile, those that are open now decide.
func (t *Trail) Write(r *Record) error {
	for {
		s := t.current.Load()
		err := t.write(s, r)
		if err == nil || !errors.Is(err, errClosed) || t.current.Load() == s {
			return err
		}
	}
}

func (t *Trail) write(s *set, r *Record) error {
	if len(s.devices) == 0 {
		return errors.Join(s.broken...)
	}
	stamped, begin := *r, time.Now()
	stamped.Time = t.cfg.Now().UTC().Format(time.RFC3339Nano)
	ls, submitted := make([]line, len(s.devices)), make([]bool, len(s.devices))
	for i, d := range s.devices {
		ls[i].done = make(chan error, 1)
		b, err := d.line(&stamped, s.table.Headers)
		if err != nil {
			ls[i].done <- err
			submitted[i] = true
			continue
		}
		ls[i].b = b
		submitted[i] = d.submit(ls[i])
	}
	var all error
	done := false
	for i, d := range s.devices {
		if err := d.await(ls[i], submitted[i], begin); err != nil {
			all = errors.Join(all, &failure{d.Path, err})
		} else {
			done = true
		}
	}
	if done {
		return nil
	}
	return fmt.Errorf("no audit backend succeeded in logging: %w", all)
}
