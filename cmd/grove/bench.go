package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tokengrove/grove/cmd/grove/bench"
)

// benchFlags are the flags of `grove bench` beside those of all client commands.
type benchFlags struct {
	client      clientFlags
	cfg         bench.Config
	null        nullFlags
	plot        string
	compareNull bool
}

// nullFlags are those of the null server.
type nullFlags struct{ address, cert, key string }

// tls is nil for a server without.
func (f *nullFlags) tls() (*tls.Config, error) {
	if f.cert == "" && f.key == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("-null-cert and -null-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}, nil
}

func (f *nullFlags) serve(ctx context.Context, env *environment) error {
	t, err := f.tls()
	if err != nil {
		return err
	}
	return bench.ServeNull(ctx, f.address, t, func(url string) error {
		_, err := fmt.Fprintln(env.stdout, "Null server on", url)
		return err
	})
}

func newBench(env *environment) *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use: "bench WORKLOAD...", Short: "Measure servers of the token API", Long: benchHelp(),
		ValidArgs: bench.Workloads(),
		RunE:      func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), env, args) },
	}
	f.client.registerConnection(c)
	fl := c.Flags()
	fl.Lookup("address").Usage = "servers, separated by commas; also GROVE_ADDR or VAULT_ADDR (default " + defaultAddress + ")"
	fl.StringVar(&f.client.format, "format", "", "table or json; also GROVE_FORMAT or VAULT_FORMAT")
	fl.StringVar(&f.cfg.Token, "token", "", "token that may make tokens; others can see it in the list of processes: better GROVE_TOKEN or VAULT_TOKEN")
	fl.IntVar(&f.cfg.Load.Clients, "clients", 32, "clients that send at the same time")
	fl.DurationVar(&f.cfg.Load.Duration, "duration", 0, "length of the measured part (default 10s, unless -count is given)")
	fl.IntVar(&f.cfg.Load.Count, "count", 0, "end after so many measured requests")
	fl.Float64Var(&f.cfg.Load.Rate, "rate", 0, "requests per second of all clients; latencies count from when a request was due (default as fast as answered)")
	fl.DurationVar(&f.cfg.Load.Warmup, "warmup", bench.DefaultWarmup, "load before the measured part")
	fl.DurationVar(&f.cfg.Load.Timeout, "timeout", 0, "of one request (default 10s)")
	fl.IntVar(&f.cfg.Tokens.Stock, "tokens", 0, "tokens made beforehand (default 1000; revoke: 10000, or as many as -count or -rate need)")
	fl.DurationVar(&f.cfg.Tokens.TTL, "ttl", 0, "TTL of the tokens (default 1h)")
	fl.IntVar(&f.cfg.Tree.Children, "children", 0, "tree: children of the parent, or of the end of the chain (default 1000, unless -depth is given)")
	fl.IntVar(&f.cfg.Tree.Depth, "depth", 0, "tree: length of a chain below the parent")
	fl.IntVar(&f.cfg.Failover.KillPID, "kill-pid", 0, "failover: process to kill, if you do not do it yourself")
	fl.DurationVar(&f.cfg.Failover.KillAfter, "kill-after", bench.DefaultKillAfter, "failover: when to kill it")
	fl.BoolVar(&f.cfg.Keep, "keep", false, "do not revoke the run's tokens at the end")
	fl.StringVar(&f.plot, "plot", "", "draw throughput and latencies into this .svg or .png file")
	fl.StringVar(&f.null.address, "null", "", "do not load anything: serve a null server on this address")
	fl.StringVar(&f.null.cert, "null-cert", "", "certificate of the null server, a PEM file: it serves TLS then")
	fl.StringVar(&f.null.key, "null-key", "", "its key, a PEM file")
	fl.BoolVar(&f.compareNull, "compare-null", false, "run each workload on a null server first, and print the ratio")
	return c
}

func benchHelp() string {
	var b strings.Builder
	b.WriteString("Loads servers that speak the token API and prints rates, latencies and errors.\n\nWorkloads:\n")
	for _, name := range bench.Workloads() {
		fmt.Fprintf(&b, "  %-9s %s\n", name, bench.Describe(name))
	}
	b.WriteString("\nThe tokens that it makes descend from one, which it revokes at the end.")
	return b.String()
}

func (f *benchFlags) run(ctx context.Context, env *environment, args []string) error {
	if f.null.address != "" {
		return f.null.serve(ctx, env)
	}
	if f.null != (nullFlags{}) {
		return errors.New("-null-cert and -null-key are the null server's: they need -null")
	}
	if err := f.configure(env, args); err != nil {
		return err
	}
	emit, err := f.output(env)
	if err != nil {
		return err
	}
	if f.plot != "" {
		chart, err := bench.NewChart(f.plot)
		if err != nil {
			return err
		}
		print := emit
		emit = func(r bench.Result) error {
			chart.Add(r)
			return errors.Join(print(r), chart.Save()) // after each: nothing is lost when a later one fails
		}
	}
	err = bench.Run(ctx, f.cfg, emit)
	if err == nil || errors.Is(err, bench.ErrInterrupted) {
		return err
	}
	return &exitError{2, err}
}

// configure completes the configuration from arguments and environment.
func (f *benchFlags) configure(env *environment, args []string) error {
	for _, a := range args {
		f.cfg.Workloads = append(f.cfg.Workloads, strings.FieldsFunc(a, isComma)...)
	}
	f.cfg.Addresses = strings.FieldsFunc(setting(env, f.client.address, "ADDR"), isComma)
	if len(f.cfg.Addresses) == 0 {
		f.cfg.Addresses = []string{defaultAddress}
	}
	var err error
	if f.cfg.TLS, err = f.client.tls(env); err != nil {
		return err
	}
	if f.cfg.Token == "" {
		if f.cfg.Token, err = findToken(env); err != nil {
			return err
		}
	}
	if f.compareNull {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("-compare-null: %w", err)
		}
		f.cfg.Null = bench.NullProcess(self, "bench", "-null=127.0.0.1:0")
	}
	if env.errTerminal {
		f.cfg.Progress = env.stderr
	}
	return f.cfg.Validate()
}

func isComma(r rune) bool { return r == ',' }

// output returns what prints a result.
func (f *benchFlags) output(env *environment) (func(bench.Result) error, error) {
	switch format := strings.ToLower(setting(env, f.client.format, "FORMAT")); format {
	case "json":
		return func(r bench.Result) error { return bench.WriteJSON(env.stdout, r) }, nil
	case "", "table":
		return bench.NewTable(env.stdout, f.compareNull).Write, nil
	default:
		return nil, fmt.Errorf("format %q: table and json are allowed", format)
	}
}
