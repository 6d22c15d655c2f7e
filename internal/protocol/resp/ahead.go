package resp

import "bytes"

// getHeader is how a GET begins, in the letter case of its name that a client sends.
var getHeaders = [...][]byte{[]byte("*2\r\n$3\r\nGET\r\n$"), []byte("*2\r\n$3\r\nget\r\n$")}

// GetsAhead appends to keys, up to its capacity, the key of each of the next requests, as long as these are complete
// GETs. It is a hint of what is coming, for a caller that can prepare for that: nothing is taken. The keys are valid
// until the next call of Next, Fill or Release.
func (r *Reader) GetsAhead(keys [][]byte) [][]byte {
	rest := r.buf[r.r:r.w]
	for len(keys) < cap(keys) {
		key, size := getAhead(rest)
		if size == 0 {
			break
		}
		keys, rest = append(keys, key), rest[size:]
	}
	return keys
}

// getAhead returns the key of the GET that b begins with, and the size of that request; 0 if there is none.
func getAhead(b []byte) (key []byte, size int) {
	const header = len("*2\r\n$3\r\nGET\r\n$")
	if !bytes.HasPrefix(b, getHeaders[0]) && !bytes.HasPrefix(b, getHeaders[1]) {
		return nil, 0
	}
	end := bytes.IndexByte(b[header:min(len(b), header+8)], '\r')
	if end < 0 {
		return nil, 0
	}
	n, ok := ParseInt(b[header : header+end])
	from := header + end + len("\r\n")
	if !ok || n < 0 || from+int(n)+bulkFraming > len(b) {
		return nil, 0
	}
	return b[from : from+int(n)], from + int(n) + bulkFraming
}
