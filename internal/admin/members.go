package admin

import (
	"context"
	"errors"
	"fmt"

	"ciderd/internal/admin/api"
	"ciderd/internal/membership"
)

// Members is who knows of the cluster's servers, and changes them. *membership.Membership is one.
type Members interface {
	Members(ctx context.Context) ([]membership.Status, error)
	Change(ctx context.Context, op, name string, yes bool) (said string, err error)
}

func (s *Server) members(ctx context.Context, _ struct{}) (api.MemberList, error) {
	list, err := s.config.Members.Members(ctx)
	if err != nil && len(list) == 0 {
		return api.MemberList{}, leaderless(err)
	}
	answer := api.MemberList{Members: list, NoLeader: errors.Is(err, membership.ErrNoLeader)}
	if err != nil {
		answer.Warning = fmt.Sprintf("as %s sees it, which may be out of date: %v", s.config.Name, err)
	}
	return answer, nil
}

func (s *Server) change(ctx context.Context, q api.ChangeRequest) (api.Done, error) {
	said, err := s.config.Members.Change(ctx, q.Op, q.Name, q.Yes)
	return api.Done{Said: said}, refused(leaderless(err), membership.ErrRefused)
}

// leaderless makes an error of a room that knows no leader one of the socket, in the same words.
func leaderless(err error) error {
	if errors.Is(err, membership.ErrNoLeader) {
		return noLeader{err}
	}
	return err
}

type noLeader struct{ error }

func (e noLeader) Is(target error) bool { return target == api.ErrNoLeader }
func (e noLeader) Unwrap() error        { return e.error }

// refused makes an error that wraps what a room calls refused one of the socket, in the same words.
func refused(err, is error) error {
	if errors.Is(err, is) {
		return refusal{err}
	}
	return err
}

type refusal struct{ error }

func (e refusal) Is(target error) bool { return target == api.ErrRefused }
func (e refusal) Unwrap() error        { return e.error }
