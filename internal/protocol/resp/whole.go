package resp

// whole takes the next request if all of it is buffered and nothing is remarkable about it, as with most; nil: parse has to
// look at it. It returns what parse and take would, in less time: what has come is looked at once.
func (r *Reader) whole() [][]byte {
	if r.begun.kind != unknown {
		return nil
	}
	b := r.buf[r.r:r.w]
	if len(b) == 0 || b[0] != '*' {
		return nil
	}
	count, at := shortNumber(b, 1)
	if count == 0 || count > fewArgs || count > r.limits.Args {
		return nil
	}
	args := r.args[:0]
	if cap(args) > keptArgs {
		args = r.few[:0]
	}
	for range count {
		if at >= len(b) || b[at] != '$' {
			return nil
		}
		size, from := shortNumber(b, at+1)
		if from == 0 || size > r.limits.Bulk || len(b)-from < size+bulkFraming {
			return nil
		}
		args = append(args, b[from:from+size:from+size])
		at = from + size + bulkFraming
	}
	if at > r.limits.Request || isHTTP(args[0]) {
		return nil
	}
	r.r += at
	r.args = args
	return args
}

// shortNumber reads a number of at most seven digits at from, as Redis prints it, with the CR and the byte behind it. It
// returns where these end; 0: there is something else, or more is to come.
func shortNumber(b []byte, from int) (n, end int) {
	const digits = 7
	for i := from; i < len(b) && i <= from+digits; i++ {
		switch c := b[i]; {
		case '0' <= c && c <= '9':
			n = n*10 + int(c-'0')
		case c != '\r' || i == from || i+1 == len(b) || b[from] == '0' && i > from+1:
			return 0, 0
		default:
			return n, i + len("\r\n")
		}
	}
	return 0, 0
}
