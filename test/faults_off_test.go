//go:build !e2e

package test

const faultsToo = false
