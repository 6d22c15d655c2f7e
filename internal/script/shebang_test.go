package script

import "testing"

// The first line of a script may tell flags, as in Redis 7: these are its answers.
func TestTheFirstLineMayTellFlags(t *testing.T) {
	for source, want := range map[string]string{
		"#!lua\nreturn 1":        ":1",
		"#!lua\r\nreturn 1":      ":1",
		"#!lua flags=\nreturn 1": ":1",
		"#!lua  flags=no-writes,allow-oom flags=no-cluster \n": "$-1",
		"#!lua flags=allow-stale,allow-cross-slot-keys\n":      "$-1",
		"#!lua\n\n\nerror('x')":                                "-ERR user_script:4: x script: SHA, on @user_script:4.",
		"#!lua\nreturn (":                                      "-ERR Error compiling script (new function): user_script:2: unexpected symbol near '<eof>'",
		"#!lua":                                                "-ERR Invalid script shebang",
		"#!\nreturn 1":                                         "-ERR Unexpected engine in script shebang: #!",
		"#!LUA\nreturn 1":                                      "-ERR Unexpected engine in script shebang: #!LUA",
		"#!lua x y\nreturn 1":                                  "-ERR Unknown lua shebang option: x",
		"#!lua name=x\nreturn 1":                               "-ERR Unknown lua shebang option: name=x",
		"#!lua flags=No-Writes\nreturn 1":                      "-ERR Unexpected flag in script shebang: No-Writes",
		"#!lua flags=no-writes,\nreturn 1":                     "-ERR Unexpected flag in script shebang: ",
		" #!lua\nreturn 1":                                     "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'",
	} {
		if got := answer(t, source); got != want {
			t.Errorf("%q is answered %q, want %q", source, got, want)
		}
	}
	s, err := Compile([]byte("#!lua flags=no-writes\nreturn 1"))
	if err != nil || s.Flags != (Flags{Declared: true, NoWrites: true}) {
		t.Errorf("%+v, %v", s, err)
	}
}
