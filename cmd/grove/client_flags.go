package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// defaultAddress is where a client looks when nothing else is said, as the reference's.
const defaultAddress = "https://127.0.0.1:8200"

// clientFlags are what every client command takes.
type clientFlags struct {
	address, format, field string
	caCert, caPath         string
	cert, key, serverName  string
	skipVerify             bool
	idempotencyKey         string
}

func (f *clientFlags) register(c *cobra.Command) {
	f.registerConnection(c)
	fl := c.Flags()
	fl.StringVar(&f.format, "format", "", "table, json or yaml; also GROVE_FORMAT or VAULT_FORMAT")
	fl.StringVar(&f.field, "field", "", "print this field only, without anything around it")
	fl.StringVar(&f.idempotencyKey, "idempotency-key", "", "send this Idempotency-Key with the write, so that the command may be run again within 24 h")
	formats := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc("format", formats); err != nil {
		panic(err) // the flag is registered above
	}
}

// registerConnection adds what says where the server is, and how to trust it.
func (f *clientFlags) registerConnection(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.address, "address", "", "server; also GROVE_ADDR or VAULT_ADDR (default "+defaultAddress+")")
	fl.StringVar(&f.caCert, "ca-cert", "", "PEM file of the CA; also GROVE_CACERT or VAULT_CACERT")
	fl.StringVar(&f.caPath, "ca-path", "", "folder of PEM files of CAs; also GROVE_CAPATH or VAULT_CAPATH")
	fl.StringVar(&f.cert, "client-cert", "", "PEM file of the client's certificate; also GROVE_CLIENT_CERT or VAULT_CLIENT_CERT")
	fl.StringVar(&f.key, "client-key", "", "PEM file of its key; also GROVE_CLIENT_KEY or VAULT_CLIENT_KEY")
	fl.StringVar(&f.serverName, "tls-server-name", "", "name to expect in the server's certificate; also VAULT_TLS_SERVER_NAME")
	fl.BoolVar(&f.skipVerify, "tls-skip-verify", false, "do not verify the server's certificate; also VAULT_SKIP_VERIFY")
}

// setting is the flag, or GROVE_name, or VAULT_name.
func setting(env *environment, flag, name string) string {
	for _, v := range []string{flag, env.getenv("GROVE_" + name), env.getenv("VAULT_" + name)} {
		if v != "" {
			return v
		}
	}
	return ""
}

// client makes the client that flags and environment ask for.
func (f *clientFlags) client(env *environment) (*client, error) {
	c := &client{addr: setting(env, f.address, "ADDR"), key: f.idempotencyKey}
	if c.addr == "" {
		c.addr = defaultAddress
	}
	u, err := url.Parse(c.addr)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) {
		return nil, fmt.Errorf("address %q: want http://host:port or https://host:port", c.addr)
	}
	t, err := f.tls(env)
	if err != nil {
		return nil, err
	}
	c.http = newHTTPClient(t)
	c.token, err = findToken(env)
	return c, err
}

func (f *clientFlags) tls(env *environment) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: setting(env, f.serverName, "TLS_SERVER_NAME"), InsecureSkipVerify: f.skipVerify}
	if text := setting(env, "", "SKIP_VERIFY"); text != "" && !f.skipVerify {
		skip, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("SKIP_VERIFY=%q: want true or false", text)
		}
		t.InsecureSkipVerify = skip
	}
	files, err := f.caFiles(env)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("CA certificate: %w", err)
		}
		if t.RootCAs == nil {
			t.RootCAs = x509.NewCertPool()
		}
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA certificate: no certificate in %s", file)
		}
	}
	cert, key := setting(env, f.cert, "CLIENT_CERT"), setting(env, f.key, "CLIENT_KEY")
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// caFiles are the files to trust; none: those of the system.
func (f *clientFlags) caFiles(env *environment) ([]string, error) {
	if file := setting(env, f.caCert, "CACERT"); file != "" {
		return []string{file}, nil
	}
	dir := setting(env, f.caPath, "CAPATH")
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// tokenFiles are where `login` leaves the token, and where the reference's CLI does.
var tokenFiles = []string{".grove-token", ".vault-token"}

func findToken(env *environment) (string, error) {
	if t := setting(env, "", "TOKEN"); t != "" {
		return strings.TrimSpace(t), nil
	}
	home := env.getenv("HOME")
	if home == "" {
		return "", nil
	}
	for _, name := range tokenFiles {
		b, err := os.ReadFile(filepath.Join(home, name))
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("token file: %w", err)
		}
	}
	return "", nil
}

// keepToken writes the token file of later commands, for its owner only.
func keepToken(env *environment, t string) error {
	home := env.getenv("HOME")
	if home == "" {
		return errors.New("HOME is not set: nowhere to keep the token (use -no-store)")
	}
	tmp, err := os.CreateTemp(home, tokenFiles[0]+".*") // mode 0600, whatever the old file has
	if err != nil {
		return fmt.Errorf("keeping the token: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(t)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(home, tokenFiles[0]))
	}
	if err != nil {
		return fmt.Errorf("keeping the token: %w", err)
	}
	return nil
}
