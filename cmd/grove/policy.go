package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tokengrove/grove/httpapi/acl"
)

func newPolicyList(env *environment) *cobra.Command {
	return command(env, "list", "List the policies", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.try("listing policies", "GET", "sys/policies/acl?list=true", nil)
		if err != nil {
			return err
		}
		return s.lines(a)
	})
}

// lines prints the keys of a list.
func (s *session) lines(a *answer) error {
	data, _ := a.raw["data"].(map[string]any)
	if s.p.format != "table" {
		return s.p.encode(data["keys"])
	}
	list, _ := data["keys"].([]any)
	for _, k := range list {
		if err := s.say("%v", k); err != nil {
			return err
		}
	}
	return nil
}

func newPolicyRead(env *environment) *cobra.Command {
	return command(env, "read NAME", "Print a policy", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.try("reading policy named "+args[0], "GET", "sys/policies/acl/"+args[0], nil)
		if err != nil {
			return err
		}
		if s.p.format != "table" {
			return s.p.encode(a.raw["data"])
		}
		data, _ := a.raw["data"].(map[string]any)
		return s.say("%s", strings.TrimSpace(plain(data["policy"])))
	})
}

func newPolicyWrite(env *environment) *cobra.Command {
	return command(env, "write NAME FILE | -", "Write a policy", cobra.ExactArgs(2), func(s *session, args []string) error {
		text := args[1]
		if text != "-" {
			text = "@" + text
		}
		text, err := s.expand(text)
		if err != nil {
			return fmt.Errorf("reading the policy: %w", err)
		}
		name := strings.ToLower(strings.TrimSpace(args[0]))
		if _, err := s.try("uploading policy", "PUT", "sys/policies/acl/"+name, map[string]any{"policy": text}); err != nil {
			return err
		}
		return s.say("Success! Uploaded policy: %s", name)
	})
}

func newPolicyDelete(env *environment) *cobra.Command {
	return command(env, "delete NAME", "Delete a policy", cobra.ExactArgs(1), func(s *session, args []string) error {
		if _, err := s.try("deleting "+args[0], "DELETE", "sys/policies/acl/"+args[0], nil); err != nil {
			return err
		}
		return s.say("Success! Deleted policy: %s", args[0])
	})
}

func newPolicyFmt(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "fmt FILE", Short: "Format a policy file in place", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			out, err := acl.Format(string(b))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := os.WriteFile(args[0], []byte(strings.TrimRight(out, "\n")+"\n"), 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "Success! Formatted policy: %s\n", args[0])
			return err
		},
	}
}
