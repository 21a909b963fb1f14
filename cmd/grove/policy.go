package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tokengrove/grove/httpapi/acl"
)

const policyPath = "sys/policies/acl/"

func newPolicyList(env *environment) *cobra.Command {
	return command(env, "list", "List the policies", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.keys("listing policies", strings.TrimSuffix(policyPath, "/"), nil)
		if err != nil {
			return err
		}
		return s.p.list(a.data()["keys"], "")
	})
}

func newPolicyRead(env *environment) *cobra.Command {
	return command(env, "read NAME", "Print a policy", cobra.ExactArgs(1), func(s *session, args []string) error {
		name := policyName(args[0])
		a, err := s.get("reading policy named "+name, policyPath+name)
		if err != nil {
			return missing(err, "no policy named: %s", name)
		}
		text := plain(a.data()["policy"])
		if s.p.format != "table" || s.p.field != "" {
			return s.p.object(map[string]any{"policy": text}, nil)
		}
		return s.say("%s", strings.TrimSpace(text))
	})
}

// policyName is the name as the server keeps it.
func policyName(arg string) string { return strings.ToLower(strings.TrimSpace(arg)) }

func newPolicyWrite(env *environment) *cobra.Command {
	return command(env, "write NAME FILE | -", "Write a policy", cobra.ExactArgs(2), func(s *session, args []string) error {
		source := args[1]
		if source != "-" {
			source = "@" + source
		}
		text, err := s.expand(source)
		if err != nil {
			return fmt.Errorf("reading the policy: %w", err)
		}
		name := policyName(args[0])
		if _, err := s.put("uploading policy", policyPath+name, map[string]any{"policy": text}); err != nil {
			return err
		}
		return s.say("Success! Uploaded policy: %s", name)
	})
}

func newPolicyDelete(env *environment) *cobra.Command {
	return command(env, "delete NAME", "Delete a policy", cobra.ExactArgs(1), func(s *session, args []string) error {
		name := policyName(args[0])
		if _, err := s.do(request{what: "deleting " + name, method: http.MethodDelete, path: policyPath + name}); err != nil {
			return err
		}
		return s.say("Success! Deleted policy: %s", name)
	})
}

func newPolicyFmt(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "fmt FILE", Short: "Format a policy file in place", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("policy file: %w", err)
			}
			out, err := acl.Format(string(b))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := os.WriteFile(args[0], []byte(strings.TrimRight(out, "\n")+"\n"), 0o644); err != nil {
				return fmt.Errorf("policy file: %w", err)
			}
			_, err = fmt.Fprintf(env.stdout, "Success! Formatted policy: %s\n", args[0])
			return err
		},
	}
}
