//go:build linux

package kernel_test

import (
	"errors"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// A socket that has just been opened has an event to come, which wakes even who
// waits for none: what must not wait is done more than once.
const again = 3

func TestSendmmsgReportsTheErrorOfALaterMessage(t *testing.T) {
	h := kernel.Host()
	s, peer, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	check(t, err)
	defer s.Close()
	defer peer.Close()
	ms := []sockeye.Message{
		{Buffers: [][]byte{[]byte("first")}},
		{Buffers: [][]byte{make([]byte, 8<<20)}}, // more than the send buffer holds
	}
	for range again {
		if n, err := s.Sendmmsg(ms, 0); n != 1 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Fatalf("got %d, %v, want 1 and EMSGSIZE", n, err)
		}
	}
}
