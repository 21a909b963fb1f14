package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// loginFlags are the flags of `grove login`.
type loginFlags struct {
	method, path                string
	noStore, noPrint, tokenOnly bool
}

func newLogin(env *environment) *cobra.Command {
	f := &loginFlags{}
	c := command(env, "login [TOKEN | - | KEY=VALUE…]", "Log in, or check a token, and keep the token for later commands", cobra.ArbitraryArgs, f.run)
	c.Flags().StringVar(&f.method, "method", "token", "login method: "+methodNames())
	c.Flags().StringVar(&f.path, "path", "", "where the method is mounted (default: its name)")
	c.Flags().BoolVar(&f.noStore, "no-store", false, "do not keep the token")
	c.Flags().BoolVar(&f.noPrint, "no-print", false, "do not print the token")
	c.Flags().BoolVar(&f.tokenOnly, "token-only", false, "only print the token: -no-store -field=token")
	return c
}

func (f *loginFlags) run(s *session, args []string) error {
	if f.tokenOnly {
		f.noStore, s.p.field = true, "token"
	}
	t, auth, err := f.authenticate(s, args)
	if err != nil {
		return err
	}
	if !f.noStore {
		if err := keepToken(s.env, t); err != nil {
			return err
		}
		s.warnOfVariable()
	}
	if f.noPrint {
		return nil
	}
	if s.p.format == "table" && s.p.field == "" {
		if err := s.say("%s", f.success()); err != nil {
			return err
		}
	}
	return s.p.secret(auth)
}

// loginMethod logs in with the fields that were given, below a mount, and returns the answer with the token.
type loginMethod func(s *session, at string, fields map[string]any) (*answer, error)

// loginMethods are those that take fields, by the name of -method, which is also where they are mounted if nothing else is said.
func loginMethods() map[string]loginMethod {
	return map[string]loginMethod{"github": loginGitHub, "jwt": loginJWT, "kubernetes": loginKubernetes, "oidc": loginOIDC, "userpass": loginUserpass}
}

// methodNames lists all methods.
func methodNames() string {
	names := append(slices.Sorted(maps.Keys(loginMethods())), "token")
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// authenticate returns a token and the answer that is shown for it.
func (f *loginFlags) authenticate(s *session, args []string) (string, *answer, error) {
	if f.method != "token" {
		return f.with(s, args)
	}
	if len(args) > 1 {
		return "", nil, fmt.Errorf("too many arguments: one token, or - for standard input, got %d", len(args))
	}
	t, err := s.readToken(args)
	if err != nil {
		return "", nil, err
	}
	s.c.token = t
	a, err := s.get("authenticating", "auth/token/lookup-self")
	if err != nil {
		return "", nil, err
	}
	auth, err := authOf(t, a)
	return t, auth, err
}

// with logs in with a method that takes fields.
func (f *loginFlags) with(s *session, args []string) (string, *answer, error) {
	login, ok := loginMethods()[f.method]
	if !ok {
		return "", nil, fmt.Errorf("login method %q is not supported: %s are", f.method, methodNames())
	}
	fields, err := s.fieldsOf(args)
	if err != nil {
		return "", nil, err
	}
	at := f.path
	if text, ok := fields["mount"].(string); ok { // as the reference has it, too
		at = text
		delete(fields, "mount")
	}
	if at = strings.Trim(at, "/"); at == "" {
		at = f.method
	}
	s.c.token = ""
	a, err := login(s, "auth/"+at, fields)
	if err != nil {
		return "", nil, err
	}
	auth, _ := a.raw["auth"].(map[string]any)
	t, _ := auth["client_token"].(string)
	if t == "" {
		return "", nil, errors.New("the answer to the login has no token")
	}
	return t, a, nil
}

// loginUserpass logs in with username=… and password=….
func loginUserpass(s *session, at string, fields map[string]any) (*answer, error) {
	name, _ := fields["username"].(string)
	if name == "" {
		return nil, errors.New("userpass needs username=NAME")
	}
	if err := s.ask(fields, "password", "Password"); err != nil {
		return nil, err
	}
	delete(fields, "username")
	return s.put("authenticating", at+"/login/"+name, fields)
}

// loginJWT logs in with role=… and jwt=….
func loginJWT(s *session, at string, fields map[string]any) (*answer, error) {
	if err := s.ask(fields, "jwt", "JWT"); err != nil {
		return nil, err
	}
	return s.put("authenticating", at+"/login", fields)
}

// loginKubernetes logs in with role=… and jwt=…, the token of a service account.
func loginKubernetes(s *session, at string, fields map[string]any) (*answer, error) {
	if role, _ := fields["role"].(string); role == "" {
		return nil, errors.New("kubernetes needs role=NAME")
	}
	return loginJWT(s, at, fields)
}

// loginGitHub logs in with token=…, or what the variable has that the reference takes it from.
func loginGitHub(s *session, at string, fields map[string]any) (*answer, error) {
	if text := setting(s.env, "", "AUTH_GITHUB_TOKEN"); text != "" && fields["token"] == nil {
		fields["token"] = text
	}
	if err := s.ask(fields, "token", "GitHub Personal Access Token"); err != nil {
		return nil, err
	}
	return s.put("authenticating", at+"/login", fields)
}

// ask reads a secret that was not given from standard input.
func (s *session) ask(fields map[string]any, name, prompt string) error {
	if _, ok := fields[name]; ok {
		return nil
	}
	fmt.Fprint(s.env.stderr, prompt+": ")
	text, err := readLine(s.env.stdin)
	if err != nil {
		return fmt.Errorf("reading the %s: %w", name, err)
	}
	fields[name] = strings.TrimSuffix(text, "\r")
	return nil
}

func (f *loginFlags) success() string {
	if f.noStore {
		return "Success! You are now authenticated. The token was not stored: set GROVE_TOKEN or\nrun \"grove login\" without -no-store.\n"
	}
	return "Success! You are now authenticated. The token information displayed below\nis already stored in ~/" + tokenFiles[0] + ". You do NOT need to run \"grove login\"\nagain. Future requests of this user use this token.\n"
}

// warnOfVariable: a token in the environment goes before the one just stored.
func (s *session) warnOfVariable() {
	for _, name := range []string{"GROVE_TOKEN", "VAULT_TOKEN"} {
		if s.env.getenv(name) != "" {
			fmt.Fprintf(s.env.stderr, "WARNING! The environment variable %s is set. It takes precedence over the token\nthat was just stored; unset it to use that one.\n\n", name)
			return
		}
	}
}

// authOf makes of the lookup of a token what a login method would have answered.
func authOf(t string, a *answer) (*answer, error) {
	data := a.data()
	renewable, _ := data["renewable"].(bool)
	raw := map[string]any{
		"request_id": a.raw["request_id"], "lease_id": "", "lease_duration": json.Number("0"), "renewable": false, "data": nil, "warnings": a.raw["warnings"],
		"auth": map[string]any{
			"client_token": t, "accessor": data["accessor"], "policies": data["policies"], "token_policies": data["policies"],
			"identity_policies": data["identity_policies"], "metadata": data["meta"], "lease_duration": data["ttl"], "renewable": renewable,
			"entity_id": data["entity_id"], "orphan": data["orphan"], "token_type": data["type"],
		},
	}
	body, err := json.Marshal(raw)
	return &answer{raw: raw, body: body}, err
}

func (s *session) readToken(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return strings.TrimPrefix(args[0], "token="), nil
	}
	if len(args) == 0 {
		fmt.Fprint(s.env.stderr, "Token: ")
	}
	text, err := readLine(s.env.stdin)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	t := strings.TrimSpace(text)
	if t == "" {
		return "", errors.New("no token was given")
	}
	return t, nil
}

// readLine reads to the end of the line and not further: a terminal has no end.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < 1<<16 {
		_, err := io.ReadFull(r, one)
		if errors.Is(err, io.EOF) || err == nil && one[0] == '\n' {
			break
		}
		if err != nil {
			return "", err
		}
		line = append(line, one[0])
	}
	return string(line), nil
}
