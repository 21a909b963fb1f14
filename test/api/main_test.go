package api

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	addrFlag  = flag.String("addr", "", "server to test, or several, separated by commas (default: a cluster of three is started)")
	tokenFlag = flag.String("token", "root", "root token of the server")
)

// nodes are the servers under test.
var nodes []string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if *addrFlag != "" {
		for _, a := range strings.Split(*addrFlag, ",") {
			nodes = append(nodes, strings.TrimRight(strings.TrimSpace(a), "/"))
		}
		return m.Run(), nil
	}
	stop, err := startCluster()
	if err != nil {
		return 1, fmt.Errorf("starting a cluster to test: %w", err)
	}
	defer stop()
	return m.Run(), nil
}

// startCluster builds the binary and runs three nodes in one process.
func startCluster() (func(), error) {
	dir, err := os.MkdirTemp("", "grove-api")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "grove")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/tokengrove/grove/cmd/grove").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "server", "-dev", "-dev-nodes=3", "-dev-root-token-id="+*tokenFlag, fmt.Sprintf("-dev-listen-address=127.0.0.1:%d", port))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		os.RemoveAll(dir)
	}
	for i := range 3 {
		nodes = append(nodes, fmt.Sprintf("http://127.0.0.1:%d", port+10*i))
	}
	ready := make(chan error, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if strings.Contains(sc.Text(), "Ctrl-C") {
				ready <- nil
			}
		}
		ready <- errors.New("the server ended")
	}()
	select {
	case err = <-ready:
	case <-time.After(60 * time.Second):
		err = errors.New("the server did not come up within a minute")
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// freePort finds a port with room for three nodes after it, below those that the system gives to
// outgoing connections: after a load test many of these are taken.
func freePort() (int, error) {
	for range 100 {
		p, ok := 20000+rand.IntN(12000), true
		for i := 0; i < 23 && ok; i++ {
			n, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+i))
			if ok = err == nil; ok {
				n.Close()
			}
		}
		if ok {
			return p, nil
		}
	}
	return 0, errors.New("no free ports")
}
