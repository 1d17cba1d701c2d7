//go:build linux

package kernel_test

import (
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// TestAddressesSurviveAGrowingStack makes calls that hand addresses of local
// variables to the kernel at every depth of a fresh stack, so that some are made
// right where the stack is moved.
func TestAddressesSurviveAGrowingStack(t *testing.T) {
	s := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))(t)
	defer s.Close()
	at := sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)
	check(t, s.Bind(at))
	ep := s.Endpoint()
	want := must(ep.Getsockname())(t)
	for depth := range 400 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			deepen(depth, func() {
				if got, err := ep.Getsockname(); got != want || err != nil {
					t.Errorf("at depth %d: getsockname gives %v, %v", depth, got, err)
				}
				if err := ep.Connect(want); err != nil {
					t.Errorf("at depth %d: connect: %v", depth, err)
				}
				if n, err := ep.Ioctl(0x5411); n != 0 || err != nil { // SIOCOUTQ
					t.Errorf("at depth %d: ioctl gives %d, %v", depth, n, err)
				}
			})
		}()
		<-done
	}
}

//go:noinline
func deepen(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	deepen(n-1, f)
}
