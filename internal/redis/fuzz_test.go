package redis

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"testing"

	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// FuzzSession feeds a session with whatever a client may send: it never panics, and answers each request with exactly
// one reply, of the protocol's version, unless it has been told not to.
func FuzzSession(f *testing.F) {
	for _, script := range []string{
		"SET k v\nGET k\nMGET k k none\nINCR n\nAPPEND k x\nGETRANGE k 0 -1\nSETRANGE k 3 x\nGETEX k EX 10\nGETEX k EX x\n",
		"HELLO 3\nMULTI\nSET a 1\nGET a\nKEYS *\nDBSIZE\nPING\nAUTH alice wrong\nHELLO 2\nGET a\nRANDOMKEY\nEXEC\nGET a\n",
		"WATCH a b\nSET a 1\nMULTI\nEXISTS a a\nEXEC x\nEXEC\nDISCARD\nRESET\nAUTH alice secret\nSIGNUP bob secret\n",
		"CLIENT REPLY OFF\nPING\nCLIENT REPLY ON\nCLIENT REPLY SKIP\nFOO\nCLIENT LIST\nCLIENT KILL ID 1\nCOMMAND INFO get\nCOMMAND DOCS set\n",
		"CIDERD.ONCE i SET k v\nCIDERD.GETV k\nCIDERD.CAS k 1 w\nCIDERD.SYNC\nEXPIRE k 100 NX\nTTL k\nCOPY k l REPLACE\nRENAME l m\nFLUSHALL\n",
		"OBJECT ENCODING k\nTYPE k\nTIME\nSCAN 0\nEVAL x 0\nSUBSCRIBE c\nINCRBYFLOAT f 1.5\nMSET a 1 b\nMSETNX a 1\nDELIFEQ a 1\nQUIT\nPING\n",
	} {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		p := start(t, session.Config{MaxValue: 4096}).user("alice") // in one world wrong passwords would add up
		r := resp.NewReader(bytes.NewReader(stream))
		r.SetLimits(resp.SessionLimits(4096))
		for !p.Over() && !p.ended.Load() {
			args, event := r.Next()
			switch event {
			case resp.Request:
				silent := p.replies.off || p.replies.skip
				p.out = p.out[:0]
				name := string(args[0])
				p.Serve(args)
				p.Session.Wait()
				p.one(t, name, silent)
			case resp.None:
				if r.Fill() != nil {
					return
				}
			default:
				return
			}
		}
	})
}

// one wants exactly one reply, or none where the session has been told so, or has ended.
func (p *peer) one(t *testing.T, name string, silent bool) {
	in := bufio.NewReader(bytes.NewReader(p.out))
	n := 0
	for {
		if _, err := in.Peek(1); err != nil {
			break
		}
		if err := skipReply(in); err != nil {
			t.Fatalf("%q is answered %q: %v", name, p.out, err)
		}
		n++
	}
	quiet := silent || p.replies.off || p.replies.skip || p.Over()
	if n > 1 || n == 0 && !quiet {
		t.Fatalf("%q is answered %q, which is %d replies", name, p.out, n)
	}
}

// skipReply reads one reply.
func skipReply(in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(bytes.TrimRight([]byte(line[1:]), "\r\n")))
	switch line[0] {
	case '$', '=', '*', '~', '>', '%':
		if err != nil {
			return err
		}
	}
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			_, err = io.CopyN(io.Discard, in, int64(n)+2)
		}
		return err
	case '%':
		n *= 2
	case '*', '~', '>':
	case '+', '-', ':', '_', '#', ',', '(':
		return nil
	default:
		return strconv.ErrSyntax
	}
	for range n {
		if err := skipReply(in); err != nil {
			return err
		}
	}
	return nil
}
