// Command grove is the server and the client of a clustered token store.
//
// `grove server` runs a node of a cluster from configuration files as they are written for
// Vault's integrated storage, or, with -dev, a whole cluster in one process. All other
// commands are clients of the HTTP API, with the names, flags, environment variables and
// exit codes of Vault's: 0 success, 1 a wrong call or a server that fails, 2 an error that the API
// answered.
//
// Invariants: nothing but main reads the process's arguments, environment and standard streams,
// so that tests run the same run; every error is printed once, on standard error; a token is
// printed only where the user asked for one, and never logged.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// version is set at release builds with -ldflags "-X main.version=…".
var version = "0.1.0"

// environment is what a run takes from its process.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	terminal       bool // stdout is one
	errTerminal    bool // stderr is one
	// hangup, if set, starts to catch SIGHUP: a server reads its certificates again then.
	hangup func() <-chan os.Signal
	// slacken, if set, gives a server's threads the timer slack: a process may start its program again for that.
	slacken func() error
	// ready, if set, is called with the API addresses once a server serves: for tests.
	ready func(addrs []string, rootToken string)
	// devMultiplier stretches the time-outs of -dev: for tests, which share a machine.
	devMultiplier float64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	env := &environment{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, hangup: hangup, slacken: slacken}
	env.terminal, env.errTerminal = isTerminal(os.Stdout), isTerminal(os.Stderr)
	os.Exit(run(ctx, os.Args[1:], env))
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func hangup() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// exitError carries the exit code of a command; without err, it has said all it has to say.
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

// Unwrap gives errors.As the error below.
func (e *exitError) Unwrap() error { return e.err }

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
		fmt.Fprintln(env.stderr, capitalized(text))
	}
	return code
}

// capitalized makes a sentence of an error.
func capitalized(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
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

// normalize turns the reference's long flags with one dash (-dev, -address=…) into those with
// two. Single letters (-f), "-", numbers, and what follows "--" stay.
func normalize(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && unicode.IsLetter(rune(a[1])) && a[2] != '=' {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
