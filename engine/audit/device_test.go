package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	table "github.com/tokengrove/grove/fsm/audit"
)

func TestFile(t *testing.T) {
	file := tempFile(t)
	tr := opened(t, Config{}, fileAt("f/", file, "mode", "0640"))
	mustWrite(t, tr, sample("request"))
	mustWrite(t, tr, sample("response"))
	es := entries(t, read(t, file))
	if len(es) != 2 || es[0]["type"] != "request" || es[1]["type"] != "response" {
		t.Fatalf("got %v", es)
	}
	if _, err := time.Parse(time.RFC3339Nano, es[0]["time"].(string)); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", st.Mode(), err)
	}
}

func TestFileModeStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, nil, 0o604); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, opened(t, Config{}, fileAt("f/", file, "mode", "0000")), sample("request"))
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o604 {
		t.Errorf("mode %v, %v, want 0604 as before", st.Mode(), err)
	}
}

func TestStdout(t *testing.T) {
	var out bytes.Buffer
	mustWrite(t, opened(t, Config{Stdout: &out}, fileAt("f/", "stdout")), sample("request"))
	if len(entries(t, out.Bytes())) != 1 {
		t.Errorf("got %q", out.String())
	}
}

// TestRotation: who moves the file away has it opened again, and no record is lost meanwhile.
func TestRotation(t *testing.T) {
	file := tempFile(t)
	tr := opened(t, Config{}, fileAt("f/", file))
	var stop atomic.Bool
	var wrote atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if err := tr.Write(sample("request")); err != nil {
					t.Error(err)
					return
				}
				wrote.Add(1)
			}
		})
	}
	var all int
	for i := range 5 {
		n := wrote.Load()
		eventually(t, "records before the rotation", func() bool { return wrote.Load() > n+10 || t.Failed() })
		if err := os.Rename(file, fmt.Sprint(file, i)); err != nil {
			t.Fatal(err)
		}
		tr.Reopen()
		eventually(t, "the new file", func() bool { _, err := os.Stat(file); return err == nil })
	}
	stop.Store(true)
	wg.Wait()
	for i := range 5 {
		all += len(entries(t, read(t, fmt.Sprint(file, i))))
	}
	if all += len(entries(t, read(t, file))); all != int(wrote.Load()) {
		t.Errorf("%d records in six files, %d were acknowledged", all, wrote.Load())
	}
}

// TestFullDisk fills a small file system, if this may be mounted here; /dev/full says the same
// everywhere.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	tr := opened(t, Config{}, fileAt("full/", "/dev/full"))
	err := tr.Write(sample("request"))
	if err == nil || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no audit backend succeeded") {
		t.Fatalf("the only device is full: %v", err)
	}
	use(tr, fileAt("full/", "/dev/full"), fileAt("second/", "discard"))
	mustWrite(t, tr, sample("request"))
}

func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system here: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	file, ballast := filepath.Join(dir, "audit.log"), filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 16<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var reports atomic.Int64
	tr := New(Config{Report: func(string, error) { reports.Add(1) }})
	use(tr, fileAt("f/", file))
	defer tr.Close()
	wrote := 0
	for tr.Write(sample("response")) == nil {
		if wrote++; wrote > 1000 {
			t.Fatal("64 KiB take a thousand records")
		}
	}
	for range 3 {
		if err := tr.Write(sample("response")); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v, want that the disk is full", err)
		}
	}
	if reports.Load() != 1 {
		t.Errorf("%d reports, want one: it fails", reports.Load())
	}
	// Room again: the next record is a line of its own, whatever was cut off before.
	full := read(t, file)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, tr, sample("response"))
	if full[len(full)-1] == '\n' {
		return // by chance no line was cut off
	}
	if es := entries(t, read(t, file)[len(full)+1:]); len(es) != 1 {
		t.Errorf("%d records after there was room, want one on a line of its own", len(es))
	}
	if n := len(entries(t, full[:bytes.LastIndexByte(full, '\n')+1])); n < wrote {
		t.Errorf("%d whole records in the full file, %d were acknowledged", n, wrote)
	}
	if reports.Load() != 2 {
		t.Errorf("%d reports, want two: it fails, it works", reports.Load())
	}
}

func TestSocket(t *testing.T) {
	l := listen(t)
	got := make(chan string, 10)
	var first atomic.Pointer[net.Conn]
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			first.CompareAndSwap(nil, &c)
			go func() {
				for sc := bufio.NewScanner(c); sc.Scan(); {
					got <- sc.Text()
				}
			}()
		}
	}()
	tr := opened(t, Config{}, socketAt("s/", "tcp", l.Addr().String()))
	mustWrite(t, tr, sample("request"))
	if e := entries(t, []byte(<-got)); e[0]["type"] != "request" {
		t.Errorf("got %v", e)
	}
	(*first.Load()).Close()
	// What is written into a connection that the peer has closed may be lost once, as TCP has
	// it; then the device dials again.
	eventually(t, "a record over a new connection", func() bool {
		tr.Write(sample("response"))
		select {
		case line := <-got:
			return strings.Contains(line, `"type":"response"`)
		default:
			return false
		}
	})
}

func TestDatagrams(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tr := opened(t, Config{}, socketAt("s/", "udp", c.LocalAddr().String()))
	for range 3 {
		mustWrite(t, tr, sample("request"))
	}
	b := make([]byte, 64<<10)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	for range 3 {
		n, _, err := c.ReadFrom(b)
		if err != nil || len(entries(t, b[:n])) != 1 {
			t.Fatalf("a datagram %q, %v, want one record", b[:n], err)
		}
	}
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := table.Device{Path: "s/", Type: "syslog", Options: map[string]string{"facility": "local3", "tag": "who"}}
	mustWrite(t, opened(t, Config{Syslog: path}, d), sample("request"))
	b := make([]byte, 64<<10)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, _, err := c.ReadFrom(b)
	text := string(b[:n])
	if head := fmt.Sprintf(" who[%d]: {", os.Getpid()); err != nil || !strings.HasPrefix(text, "<158>") || !strings.Contains(text, head) {
		t.Errorf("got %q, %v, want <19*8+6> and %q", text, err, head)
	}
}

// TestBlockedSocket: a peer that takes nothing holds up nobody beyond the deadline, and, once it is
// known to be stuck, nobody at all; with a second device everything goes on.
func TestBlockedSocket(t *testing.T) {
	l := listen(t) // nobody accepts, nobody reads
	const limit = 300 * time.Millisecond
	stuck := socketAt("stuck/", "tcp", l.Addr().String(), "write_timeout", limit.String())
	file := tempFile(t)
	tr := opened(t, Config{}, stuck, fileAt("f/", file))
	big := sample("request")
	big.PlainRequest = []string{"fill"}
	big.Request.Data["fill"] = strings.Repeat("x", 1<<20)
	wrote := 0
	for end := time.Now().Add(30 * time.Second); ; wrote++ {
		if err := tr.Write(big); err != nil {
			t.Fatalf("with a second device: %v", err)
		}
		if d := tr.current.Load().devices[1]; d.Path != "stuck/" {
			t.Fatal("which one is it?")
		} else if len(d.lines) > 0 || d.busy.Load() != 0 {
			break // its answer was not waited for any more
		}
		if wrote > 64 && time.Now().After(end) {
			t.Skip("the system buffers everything")
		}
	}
	if n := len(entriesAt(t, file)); n != wrote+1 {
		t.Errorf("%d records in the file, want %d", n, wrote+1)
	}
	use(tr, stuck)
	errs := make(chan error, 100)
	for range 100 {
		go func() { errs <- tr.Write(big) }()
	}
	recorded := 0
	for range 100 {
		select {
		case err := <-errs:
			if err == nil {
				recorded++ // a device that was only slow until now has some room in the system's buffers
			}
		case <-time.After(60 * time.Second):
			t.Fatal("a request waits for a blocked device")
		}
	}
	if recorded > 50 {
		t.Errorf("the only device is blocked, and has recorded %d of 100 MiB", recorded)
	}
}

func entriesAt(t *testing.T, file string) []string {
	return strings.Split(strings.TrimSuffix(string(read(t, file)), "\n"), "\n")
}

// gate is a place that takes nothing until it is opened.
type gate struct{ open chan struct{} }

func (g gate) Write(b []byte) (int, error) { <-g.open; return len(b), nil }

// TestStuck: a write that never returns, as of a dead network file system.
func TestStuck(t *testing.T) {
	g := gate{make(chan struct{})}
	tr := opened(t, Config{Stdout: g}, fileAt("f/", "stdout", "write_timeout", "50ms"))
	if err := tr.Write(sample("request")); !errors.Is(err, errTimeout) {
		t.Fatalf("got %v, want that it takes too long", err)
	}
	d := tr.current.Load().devices[0]
	eventually(t, "it is known to be stuck", d.stuck)
	if err := tr.Write(sample("request")); !errors.Is(err, errStuck) {
		t.Errorf("got %v, want a refusal at once", err)
	}
	if n := len(d.lines); n > 1 {
		t.Errorf("%d records wait for a stuck device", n)
	}
	close(g.open)
	eventually(t, "it works again", func() bool { return tr.Write(sample("request")) == nil })
}

// TestQueueIsBounded: more requests at once than a device has room for fail, and none is kept.
func TestQueueIsBounded(t *testing.T) {
	g := gate{make(chan struct{})}
	tr := opened(t, Config{Stdout: g}, fileAt("f/", "stdout", "write_timeout", "1s"))
	defer close(g.open)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 2 * queueLines {
		wg.Go(func() {
			if tr.Write(sample("request")) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := len(tr.current.Load().devices[0].lines); n > queueLines || failed.Load() != 2*queueLines {
		t.Errorf("%d lines wait, %d of %d failed", n, failed.Load(), 2*queueLines)
	}
}

func TestProbe(t *testing.T) {
	tr := New(Config{})
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	if err := tr.Probe(fileAt("f/", file)); err != nil {
		t.Fatal(err)
	}
	if e := entries(t, read(t, file)); len(e) != 1 || at(e[0], "request", "path") != "sys/audit/test" {
		t.Errorf("got %v", e)
	}
	for name, d := range map[string]table.Device{
		"a folder":          fileAt("f/", dir),
		"below a file":      fileAt("f/", filepath.Join(file, "x")),
		"a full disk":       fileAt("f/", "/dev/full"),
		"nobody listens":    socketAt("s/", "tcp", "127.0.0.1:1"),
		"an unknown option": fileAt("f/", "discard", "a", "b"),
	} {
		if err := tr.Probe(d); err == nil {
			t.Errorf("%s: accepted", name)
		} else if name == "a folder" && !strings.Contains(err.Error(), "sanity check failed; unable to open") {
			t.Errorf("%s: %v", name, err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := tr.Probe(fileAt("f/", pipe)); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
}

// TestSync: devices that stay are not opened again, and one that goes away fails nobody.
func TestSync(t *testing.T) {
	file := tempFile(t)
	tr := opened(t, Config{}, fileAt("f/", file))
	mustWrite(t, tr, sample("request"))
	kept := tr.current.Load().devices[0]
	use(tr, fileAt("f/", file), fileAt("g/", "discard"))
	if ds := tr.current.Load().devices; len(ds) != 2 || ds[0] != kept {
		t.Error("a device that stays was opened again")
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if err := tr.Write(sample("request")); err != nil {
					t.Errorf("a record while devices change: %v", err)
					return
				}
			}
		})
	}
	for i := range 50 {
		if i%2 == 0 {
			use(tr, fileAt("h/", "discard"))
		} else {
			use(tr, fileAt("f/", file))
		}
	}
	stop.Store(true)
	wg.Wait()
	use(tr)
	mustWrite(t, tr, sample("request")) // nobody wants to know
	old := &table.Table{Devices: []table.Device{fileAt("x/", "discard")}}
	tr.Sync(func() *table.Table { return old })
	if tr.Table() != old {
		t.Error("the table is not the one that was read")
	}
}

// TestUnknownType: a table may have what this build cannot open; then nothing is recorded, and that is
// said.
func TestUnknownType(t *testing.T) {
	tr := opened(t, Config{}, table.Device{Path: "x/", Type: "tape"})
	if err := tr.Write(sample("request")); err == nil || !strings.Contains(err.Error(), "tape") {
		t.Errorf("got %v", err)
	}
}
