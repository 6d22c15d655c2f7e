package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"ciderd/internal/admin/api"
	"ciderd/internal/config"
)

// Limits is the verb that shows the limits on memory.
func Limits() Verb {
	return Verb{
		Name: "limits", Summary: "show the limits on memory, and what files say", Group: ToANode, Facts: true,
		Text: `It sets nothing: the limits are in the file (limits.max_memory, when_full and
quota), and a node proposes what has changed there when it starts or reloads.
Shares of users: ciderd help user.`,
		Run: limits,
	}
}

// leastShare is the least quota or reserve, in bytes.
const leastShare = 64 << 10

// shares are the verbs about the memory of one user.
func shares() []Verb {
	return []Verb{
		{
			Name: "user quota", Args: "NAME SIZE|none", Summary: "bound what a user can take", Group: ToANode, Min: 2, Max: 2,
			Text: `Beyond it what the user has used least is evicted, or with when_full = "reject"
what would grow is refused. none: limits.quota holds for the user again.`,
			Run: sharing(api.SetQuota),
		},
		{
			Name: "user reserve", Args: "NAME SIZE|none", Summary: "keep memory for a user, whatever others do", Group: ToANode,
			Min: 2, Max: 2,
			Text: `It takes at most 15/16 of the user's quota, and all reserves together at most
7/16 of the limit.`,
			Run: sharing(api.SetReserve),
		},
	}
}

func sharing(k api.Call[api.ShareRequest, api.Done]) func(*Call) error {
	return func(c *Call) error {
		m, err := config.ParseMemory(c.Words[1], leastShare, config.MemoryNone)
		if err != nil {
			return usageError{err}
		}
		return say(c, k, api.ShareRequest{Name: c.Words[0], Bytes: int64(m)})
	}
}

func limits(c *Call) error {
	l, err := ask(c, api.ShowLimits, struct{}{})
	if err != nil {
		return err
	}
	return c.Print(l, func(w io.Writer) error { return writeLimits(w, &l) })
}

func writeLimits(out io.Writer, l *api.Limits) error {
	if !l.Set {
		fmt.Fprint(out, "No limit has been set: memory is not bounded. Write limits.max_memory into the file, and reload.\n\n")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "limit\t%s\n", config.Memory(l.MaxMemory))
	fmt.Fprintf(w, "when full\t%s\n", l.WhenFull)
	fmt.Fprintf(w, "default quota\t%s\n", config.Memory(l.Quota))
	fmt.Fprintf(w, "working limit\t%s\n", config.Memory(l.Working))
	fmt.Fprintf(w, "in use\t%s\n\n", about(l.Memory))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "NODE\tMAX_MEMORY\tWHEN_FULL\tQUOTA\tMEMORY\t")
	for _, n := range l.Nodes {
		memory := "-"
		if n.Memory > 0 {
			memory = about(n.Memory)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, orDash(n.MaxMemory), orDash(n.WhenFull), orDash(n.Quota), memory, n.Reason)
	}
	return w.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// about returns an amount of memory for people: 1.5GiB.
func about(bytes int64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	n, u := float64(bytes), 0
	for ; n >= 1024 && u < len(units)-1; u++ {
		n /= 1024
	}
	if u == 0 {
		return fmt.Sprint(bytes, units[u])
	}
	return fmt.Sprintf("%.1f%s", n, units[u])
}
