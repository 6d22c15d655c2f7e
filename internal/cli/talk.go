package cli

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Talk is the verb that is a client of the text port, for people.
func Talk() Verb {
	return Verb{
		Name: "cli", Args: "[-user NAME] [-c COMMAND]", Summary: "talk to a node's text port", Group: OfTheProgram,
		Flags: []Flag{{"addr", "HOST:PORT"}, {"tls", ""}, {"ca", "FILE"}, {"user", "NAME"}, {"c", "COMMAND"}},
		Text: `The line can be edited; Tab completes commands, the arrows bring back earlier
lines, but none with a password. With -user it logs in first, and again if the
connection breaks. The password is asked for, or is the first line of standard
input; LOGIN NAME, SIGNUP NAME and PASSWD ask for theirs without showing it.

  -addr HOST:PORT  localhost:8080 if not given; with -tls localhost:8443
  -tls             encrypt; -ca FILE says whom to trust, else the machine does
  -c COMMAND       do one command and end: 1 if it was answered with an error`,
		Run: talk,
	}
}

const (
	dialTimeout = 5 * time.Second
	// bannerTimeout is how long a node may take for its first line, which it sends at once, and replyTimeout how long for
	// the answer to a login, which may have to wait for its turn.
	bannerTimeout = 10 * time.Second
	replyTimeout  = time.Minute
)

func talk(c *Call) error {
	t := &talker{call: c, out: c.Out, address: "localhost:8080"}
	if err := t.configure(); err != nil {
		return err
	}
	interactive := term.IsTerminal(int(c.In.Fd()))
	input := bufio.NewReader(c.In)
	if t.user != "" {
		var err error
		if t.password, err = c.askPassword(t.user, input, interactive); err != nil {
			return err
		}
	}
	if command, one := c.values["c"]; one {
		return t.once(command)
	}
	if interactive {
		return t.interact()
	}
	return t.pipe(input)
}

// talker is one conversation with a node, over as many connections as it takes.
type talker struct {
	call     *Call
	out      io.Writer
	address  string
	tls      *tls.Config // nil: plain
	user     string      // who is logged in; empty: nobody that is known here
	password string

	conn net.Conn
	in   *bufio.Reader
}

func (t *talker) configure() error {
	v := t.call.values
	t.user = v["user"]
	if strings.ContainsAny(t.user, blanks) {
		return errBlanks
	}
	secret, err := t.call.clientTLS()
	if err != nil {
		return err
	}
	if t.tls = secret; secret != nil {
		t.address = "localhost:8443"
	}
	if v["addr"] != "" {
		t.address = v["addr"]
	}
	host, _, err := net.SplitHostPort(t.address)
	if err != nil {
		return Usage("-addr %s: it is HOST:PORT", t.address)
	}
	if t.tls != nil {
		t.tls.ServerName = host
	}
	return nil
}

// blanks are in no user's name.
const blanks = " \t\r\n"

var errBlanks = Usage("a user's name has no blanks")

// clientTLS returns how a client is to encrypt, by -tls and -ca; nil: not at all.
func (c *Call) clientTLS() (*tls.Config, error) {
	file := c.values["ca"]
	if !c.Given("tls") && file == "" {
		return nil, nil
	}
	config := &tls.Config{}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", file)
		}
	}
	return config, nil
}

// askPassword asks a person without an echo, and takes a script's first line.
func (c *Call) askPassword(user string, in *bufio.Reader, interactive bool) (string, error) {
	if !interactive {
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	fmt.Fprintf(c.Err, "Password of %s: ", user)
	password, err := term.ReadPassword(int(c.In.Fd()))
	fmt.Fprintln(c.Err)
	return string(password), err
}

// connect connects, and logs in if there is somebody to. What the node says then is not shown, but for an error.
func (t *talker) connect() (err error) {
	d := net.Dialer{Timeout: dialTimeout}
	if t.tls != nil {
		t.conn, err = tls.DialWithDialer(&d, "tcp", t.address, t.tls)
	} else {
		t.conn, err = d.Dial("tcp", t.address)
	}
	if err != nil {
		return err
	}
	t.in = bufio.NewReader(t.conn)
	err = t.expect("LOGIN or SIGNUP", bannerTimeout)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%s says nothing for %v: is it a text port?", t.address, bannerTimeout)
		if t.tls == nil {
			err = fmt.Errorf("%w One that encrypts wants -tls", err)
		}
	}
	if err != nil || t.user == "" {
		return err
	}
	if _, err := fmt.Fprintf(t.conn, "LOGIN %s %s\n", t.user, t.password); err != nil {
		return err
	}
	return t.expect("Login successful", replyTimeout)
}

// expect reads a line, within that time, and returns another one as an error.
func (t *talker) expect(want string, within time.Duration) error {
	if err := t.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	line, err := t.in.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line != "" && line != want:
		return errors.New(line)
	case err != nil:
		return fmt.Errorf("%s: %w", t.address, err)
	}
	return t.conn.SetReadDeadline(time.Time{})
}

// once does one command, and prints its reply.
func (t *talker) once(command string) error {
	if strings.ContainsAny(command, "\r\n") {
		return Usage("-c takes one line")
	}
	if err := t.connect(); err != nil {
		return err
	}
	defer t.conn.Close()
	if _, err := fmt.Fprintf(t.conn, "%s\nQUIT\n", command); err != nil {
		return err
	}
	reply, err := io.ReadAll(t.in)
	if err != nil {
		return err
	}
	reply = bytes.TrimSuffix(bytes.TrimSuffix(reply, []byte("BYE\n")), []byte("BYE\r\n"))
	if _, err := t.out.Write(reply); err != nil {
		return err
	}
	if bytes.HasPrefix(reply, []byte("ERR ")) {
		return ExitError(ExitFailed)
	}
	return nil
}

// pipe sends standard input, and prints what comes back until the node has answered all of it.
func (t *talker) pipe(in io.Reader) error {
	if err := t.connect(); err != nil {
		return err
	}
	defer t.conn.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(t.conn, in)
		if half, ok := t.conn.(interface{ CloseWrite() error }); ok && err == nil {
			err = half.CloseWrite()
		}
		sent <- err
	}()
	if _, err := io.Copy(t.out, t.in); err != nil {
		return err
	}
	select {
	case err := <-sent:
		return err
	default: // the node has ended it
		return nil
	}
}
