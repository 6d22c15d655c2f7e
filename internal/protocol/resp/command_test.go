package resp

import (
	"slices"
	"strings"
	"testing"
)

// words are the arguments of a request.
func words(s string) (args [][]byte) {
	for _, w := range strings.Fields(s) {
		args = append(args, []byte(w))
	}
	return args
}

// wanted is the list of commands that there are to be, in the order of the table.
const wanted = `hello auth ping echo quit reset select client client|id client|getname client|setname client|setinfo client|info
client|list client|kill client|no-evict client|no-touch client|reply client|pause client|unpause client|tracking client|caching command
command|count command|docs command|info command|getkeys command|list readonly readwrite acl acl|whoami get set setex psetex setnx
getset getdel getex mget mset msetnx strlen append getrange substr setrange incr decr incrby decrby incrbyfloat delifeq del unlink
exists touch type rename renamenx copy randomkey keys scan dbsize flushdb flushall object object|encoding object|refcount
object|idletime object|freq expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist multi exec discard watch unwatch
eval evalsha eval_ro evalsha_ro script script|load script|exists script|flush info config config|get time memory memory|usage wait role
subscribe unsubscribe psubscribe sentinel sentinel|get-master-addr-by-name sentinel|masters sentinel|master sentinel|replicas
sentinel|sentinels sentinel|myid signup ciderd.once ciderd.sync ciderd.getv ciderd.cas`

func TestTheTableHasAllCommandsAndNoOther(t *testing.T) {
	var names []string
	for i, c := range AllCommands() {
		names = append(names, c.Name)
		if c.Number != i || c.Summary == "" || c.Group == "" || c.Arity == 0 {
			t.Errorf("%s: %+v", c.Name, c)
		}
		if found := find(words(strings.ReplaceAll(strings.ToUpper(c.Name), "|", " "))); found != c {
			t.Errorf("%s is not found in capitals", c.Name)
		}
		if c.Has(Write) && c.Has(ReadOnly) {
			t.Errorf("%s writes and does not", c.Name)
		}
		for _, name := range c.categories() {
			if !slices.Contains(categoryOrder, name) {
				t.Errorf("%s is in %q", c.Name, name)
			}
		}
	}
	if want := strings.Fields(wanted); !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
}

func TestFlagsAreThoseOfTheseCommands(t *testing.T) {
	for flag, want := range map[Flags]string{
		NoAuth:  "hello auth quit reset signup",
		AtOnce:  "quit reset multi exec discard watch",
		NoMulti: "multi watch signup ciderd.once ciderd.sync",
		Refused: "client|pause client|unpause client|tracking client|caching",
		Write: "set setex psetex setnx getset getdel getex mset msetnx append setrange incr decr incrby decrby incrbyfloat delifeq del unlink rename renamenx copy " +
			"flushdb flushall expire pexpire expireat pexpireat persist ciderd.once ciderd.cas",
	} {
		var got []string
		for _, c := range AllCommands() {
			if c.Has(flag) {
				got = append(got, c.Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: got %q", flag, got)
		}
	}
}

func TestACommandIsFoundInAnyLetterCase(t *testing.T) {
	for request, want := range map[string]string{
		"GET k": "get", "gEt k": "get", "CLIENT KILL ID 5": "client|kill", "client Id": "client|id", "COMMAND": "command", "CIDERD.SYNC": "ciderd.sync",
		"SENTINEL get-master-addr-by-NAME n": "sentinel|get-master-addr-by-name", "PING": "ping",
	} {
		if c, err := Lookup(words(request)); err != nil || c.Name != want {
			t.Errorf("%s: got %v, %v", request, c, err)
		}
	}
	for request, want := range map[string]string{
		"ciderd.once id": "ERR wrong number of arguments for 'ciderd.once' command", "CLIENT PAUSE": "ERR wrong number of arguments for 'client|pause' command",
		"signup u": "ERR wrong number of arguments for 'signup' command", "CLUSTER INFO": "ERR unknown command 'CLUSTER', with args beginning with: 'INFO' ",
		"sentinel foo": "ERR unknown subcommand 'foo'. Try SENTINEL HELP.", strings.Repeat("x", 70): "ERR unknown command '" + strings.Repeat("x", 70) + "', with args beginning with: ",
	} {
		if c, err := Lookup(words(request)); err == nil || err.Error() != want || (c == nil) != strings.Contains(want, "unknown") {
			t.Errorf("%s: got %v, %v", request, c, err)
		}
	}
	// A letter that is no letter of ASCII is none of a command, though it has such a one as its lower case.
	if c, _ := Lookup([][]byte{[]byte("\u212aeys"), []byte("*")}); c != nil {
		t.Errorf("found %s", c.Name)
	}
}

func TestFindingACommandAllocatesNothing(t *testing.T) {
	requests := [][][]byte{words("GET k"), words("SET k v EX 10"), words("client getname"), words("SENTINEL get-master-addr-by-name mymaster")}
	n := testing.AllocsPerRun(100, func() {
		for _, r := range requests {
			if _, err := Lookup(r); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTheKeysOfARequestAreFound(t *testing.T) {
	for request, want := range map[string]string{
		"get k":                                 "k",
		"mget a b c":                            "a b c",
		"mset a 1 b 2":                          "a b",
		"rename a b":                            "a b",
		"object freq k":                         "k",
		"eval s 2 a b c":                        "a b",
		"eval s 0 a":                            "",
		"eval s 3 a b":                          "",
		"eval s 99999999999 a":                  "",
		"ping":                                  "",
		"ciderd.once id set k v":                "k",
		"ciderd.once id mset a 1 b 2":           "a b",
		"ciderd.once id nothing k":              "",
		"ciderd.once id get":                    "",
		"ciderd.once id ciderd.once id set k v": "",
		"ciderd.cas k 1 v":                      "k",
	} {
		args := words(request)
		c, err := Lookup(args)
		if err != nil {
			t.Fatal(request, err)
		}
		keys := c.AppendKeys(nil, args)
		var got []string
		for _, k := range keys {
			got = append(got, string(k))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q", request, got)
		}
	}
	got := serve(2, bulks("COMMAND", "GETKEYS", "ciderd.once", "id", "nothing", "k")).out
	if got != "-ERR Invalid arguments specified for command\r\n" {
		t.Errorf("got %q", got)
	}
}

// What is refused is in no list, and has no keys to tell.
func TestWhatIsRefusedIsNotTold(t *testing.T) {
	all := serve(2, bulks("COMMAND")).out + serve(2, bulks("COMMAND", "LIST")).out + serve(2, bulks("COMMAND", "DOCS")).out
	for _, c := range AllCommands() {
		if strings.Contains(all, "\r\n"+c.Name+"\r\n") == c.Has(Refused) {
			t.Errorf("%s: refused %v", c.Name, c.Has(Refused))
		}
	}
	for request, want := range map[string]string{
		bulks("COMMAND", "INFO", "client|pause"):                     "*1\r\n$-1\r\n",
		bulks("COMMAND", "DOCS", "client|pause"):                     "*0\r\n",
		bulks("COMMAND", "GETKEYS", "client", "pause", "1"):          "-ERR Invalid command specified\r\n",
		bulks("COMMAND", "LIST", "FILTERBY", "PATTERN", "client|p*"): "*0\r\n",
		bulks("COMMAND", "DOCS", "ciderd.sync"): "*2\r\n$11\r\nciderd.sync\r\n*4\r\n$7\r\nsummary\r\n" +
			"$61\r\nWaits until this node has all that was acknowledged anywhere.\r\n$5\r\ngroup\r\n$6\r\nciderd\r\n",
	} {
		if got := serve(2, request).out; got != want {
			t.Errorf("%q: got %q", request, got)
		}
	}
}

// Every reply about commands has as many elements as it says.
func TestRepliesAboutCommandsAreComplete(t *testing.T) {
	for _, version := range []int{2, 3} {
		for _, request := range []string{"COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST", "COMMAND COUNT", "COMMAND DOCS client get foo"} {
			out := serve(version, request+"\n").out
			n := parseReply(t, out)
			if want := map[string]int{"COMMAND": len(table), "COMMAND INFO": len(table), "COMMAND DOCS": 2 * len(table)}[request]; want != 0 && len(n.list) != want {
				t.Errorf("%s in RESP %d has %d elements", request, version, len(n.list))
			}
		}
	}
}
