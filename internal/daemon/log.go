package daemon

import (
	"log/slog"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"

	"ciderd/internal/config"
)

// NewLogger logs to standard error. The format auto is text for a person (a terminal, the journal,
// or a node for trying out) and JSON for a collector.
func NewLogger(c *config.Config) hclog.Logger {
	journal := os.Getenv("JOURNAL_STREAM") != ""
	person := isatty.IsTerminal(os.Stderr.Fd()) || journal || c.Single
	return hclog.New(&hclog.LoggerOptions{
		Name:        "ciderd",
		Level:       hclogLevel(c.LogLevel),
		Output:      os.Stderr,
		JSONFormat:  c.LogFormat == config.LogJSON || c.LogFormat == config.LogAuto && !person,
		DisableTime: journal, // it has a time of its own
		// Raft's loggers are children: one SetLevel reaches all.
		IndependentLevels: false,
	})
}

func hclogLevel(l slog.Level) hclog.Level {
	switch {
	case l <= slog.LevelDebug:
		return hclog.Debug
	case l <= slog.LevelInfo:
		return hclog.Info
	case l <= slog.LevelWarn:
		return hclog.Warn
	}
	return hclog.Error
}
