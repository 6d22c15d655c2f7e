package redis

import (
	"math"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func numberHandlers() map[string]handler {
	return map[string]handler{
		"incr":        {write: incr},
		"decr":        {write: incr},
		"incrby":      {write: incr},
		"decrby":      {write: incr},
		"incrbyfloat": {write: incrFloat},
	}
}

func incr(_ *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.N = fsm.OpIncr, args[1], 1
	if len(args) == 3 {
		n, err := resp.Integer(args[2])
		if err != nil {
			return nil, err
		}
		w.N = n
	}
	if c.Name == "decr" || c.Name == "decrby" {
		if w.N == math.MinInt64 {
			return nil, resp.ErrDecrement
		}
		w.N = -w.N
	}
	return nil, nil
}

func incrFloat(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	if _, err := resp.Float(args[2]); err != nil {
		return nil, err
	}
	w.Op, w.Key, w.Value = fsm.OpIncrFloat, args[1], args[2]
	return value, nil
}
