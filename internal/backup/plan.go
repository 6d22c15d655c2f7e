package backup

import (
	"fmt"
	"io"

	"ciderd/internal/backup/archive"
	"ciderd/internal/fsm"
)

// Plan is what restoring a file would do.
type Plan struct {
	Head    archive.Head
	Totals  archive.Totals // of the users that would be restored, without what has expired
	Expired int64          // items whose deadline has passed
	// Replaced are the users that have items here.
	Replaced []string
	// Misfits say what does not fit into limits and quotas here.
	Misfits []string
}

// Check reads all of a file, and changes nothing. A file that is damaged, a user who is not in it, and what Options do not
// allow are errors; the last two are a Refusal.
func (c Config) Check(file io.Reader, o Options) (Plan, error) {
	p := planning{config: c, options: o, shares: c.State.Shares(), now: c.Now(), seen: map[string]bool{}}
	_, _, err := archive.Read(file, c.Release, archive.Visitor{
		Head: p.head, User: p.user, Reply: p.reply, Item: p.item,
	})
	if err != nil {
		return p.plan, err
	}
	p.endUser()
	p.whole()
	return p.plan, p.allowed()
}

// readable refuses a file of a state that this release does not know.
func readable(h archive.Head, release string) error {
	if h.Entries > fsm.EntryVersion {
		return refused("the backup holds what this release (%s) does not know: install ciderd %s or later", release, h.Release)
	}
	return nil
}

// planning adds up a file.
type planning struct {
	config  Config
	options Options
	shares  fsm.Shares
	now     int64
	plan    Plan
	seen    map[string]bool

	current  archive.User // without its hash
	wanted   bool         // the current user is restored
	memory   int64        // of it
	fixed    int64        // of all, what cannot be evicted
	total    int64        // memory of all
	reserves int64
	here     fsm.Usage // of those that they replace, added up
}

func (p *planning) head(h archive.Head) error {
	p.plan.Head = h
	return readable(h, p.config.Release)
}

func (p *planning) user(u archive.User) error {
	p.endUser()
	name := string(u.Name)
	if p.seen[name] {
		return fmt.Errorf("%w: user %s stands in it twice", archive.ErrDamaged, name)
	}
	p.seen[name] = true
	if p.wanted = p.options.User == "" || p.options.User == name; !p.wanted {
		return nil
	}
	p.plan.Totals.Users++
	p.current = archive.User{Name: []byte(name), Quota: u.Quota, Reserve: u.Reserve}
	p.memory = fsm.AccountMemory(len(u.Name), len(u.Hash))
	p.fixed += p.memory
	p.reserves += u.Reserve
	p.replaces(name)
	return nil
}

// replaces looks who of that name is here.
func (p *planning) replaces(name string) {
	old, there := p.config.State.Lookup([]byte(name))
	if !there {
		return
	}
	if ks := p.shares.Keyspace(old.ID); ks != nil && ks.Len() > 0 && !old.Restoring {
		p.plan.Replaced = append(p.plan.Replaced, name)
	}
	if u, ok := p.shares.Of(old.ID); ok {
		p.here.Memory += u.Memory
		p.here.Fixed += u.Fixed
		p.here.Reserve += u.Reserve
	}
}

func (p *planning) reply(r archive.Reply) error {
	if p.wanted {
		memory := fsm.ReplyMemory(len(r.ID))
		p.plan.Totals.Replies++
		p.memory += memory
		p.fixed += memory
	}
	return nil
}

func (p *planning) item(i archive.Item) error {
	switch {
	case !p.wanted:
	case i.Deadline != 0 && i.Deadline <= p.now:
		p.plan.Expired++
	default:
		p.plan.Totals.Items++
		p.plan.Totals.Bytes += int64(len(i.Key) + len(i.Value))
		p.memory += fsm.ItemMemory(len(i.Key), len(i.Value), i.Deadline != 0)
	}
	return nil
}

// endUser looks whether the current user fits into its quota.
func (p *planning) endUser() {
	if !p.wanted {
		return
	}
	p.wanted = false
	p.total += p.memory
	limits, _ := p.shares.Limits()
	quota := p.current.Quota
	if quota == 0 {
		quota = limits.Quota
	}
	if quota == 0 {
		return
	}
	if p.memory > quota {
		p.misfit("%s takes %d bytes, and has a quota of %d", p.current.Name, p.memory, quota)
	}
	if most := fsm.MostReserve(quota); p.current.Reserve > most {
		p.misfit("%s has a reserve of %d bytes, and its quota allows %d", p.current.Name, p.current.Reserve, most)
	}
}

// whole looks whether all of it fits beside what stays.
func (p *planning) whole() {
	limits, _ := p.shares.Limits()
	if limits.MaxMemory == 0 {
		return
	}
	var others fsm.Usage
	p.shares.Each(func(_ uint64, u fsm.Usage) {
		others.Fixed += u.Fixed
		others.Reserve += u.Reserve
	})
	others.Memory = p.shares.Memory() - p.here.Memory
	others.Fixed -= p.here.Fixed
	others.Reserve -= p.here.Reserve
	if all := others.Memory + p.total; all > limits.MaxMemory {
		p.misfit("with what stays here it takes %d bytes, and the limit on memory is %d", all, limits.MaxMemory)
	}
	if all := others.Fixed + p.fixed; all > limits.MaxMemory/4 {
		p.misfit("accounts and ids of ONCE take %d bytes, and a quarter of the limit on memory is %d", all, limits.MaxMemory/4)
	}
	if all, most := others.Reserve+p.reserves, fsm.MostReserves(limits.MaxMemory); all > most && p.reserves > 0 {
		p.misfit("all reserves take %d bytes, and the limit on memory allows %d", all, most)
	}
}

func (p *planning) misfit(format string, args ...any) {
	p.plan.Misfits = append(p.plan.Misfits, fmt.Sprintf(format, args...))
}

// allowed refuses what the options do not allow.
func (p *planning) allowed() error {
	switch plan := &p.plan; {
	case plan.Totals.Users == 0 && p.options.User != "":
		return refused("there is no user %s in the backup", p.options.User)
	case len(plan.Replaced) > 0 && !p.options.Replace:
		return refused("%s here already, and would be replaced: %s", have(len(plan.Replaced)), some(plan.Replaced))
	case len(plan.Misfits) > 0 && !p.options.Partial:
		return refused("it does not fit: %s", some(plan.Misfits))
	}
	return nil
}

func have(users int) string {
	if users == 1 {
		return "a user of the backup has items"
	}
	return fmt.Sprintf("%d users of the backup have items", users)
}

// mostNamed is how many things of a list are named.
const mostNamed = 5

// some is the beginning of a list.
func some(list []string) (text string) {
	for n, one := range list {
		switch {
		case n == mostNamed:
			return fmt.Sprintf("%s, and %d more", text, len(list)-n)
		case n > 0:
			text += ", "
		}
		text += one
	}
	return text
}
