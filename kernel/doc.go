//go:build linux && !386 && !s390x

// Package kernel is the engine of package sockeye over the Linux kernel: its
// sockets are the machine's, reached through system calls.
//
// Sockets are always non-blocking below. A call that has to wait parks its
// goroutine on Go's network poller, so that any number of waiting calls takes
// no threads. The descriptors are close-on-exec, and SIGPIPE is never raised.
//
// It needs Linux on a machine that has a system call for each socket call: any
// but 386 and s390x, which have socketcall(2).
package kernel
