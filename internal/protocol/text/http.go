package text

import "bytes"

// looksLikeHTTP reports whether a line is the first one of an HTTP request, which a browser that was lured here
// has sent: it must not get another line through. head and tail are how the line begins and ends; of a short one
// both are the whole of it.
func looksLikeHTTP(head, tail []byte) bool {
	if bytes.HasPrefix(head, []byte("POST ")) || looksLikeHost(head) {
		return true
	}
	method, target, ok := bytes.Cut(head, []byte(" "))
	return ok && isToken(method) && isTarget(target) && endsInHTTP(tail)
}

// looksLikeHost reports whether a line is HTTP's Host: no command of ours begins like that.
func looksLikeHost(line []byte) bool {
	return len(line) >= len("Host:") && bytes.EqualFold(line[:len("Host:")], []byte("Host:"))
}

// isToken reports whether b may be a method: RFC 9110, 5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isTarget reports whether a target of a request begins b: a path, a URL, host and port, or *. A user name is none.
func isTarget(b []byte) bool {
	word, _, _ := bytes.Cut(b, []byte(" "))
	return len(word) > 0 && (word[0] == '/' || word[0] == '*' || bytes.IndexByte(word, ':') >= 0)
}

// endsInHTTP reports whether the last word of b is a version of HTTP.
func endsInHTTP(b []byte) bool {
	i := bytes.LastIndex(b, []byte(" HTTP/"))
	version := b[i+1:]
	return i >= 0 && len(version) > len("HTTP/") && version[len("HTTP/")]-'0' <= 9
}
