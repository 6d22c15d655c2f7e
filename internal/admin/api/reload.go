package api

type (
	// Reloaded is what has become of a file that was read again.
	Reloaded struct {
		Changed      []Setting // taken over
		NeedsRestart []Setting // what the file says and this process does not do
		Warnings     []string  // of what is no mistake and may not be intended
		// Certificates is why certificates that were named already stay as they were; empty: they do not.
		Certificates string `json:",omitempty"`
	}
	// Setting is one that differs. Both values are empty for what is not one line of the file, as a node.
	Setting struct{ Key, Old, New string }
)
