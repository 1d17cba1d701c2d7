//go:build !race

package tcp_test

// The race detector makes pools forget, so these hold without it only.

import (
	"runtime"
	"testing"
	"unsafe"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

const tapes = 20000

func TestNothingIsAllocatedPerSegment(t *testing.T) {
	leak.Check(t)
	for _, tt := range sizes {
		j := join(t, tt.cfg)
		buf := make([]byte, 64<<10)
		j.bulk(16<<20, buf)
		if n := testing.AllocsPerRun(20, func() { j.bulk(1<<20, buf) }); n > 2 { // a pool may lose a block to the collector
			t.Errorf("%s: a MiB allocates %v times", tt.name, n)
		}
		small := make([]byte, 64)
		if n := testing.AllocsPerRun(1000, func() { j.pingPong(small) }); n > 0 {
			t.Errorf("%s: a round trip allocates %v times", tt.name, n)
		}
	}
}

func TestIdleConnectionsAreSmall(t *testing.T) {
	leak.Check(t)
	const n = 2000
	keep := make([]*joined, n)
	hosts := [2]*tcp.Host{tcp.NewHost(tcp.Key{0}), tcp.NewHost(tcp.Key{1})}
	buf := make([]byte, 32<<10)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		j := joinHosts(t, hosts, tcp.Config{})
		j.bulk(100_000, buf)
		j.pass(tcp.Second)
		keep[i] = j
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	pair := int(after.HeapAlloc-before.HeapAlloc)/n - int(unsafe.Sizeof(joined{}))
	t.Logf("%d bytes for a pair, %d for a Conn", pair, tcp.SizeofConn)
	if pair > 2300 {
		t.Errorf("an idle pair takes %d bytes", pair)
	}
	runtime.KeepAlive(keep)
}
