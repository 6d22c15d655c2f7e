package config

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// DidYouMean returns `; did you mean "x"?` with the closest of words, or nothing if none is close.
func DidYouMean(word string, words []string) string { return didYouMean(word, words) }

// didYouMean returns `; did you mean "x"?` with the closest of words, or nothing if none is close.
func didYouMean(word string, words []string) string {
	if len(word) > 2*maxNameLen { // too long for a typo, and the distance is quadratic
		return ""
	}
	best, least := "", max(1, min(len(word)/3, 5))+1
	for _, w := range words {
		d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(w), nil)
		if len(word) >= 3 && (strings.HasPrefix(w, word) || strings.HasSuffix(w, "_"+word)) || len(w) >= 3 && strings.HasPrefix(word, w) {
			d = min(d, 1) // max_value, for max_value_size; warning, for warn
		}
		if d < least {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
