package audit

import (
	"errors"
	"sync/atomic"
	"time"

	table "github.com/tokengrove/grove/fsm/audit"
)

// Bounds of a device: the lines that wait for it, and the bytes that one write takes of them (or
// one line, if that is longer).
const (
	queueLines = 1024
	writeBytes = 256 << 10
)

var (
	errStuck   = errors.New("the device is stuck: a write takes longer than its write_timeout")
	errTimeout = errors.New("the device has not taken the record within its write_timeout")
	errClosed  = errors.New("the device is closed")
)

// line is one record on its way to a sink. done takes one error, and has room for it.
type line struct {
	b    []byte
	done chan error
}

// device is an opened audit device.
type device struct {
	table.Device
	options
	lines  chan line
	again  chan struct{} // open anew
	quit   chan struct{}
	gone   chan struct{} // closed when the goroutine has ended
	busy   atomic.Int64  // since when the goroutine is in the sink, 0: it is not
	report func(path string, err error)
	ready  bool // of the goroutine: the sink is open
	ailing bool // of the goroutine: the last write has failed
}

// start opens d, and returns before it is open.
func (c *Config) start(d table.Device) (*device, error) {
	o, err := c.parse(&d)
	if err != nil {
		return nil, err
	}
	out := &device{
		Device: d, options: o, report: c.Report, lines: make(chan line, queueLines), again: make(chan struct{}, 1),
		quit: make(chan struct{}), gone: make(chan struct{}),
	}
	out.reopen()
	go out.run()
	return out, nil
}

// reopen has the sink closed and opened again, before the next write.
func (d *device) reopen() {
	select {
	case d.again <- struct{}{}:
	default:
	}
}

// close ends the goroutine, and waits for it unless it is stuck.
func (d *device) close() {
	close(d.quit)
	t := time.NewTimer(d.limit)
	defer t.Stop()
	select {
	case <-d.gone:
	case <-t.C:
	}
}

// run is the device's goroutine.
func (d *device) run() {
	defer close(d.gone)
	defer d.shut()
	for {
		select {
		case <-d.quit:
			d.drop()
			return
		case <-d.again:
			d.enter()
			d.shut()
			d.tell(d.ensure())
			d.busy.Store(0)
		case first := <-d.lines:
			d.enter()
			d.flush(d.gather(first))
			d.busy.Store(0)
		}
	}
}

func (d *device) enter() { d.busy.Store(time.Now().UnixNano()) }

// drop refuses what still waits.
func (d *device) drop() {
	for {
		select {
		case l := <-d.lines:
			l.done <- errClosed
		default:
			return
		}
	}
}

// gather takes what waits behind first, up to the size of a write.
func (d *device) gather(first line) []line {
	ls, size := []line{first}, len(first.b)
	for !d.sink.single() && size < writeBytes {
		select {
		case l := <-d.lines:
			ls, size = append(ls, l), size+len(l.b)
		default:
			return ls
		}
	}
	return ls
}

// flush writes lines and answers each. A sink that was open before may have gone away meanwhile: it
// is opened again, once.
func (d *device) flush(ls []line) {
	var err error
	for fresh := false; len(ls) > 0 && !fresh; {
		fresh = !d.ready
		if err = d.ensure(); err != nil {
			break
		}
		var n int
		n, err = d.sink.write(joined(ls))
		ls = settled(ls, n)
		if err == nil && len(ls) == 0 {
			break
		}
		d.shut()
	}
	d.tell(err)
	for _, l := range ls {
		l.done <- err
	}
}

func joined(ls []line) []byte {
	if len(ls) == 1 {
		return ls[0].b
	}
	var b []byte
	for _, l := range ls {
		b = append(b, l.b...)
	}
	return b
}

// settled answers the lines that are in the first n bytes, and returns the others.
func settled(ls []line, n int) []line {
	for len(ls) > 0 && len(ls[0].b) <= n {
		n -= len(ls[0].b)
		ls[0].done <- nil
		ls = ls[1:]
	}
	return ls
}

// ensure opens the sink if it is closed.
func (d *device) ensure() error {
	if d.ready {
		return nil
	}
	err := d.sink.open()
	d.ready = err == nil
	return err
}

func (d *device) shut() {
	if d.ready {
		d.sink.close()
		d.ready = false
	}
}

// tell reports that the device has begun to fail, or works again.
func (d *device) tell(err error) {
	if (err != nil) != d.ailing {
		d.ailing = err != nil
		d.report(d.Path, err)
	}
}

// stuck reports whether the goroutine has been in the sink for too long.
func (d *device) stuck() bool {
	since := d.busy.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(d.limit)
}

// submit hands a line to the goroutine without waiting. ok is false when there is no room.
func (d *device) submit(l line) (ok bool) {
	if d.stuck() {
		l.done <- errStuck
		return true
	}
	select {
	case d.lines <- l:
		return true
	default:
		return false
	}
}

// await waits for the answer to a line until the device's time is over. The line is submitted here
// if there was no room for it.
func (d *device) await(l line, submitted bool, begin time.Time) error {
	t := time.NewTimer(d.limit - time.Since(begin))
	defer t.Stop()
	if !submitted {
		select {
		case d.lines <- l:
		case <-t.C:
			return errTimeout
		case <-d.gone:
			return errClosed
		}
	}
	select {
	case err := <-l.done:
		return err
	case <-t.C:
		return errTimeout
	case <-d.gone:
		select {
		case err := <-l.done: // it was answered before the end
			return err
		default:
			return errClosed
		}
	}
}
