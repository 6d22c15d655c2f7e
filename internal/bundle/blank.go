package bundle

import "regexp"

// blanked stands where something that looks like a secret stood.
const blanked = "[blanked]"

// What looks like one: a private key, bcrypt's hash, a password in an address, and what is given to a name that says so.
var secrets = []struct {
	found *regexp.Regexp
	with  string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`), blanked},
	{regexp.MustCompile(`\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}`), blanked},
	{regexp.MustCompile(`(://[^/\s:@"]*:)[^/\s@"]+@`), "${1}" + blanked + "@"},
	{regexp.MustCompile(`(?i)\b(pass|password|passwd|passphrase|secret|token|credential)s?("?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|[^\s",]+)`), "${1}${2}" + blanked},
}

// blank returns a text without what looks like a secret.
func blank(text []byte) []byte {
	for _, s := range secrets {
		text = s.found.ReplaceAll(text, []byte(s.with))
	}
	return text
}
