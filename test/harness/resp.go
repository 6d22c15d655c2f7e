package harness

import (
	"fmt"
	"strings"
)

// RESP is a request of Redis' protocol, as programs send it.
func RESP(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b.String()
}
