package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

// The page's parts. As files of their own editors know what they are.
var (
	//go:embed page/page.html
	pageFrame string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string
)

// page is the one document that is served, and policy what a browser may do with it: run this script and this style, and
// ask this node. It fetches nothing else, and no other page can put it into a frame.
var (
	page   = strings.NewReplacer("/*style*/", pageStyle, "/*script*/", pageScript).Replace(pageFrame)
	policy = "default-src 'none'; script-src " + sourceOf(pageScript) + "; style-src " + sourceOf(pageStyle) +
		"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// sourceOf is how a policy names a text that stands in the document.
func sourceOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write([]byte(page)) // the client is gone if it fails
}
