package compose

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"
)

// commandTimeout bounds one command of the host.
const commandTimeout = 60 * time.Second

// run runs a command and returns what it printed.
func run(ctx context.Context, name string, args ...string) (string, error) {
	return runWith(ctx, "", name, args...)
}

// runWith is run with standard input.
func runWith(ctx context.Context, input, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = 5 * time.Second
	return output(cmd)
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, text)
	}
	return text, nil
}

// freePorts finds ports of loopback, below those that the system gives to outgoing connections.
func freePorts(n int) ([]int, error) {
	var ports []int
	for p := 20000 + int(time.Now().UnixNano()/1000%10000); p < 32000 && len(ports) < n; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			continue
		}
		l.Close()
		ports = append(ports, p)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("no %d free ports on 127.0.0.1 below 32000", n)
	}
	return ports, nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await polls until done returns nil, or ctx ends: then its last error says why.
func await(ctx context.Context, what string, done func() error) error {
	for {
		err := done()
		if err == nil {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("%s: not in time: %w", what, err)
		}
	}
}
