//go:build !e2e

package conversations

const faultsToo = false
