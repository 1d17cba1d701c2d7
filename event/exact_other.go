//go:build !linux

package event

// NewExact is New where the system has no better timers than Go's.
func NewExact() (*Loop, error) { return New(), nil }
