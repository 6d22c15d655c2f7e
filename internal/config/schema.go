package config

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one scalar: a key of the file, a variable, a line of Describe and of Diff.
type setting struct {
	key     string // section.name, or a name at the top level
	live    bool   // may change while the node runs
	literal literalKind
	set     func(c *Config, text string) error // the error does not name the key
	get     func(c *Config) string             // as set reads it
}

// literalKind is how a value is written in the file.
type literalKind int

const (
	quoted   literalKind = iota
	measured             // a size or a duration: quoted, since it has a unit
	number
	boolean
	list // of texts; a variable has commas between them
)

// settings has every scalar, in the order in which Describe prints them. Keys of node blocks are not
// settings: they belong to one node of several (see cluster.go).
var settings = []setting{
	whileRunning(choice("cluster.peer_tls", func(c *Config) *PeerTLS { return &c.PeerTLS }, peerTLSWords)),
	whileRunning(flag("cluster.insecure_peers", func(c *Config) *bool { return &c.InsecurePeers })),
	path("data_dir", func(c *Config) *string { return &c.DataDir }),
	optional(listen("listen.text", func(c *Config) *string { return &c.Text }), func(c *Config) *string { return &c.Text }),
	optional(listen("listen.text_tls", func(c *Config) *string { return &c.TextTLS }), func(c *Config) *string { return &c.TextTLS }),
	optional(listen("listen.redis", func(c *Config) *string { return &c.Redis }), func(c *Config) *string { return &c.Redis }),
	optional(listen("listen.redis_tls", func(c *Config) *string { return &c.RedisTLS }), func(c *Config) *string { return &c.RedisTLS }),
	listen("listen.peer", func(c *Config) *string { return &c.Peer }),
	listen("listen.admin", func(c *Config) *string { return &c.Admin }),
	flag("listen.admin_tls", func(c *Config) *bool { return &c.AdminTLS }),
	whileRunning(listOf("listen.admin_hosts", func(c *Config) *Hosts { return &c.AdminHosts }, parseHosts)),
	whileRunning(listOf("listen.proxy_from", func(c *Config) *Prefixes { return &c.ProxyFrom }, parsePrefixes)),
	choice("listen.newline", func(c *Config) *string { return &c.Newline }, same(NewlineLF, NewlineCRLF)),
	file("tls.ca_file", func(c *Config) *string { return &c.TLS.CAFile }),
	file("tls.cert_file", func(c *Config) *string { return &c.TLS.CertFile }),
	file("tls.key_file", func(c *Config) *string { return &c.TLS.KeyFile }),
	file("tls.client_cert_file", func(c *Config) *string { return &c.TLS.ClientCertFile }),
	file("tls.client_key_file", func(c *Config) *string { return &c.TLS.ClientKeyFile }),
	file("tls.client_ca_file", func(c *Config) *string { return &c.TLS.ClientCAFile }),
	whileRunning(size("limits.max_value_size", func(c *Config) *int { return &c.Limits.MaxValueSize }, 1<<10, 1<<20)),
	whileRunning(count("limits.max_connections", func(c *Config) *int { return &c.Limits.MaxConnections }, 1, 1_000_000)),
	whileRunning(count("limits.max_connections_per_address", func(c *Config) *int { return &c.Limits.MaxConnectionsPerAddress }, 0, 1_000_000)),
	whileRunning(count("limits.max_connections_per_user", func(c *Config) *int { return &c.Limits.MaxConnectionsPerUser }, 0, 1_000_000)),
	whileRunning(count("limits.max_users", func(c *Config) *int { return &c.Limits.MaxUsers }, 0, 1_000_000_000)),
	whileRunning(memory("limits.max_memory", func(c *Config) *Memory { return &c.Limits.MaxMemory }, 16<<20, MemoryAuto, MemoryNone)),
	whileRunning(choice("limits.when_full", func(c *Config) *bool { return &c.Limits.RejectWhenFull }, []option[bool]{{WhenFullEvict, false}, {WhenFullReject, true}})),
	whileRunning(memory("limits.quota", func(c *Config) *Memory { return &c.Limits.Quota }, 64<<10, MemoryNone)),
	whileRunning(size("limits.max_output", func(c *Config) *int { return &c.Limits.MaxOutput }, 1<<20, 1<<40)),
	whileRunning(duration("limits.stall", func(c *Config) *time.Duration { return &c.Limits.Stall }, time.Second)),
	whileRunning(choice("auth.signup", func(c *Config) *bool { return &c.Auth.SignupOpen }, []option[bool]{{"open", true}, {"closed", false}})),
	whileRunning(duration("auth.idle_timeout", func(c *Config) *time.Duration { return &c.Auth.IdleTimeout }, 0)),
	whileRunning(duration("auth.login_timeout", func(c *Config) *time.Duration { return &c.Auth.LoginTimeout }, 10*time.Millisecond)),
	whileRunning(choice("auth.hide_password", func(c *Config) *string { return &c.Auth.HidePassword }, same(HideNever, HideTelnet, HideAlways))),
	whileRunning(count("auth.bcrypt_cost", func(c *Config) *int { return &c.Auth.BcryptCost }, 4, 15)),
	whileRunning(duration("timeouts.write", func(c *Config) *time.Duration { return &c.Timeouts.Write }, 10*time.Millisecond)),
	whileRunning(duration("timeouts.shutdown", func(c *Config) *time.Duration { return &c.Timeouts.Shutdown }, 0)),
	durationOr("timeouts.election", "auto", func(c *Config) *time.Duration { return &c.Election }, 50*time.Millisecond, 10*time.Second),
	whileRunning(choice("log.level", func(c *Config) *slog.Level { return &c.LogLevel }, []option[slog.Level]{
		{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError}})),
	choice("log.format", func(c *Config) *string { return &c.LogFormat }, same(LogAuto, LogText, LogJSON)),
}

// environ returns the variable of s.
func (s *setting) environ() string {
	return environPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// section returns the block that s is in, name its key there.
func (s *setting) section() string { return s.key[:max(0, strings.LastIndexByte(s.key, '.'))] }
func (s *setting) name() string    { return s.key[strings.LastIndexByte(s.key, '.')+1:] }

// settingBy returns the setting with that key, or nil.
func settingBy(key string) *setting {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		return nil
	}
	return &settings[i]
}

func whileRunning(s setting) setting {
	s.live = true
	return s
}

func path(key string, ref func(*Config) *string) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			if err := checkPath(text); err != nil {
				return err
			}
			*ref(c) = text
			return nil
		},
		get: func(c *Config) string { return *ref(c) },
	}
}

// file is the path of a file, or none.
func file(key string, ref func(*Config) *string) setting {
	return whileRunning(optional(path(key, ref), ref))
}

// optional is s with a value that says that there is none.
func optional(s setting, ref func(*Config) *string) setting {
	set, get := s.set, s.get
	s.set = func(c *Config, text string) error {
		if isNone(text) {
			*ref(c) = ""
			return nil
		}
		return set(c, text)
	}
	s.get = func(c *Config) string {
		if *ref(c) == "" {
			return none
		}
		return get(c)
	}
	return s
}

func isNone(text string) bool { return text == "" || text == none }

// listOf is a setting whose value is a set in its canonical form, with commas between its members.
func listOf[T ~string](key string, ref func(*Config) *T, parse func(text string) (T, error)) setting {
	return setting{
		key:     key,
		literal: list,
		set: func(c *Config, text string) (err error) {
			if isNone(text) {
				*ref(c) = ""
				return nil
			}
			*ref(c), err = parse(text)
			return err
		},
		get: func(c *Config) string {
			if *ref(c) == "" {
				return none
			}
			return string(*ref(c))
		},
	}
}

func checkPath(text string) error {
	switch {
	case text == "":
		return errors.New("a directory is needed here")
	case strings.ContainsRune(text, 0):
		return errors.New("a path has no NUL byte")
	}
	return nil
}

func listen(key string, ref func(*Config) *string) setting {
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			if err := checkListen(text); err != nil {
				return err
			}
			*ref(c) = text
			return nil
		},
		get: func(c *Config) string { return *ref(c) },
	}
}

func size(key string, ref func(*Config) *int, least, most int) setting {
	return setting{
		key:     key,
		literal: measured,
		set: func(c *Config, text string) error {
			v, err := sizes.parse(text)
			if err == nil && (v < int64(least) || v > int64(most)) {
				return fmt.Errorf("%q is out of range: from %s to %s", text, sizes.format(int64(least)), sizes.format(int64(most)))
			}
			if err == nil {
				*ref(c) = int(v)
			}
			return err
		},
		get: func(c *Config) string { return sizes.format(int64(*ref(c))) },
	}
}

// maxDuration is above any sensible timeout, and far from overflow when something is added to it.
const maxDuration = 365 * 24 * time.Hour

func duration(key string, ref func(*Config) *time.Duration, least time.Duration) setting {
	return setting{
		key:     key,
		literal: measured,
		set: func(c *Config, text string) error {
			return setDuration(ref(c), text, least, maxDuration, "")
		},
		get: func(c *Config) string { return durations.format(int64(*ref(c))) },
	}
}

// setDuration sets a duration within bounds; or ends what is said of one that is not.
func setDuration(d *time.Duration, text string, least, most time.Duration, or string) error {
	v, err := durations.parse(text)
	switch {
	case err != nil:
		return err
	case v < int64(least) || v > int64(most):
		return fmt.Errorf("%q is out of range: from %s to %s%s", text, durations.format(int64(least)), durations.format(int64(most)), or)
	}
	*d = time.Duration(v)
	return nil
}

// durationOr is a setting that is a duration or a word, which stands for 0.
func durationOr(key, word string, ref func(*Config) *time.Duration, least, most time.Duration) setting {
	return setting{
		key:     key,
		literal: measured,
		set: func(c *Config, text string) error {
			if text == word {
				*ref(c) = 0
				return nil
			}
			if number := strings.TrimLeft(text, "0123456789."); number == text {
				return fmt.Errorf("%q is neither %s nor a duration, like %q%s", text, word, durations.format(int64(least)), didYouMean(text, []string{word}))
			}
			return setDuration(ref(c), text, least, most, ", or "+word)
		},
		get: func(c *Config) string {
			if *ref(c) == 0 {
				return word
			}
			return durations.format(int64(*ref(c)))
		},
	}
}

func count(key string, ref func(*Config) *int, least, most int) setting {
	return setting{
		key:     key,
		literal: number,
		set: func(c *Config, text string) error {
			v, err := strconv.Atoi(text)
			switch {
			case errors.Is(err, strconv.ErrRange), err == nil && (v < least || v > most):
				return fmt.Errorf("%s is out of range: from %d to %d", text, least, most)
			case err != nil:
				return fmt.Errorf("%s is not a whole number", text)
			}
			*ref(c) = v
			return nil
		},
		get: func(c *Config) string { return strconv.Itoa(*ref(c)) },
	}
}

func flag(key string, ref func(*Config) *bool) setting {
	return setting{
		key:     key,
		literal: boolean,
		set: func(c *Config, text string) error {
			if text != "true" && text != "false" {
				return fmt.Errorf("%q is neither true nor false", text)
			}
			*ref(c) = text == "true"
			return nil
		},
		get: func(c *Config) string { return strconv.FormatBool(*ref(c)) },
	}
}

// option is one of a few words and its value.
type option[T comparable] struct {
	word  string
	value T
}

// same returns options whose value is the word itself.
func same(words ...string) []option[string] {
	var os []option[string]
	for _, w := range words {
		os = append(os, option[string]{w, w})
	}
	return os
}

func choice[T comparable](key string, ref func(*Config) *T, options []option[T]) setting {
	var words []string
	for _, o := range options {
		words = append(words, o.word)
	}
	return setting{
		key: key,
		set: func(c *Config, text string) error {
			i := slices.Index(words, text)
			if i < 0 {
				return fmt.Errorf("%q is not one of %s%s", text, strings.Join(words, ", "), didYouMean(text, words))
			}
			*ref(c) = options[i].value
			return nil
		},
		get: func(c *Config) string {
			i := slices.IndexFunc(options, func(o option[T]) bool { return o.value == *ref(c) })
			return options[max(0, i)].word
		},
	}
}
