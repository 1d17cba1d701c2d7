package lab_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

// A thousand hosts in ten networks behind ten routers, and ten connections from each host to one in another network,
// all open at once: each carries a line there and back.
func TestAThousandHostsAndTenThousandConnections(t *testing.T) {
	leak.Check(t)
	nets, each := 10, 100
	if testing.Short() {
		each = 10
	}
	const perHost = 10
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		core := n.Switch("core")
		var hosts []*lab.Host
		for i := range nets {
			lan, router := n.Switch(fmt.Sprint("lan", i)), n.Router(fmt.Sprint("router", i))
			n.Link(router, core, link.Faults{Delay: 10 * time.Millisecond})
			n.Link(router, lan)
			for j := range each {
				h := n.Host(fmt.Sprintf("h%d.%d", i, j))
				n.Link(h, lan, link.Faults{Delay: time.Millisecond})
				hosts = append(hosts, h)
			}
		}
		for _, h := range hosts {
			echo(h, "7")
		}
		var all sync.WaitGroup
		conns := make(chan net.Conn, len(hosts)*perHost)
		for i, h := range hosts {
			for k := range perHost {
				peer := hosts[(i+each*(1+k%(nets-1))+k)%len(hosts)]
				all.Go(func() {
					c, err := h.Dial("tcp4", peer.Name()+":7")
					if err != nil {
						t.Error(err)
						return
					}
					conns <- c
				})
			}
		}
		all.Wait()
		if len(conns) != len(hosts)*perHost {
			t.Fatalf("%d connections of %d are open", len(conns), len(hosts)*perHost)
		}
		close(conns)
		for c := range conns {
			all.Go(func() {
				defer c.Close()
				line := fmt.Sprintf("from %v", c.LocalAddr())
				if got, err := ask(c, line); got != line || err != nil {
					t.Errorf("%v heard %q, %v", c.LocalAddr(), got, err)
				}
				c.(interface{ CloseWrite() error }).CloseWrite()
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
