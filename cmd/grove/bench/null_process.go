package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// NullProcess is a Config.Null that runs a command which serves null: a process of its own, as
// the servers it is compared with are. The first line that the command prints ends with the server's URL.
func NullProcess(name string, args ...string) func(context.Context) (string, func() error, error) {
	return func(ctx context.Context) (string, func() error, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.StdoutPipe()
		if err != nil {
			return "", nil, fmt.Errorf("null server: %w", err)
		}
		if err := cmd.Start(); err != nil {
			return "", nil, fmt.Errorf("null server: %w", err)
		}
		stop := func() error {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("stopping the null server: %w", err)
			}
			var killed *exec.ExitError
			if err := cmd.Wait(); err != nil && !errors.As(err, &killed) {
				return fmt.Errorf("stopping the null server: %w", err)
			}
			return nil
		}
		line, err := bufio.NewReader(io.LimitReader(out, 1<<10)).ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) == 0 {
			return "", nil, errors.Join(fmt.Errorf("the null server does not come up: %q", line), stop())
		}
		return words[len(words)-1], stop, nil
	}
}
