package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a server may take to end.
const stopTimeout = 10 * time.Second

// process is a server that this run has started.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// startProcess starts a server that writes into a log file.
func startProcess(log string, env []string, name string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		cmd.Wait() // how it ended is of no interest: it was killed, or its log says why
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end, and kills it when it does not.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// ended is an error with the end of the log if the process has ended, else nil.
func (p *process) ended() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	b, err := os.ReadFile(p.log)
	return errors.Join(fmt.Errorf("%s has ended; its log ends with\n%s", p.cmd.Path, b[max(0, len(b)-2000):]), err)
}

// await polls until ok, and gives up when a process has ended or after a minute.
func await(ctx context.Context, what string, of []*process, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		for _, p := range of {
			if err := p.ended(); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// freePorts returns a port of which the next n-1 are free too. They are below those that the system
// gives to outgoing connections, so that no client takes one before its server does.
func freePorts(n int) (int, error) {
	for range 200 {
		base := 20000 + rand.IntN(12000-n)
		var open []net.Listener
		for p := base; p < base+n; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				break
			}
			open = append(open, l)
		}
		for _, l := range open {
			l.Close()
		}
		if len(open) == n {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}

// answers reports whether something listens on the address of a URL.
func answers(url string) bool {
	_, addr, _ := strings.Cut(url, "://")
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}
