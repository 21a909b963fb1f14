package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTimerSlack starts the test's program as a process that makes itself start again, and asks every thread of
// that what it has.
func TestTimerSlack(t *testing.T) {
	if os.Getenv("GROVE_TEST_SLACKEN") != "" {
		err := slacken()
		n, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		fmt.Printf("again=%q slack=%d error=%v\n", os.Getenv(startedAgain), n, err)
		return
	}
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"started again":      {nil, `again="1" slack=1000000 error=<nil>`},
		"not more than once": {[]string{startedAgain + "=1"}, `again="1" slack=50000 error=the system has a timer slack of 50000 ns, and does not keep another`},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTimerSlack$")
		cmd.Env = append(append(os.Environ(), "GROVE_TEST_SLACKEN=1"), c.env...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s\nwant %s", name, err, out, c.want)
		}
	}
}
