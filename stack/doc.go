// Package stack is a host in pure Go: an engine of package sockeye whose
// sockets answer as Linux's do, without a system call. It runs inside a test,
// also in a testing/synctest bubble.
package stack
