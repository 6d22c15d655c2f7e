package script

// Kind is what a Reply is.
type Kind uint8

// The kinds of replies. Those from Double on are RESP3's: whoever speaks RESP2 writes them as Redis does there.
const (
	Nil       Kind = iota
	Status         // Text
	Error          // Text, without the minus
	Integer        // Int
	Bulk           // Text
	Array          // List
	Double         // Float
	Boolean        // Int: 0 or 1
	Map            // List: keys and values in turn
	Set            // List
	BigNumber      // Text
	Verbatim       // Text; Format
)

// Reply is what a command answers a script, and what a script answers.
type Reply struct {
	Kind   Kind
	Int    int64
	Float  float64
	Text   string
	Format string // of Verbatim: three letters
	List   []Reply
}

// errorReply is a Reply of Kind Error.
func errorReply(text string) Reply { return Reply{Kind: Error, Text: text} }

// Size is about how many bytes a reply keeps in memory.
func (p *Reply) Size() int {
	if p == nil {
		return 0
	}
	size := replyBytes + len(p.Text)
	for i := range p.List {
		size += p.List[i].Size()
	}
	return size
}

// replyBytes is what a Reply takes without its text.
const replyBytes = 96
