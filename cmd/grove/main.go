// Command grove is the server and the client of a clustered token store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set at release builds with -ldflags "-X main.version=…".
var version = "0.1.0"

// environment is what a run takes from its process.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	// ready, if set, is called with the API addresses once a server serves: for tests.
	ready func(addrs []string, rootToken string)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := &environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	code := run(ctx, os.Args[1:], env)
	stop()
	os.Exit(code)
}

// exitError carries the exit code of a command that has said all it has to say.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// run is the whole program: 0 is success, 1 a local error, 2 an error of the server.
func run(ctx context.Context, args []string, env *environment) int {
	root := newRoot(env)
	root.SetArgs(normalize(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := 1
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(env.stderr, text)
	}
	return code
}

func newRoot(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use: "grove", Short: "Clustered token store", Version: version,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetIn(env.stdin)
	root.AddCommand(newServer(env), newVersion(env))
	addClientCommands(root, env)
	return root
}

func newVersion(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(env.stdout, "Grove v%s\n", version)
			return err
		},
	}
}

// normalize turns the reference's long flags with one dash (-dev, -address=…) into
// those with two. A lone "-" and what follows "--" stay.
func normalize(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		name := strings.TrimLeft(a, "-")
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && len(name) > 1 {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
