package kubernetes

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// tokenReview is the part of authentication.k8s.io/v1 TokenReview that is asked and looked at.
type tokenReview struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Spec       reviewSpec   `json:"spec"`
	Status     reviewStatus `json:"status,omitzero"`
}

type reviewSpec struct {
	Token     string   `json:"token"`
	Audiences []string `json:"audiences,omitempty"`
}

type reviewStatus struct {
	Authenticated bool     `json:"authenticated"`
	Audiences     []string `json:"audiences,omitempty"` // of those that were asked for; none: the API does not know audiences
	User          struct {
		Username string `json:"username"`
		UID      string `json:"uid"`
	} `json:"user,omitzero"`
}

const reviewPath = "/apis/authentication.k8s.io/v1/tokenreviews"

// review asks the cluster whose token it is. Who has no valid one is nobody: nil.
func review(ctx context.Context, s *remote.Server, reviewer, text string, audiences []string) (*account, error) {
	bearer := reviewer
	if bearer == "" {
		bearer = text
	}
	a, err := s.Do(ctx, remote.Call{Method: http.MethodPost, Path: reviewPath, Bearer: bearer, Body: tokenReview{
		APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview", Spec: reviewSpec{Token: text, Audiences: audiences},
	}})
	if err != nil {
		return nil, err
	}
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden {
		if reviewer == "" {
			return nil, nil // of the token itself
		}
		return nil, engine.Unreachable("the Kubernetes API does not let token_reviewer_jwt, or the service account of this pod, review tokens: it answers with status %d", a.Status)
	}
	var r tokenReview
	if err := a.Into(&r); err != nil {
		return nil, err
	}
	switch {
	case r.Kind != "TokenReview":
		return nil, engine.Unreachable("the Kubernetes API answers with something else than a TokenReview")
	case !r.Status.Authenticated:
		return nil, nil
	case len(r.Status.Audiences) > 0 && !slices.ContainsFunc(r.Status.Audiences, func(a string) bool { return slices.Contains(audiences, a) }):
		return nil, nil
	}
	who := strings.Split(r.Status.User.Username, ":") // system:serviceaccount:NAMESPACE:NAME
	if len(who) != 4 || who[0] != "system" || who[1] != "serviceaccount" {
		return nil, nil // a token of somebody else
	}
	return &account{Namespace: who[2], Name: who[3], UID: r.Status.User.UID}, nil
}
