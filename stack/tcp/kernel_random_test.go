//go:build linux && oracle

package tcp_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

// TestRandomScripts makes up scripts, writes down what the package sends, and has the kernel play them.
// SCRIPTS=FROM:TO chooses the seeds.
func TestRandomScripts(t *testing.T) {
	leak.Check(t)
	from, to := 0, 100
	if s := os.Getenv("SCRIPTS"); s != "" {
		a, b, _ := strings.Cut(s, ":")
		from, _ = strconv.Atoi(a)
		to, _ = strconv.Atoi(b)
	}
	for seed := from; seed < to; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			sc := randomScenario(t, uint64(seed))
			if sc == nil {
				t.Skip("a timer runs out too near to an event")
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("open "+sc.open, sc.win, "\n", sc.script)
				}
			})
			playKernel(t, sc)
		})
	}
}

// A writer makes up a script.
type scriptWriter struct {
	*player
	rng     *rand.Rand
	b       strings.Builder
	una     int // what the peer has acknowledged
	nxt     int // what we have sent
	peerNxt int // the peer's next octet
	acked   int // what we have acknowledged
	lastWas float64
	bad     bool
}

func randomScenario(t *testing.T, seed uint64) *scenario {
	rng := rand.New(rand.NewPCG(seed, 3))
	sc := &scenario{name: "random", open: []string{"mss 1000,sackOK,wscale 7", "mss 1000,wscale 7", "mss 1460,sackOK", "mss 536"}[rng.IntN(4)]}
	if rng.IntN(3) == 0 {
		sc.config.NoDelay = true
	}
	w := &scriptWriter{player: newPlayer(t, sc), rng: rng, una: 1, nxt: 1, peerNxt: 1, acked: 1}
	w.handshake()
	at := 0.0
	for range 4 + rng.IntN(14) {
		w.advance(at)
		if w.conn.State() == tcp.Closed || w.bad {
			break
		}
		w.action(at)
		if rng.IntN(3) == 0 {
			at += 0.05 + 0.05*float64(rng.IntN(12))
		}
	}
	w.advance(at + 1)
	if w.bad {
		return nil
	}
	sc.script = w.b.String()
	return sc
}

// advance lets time pass and writes down what the timers send.
func (w *scriptWriter) advance(at float64) {
	for w.step(w.zero + seconds(at)) {
		when := float64(w.now-w.zero) / 1e9
		if at-when < 0.14+0.15*(when-w.lastWas) && len(w.out) > 0 {
			w.bad = true
		}
		w.lastWas = when
		w.flush()
	}
	w.now = max(w.now, w.zero+seconds(at))
	if d := w.deadline(); d != 0 && d-w.now < 30*tcp.Millisecond {
		w.bad = true
	}
	w.lastWas = at
}

func (w *scriptWriter) flush() {
	for i := range w.out {
		a := &w.out[i]
		text := w.text(&a.seg)
		fmt.Fprintf(&w.b, "%.6f > %s\n", float64(a.at-w.zero)/1e9, noWindow(text))
		w.nxt = max(w.nxt, a.seg.End().Diff(w.iss))
		if a.seg.Flags&tcp.ACK != 0 {
			w.acked = max(w.acked, a.seg.Ack.Diff(w.irs))
		}
		a.seg.Payload.Release()
	}
	w.out = nil
}

func noWindow(text string) string {
	f := strings.Fields(text)
	for i := range f {
		if f[i] == "win" {
			return strings.Join(append(f[:i:i], f[i+2:]...), " ")
		}
	}
	return text
}

func (w *scriptWriter) do(at float64, line string) {
	fmt.Fprintf(&w.b, "%.6f %s\n", at, line)
	w.line = line
	if seg, ok := strings.CutPrefix(line, "< "); ok {
		w.arrive(seg)
	} else {
		w.call(line)
	}
	w.flush()
}

func (w *scriptWriter) action(at float64) {
	win := 500
	if !strings.Contains(w.sc.open, "wscale") {
		win = 60000
	}
	rng := w.rng
	switch k := rng.IntN(20); {
	case k < 5:
		n := 1 + rng.IntN([]int{100, 1000, 4000}[rng.IntN(3)])
		if n <= w.conn.Room() && w.conn.State() != tcp.FinWait1 && w.conn.State() != tcp.FinWait2 && w.conn.State() != tcp.LastAck && w.conn.State() != tcp.Closing {
			w.do(at, fmt.Sprint("write ", n))
		}
	case k < 10: // an ACK
		if rng.IntN(12) == 0 {
			win = 0
		}
		ack := w.una + rng.IntN(w.nxt-w.una+1)
		if rng.IntN(2) == 0 {
			ack = w.nxt
		}
		sack := ""
		if left := w.nxt - ack; left > 1 && strings.Contains(w.sc.open, "sackOK") && rng.IntN(2) == 0 {
			l := ack + 1 + rng.IntN(left-1)
			r := l + 1 + rng.IntN(w.nxt-l)
			sack = fmt.Sprintf(" <sack %d:%d>", l, r)
		}
		w.una = ack
		w.do(at, fmt.Sprintf("< . %d ack %d win %d%s", w.peerNxt, ack, win, sack))
	case k < 14: // data in order
		n := 1 + rng.IntN(1000)
		if rng.IntN(2) == 0 {
			n = 1000
		}
		flags := []string{".", "P."}[rng.IntN(2)]
		w.do(at, fmt.Sprintf("< %s %d:%d ack %d win %d", flags, w.peerNxt, w.peerNxt+n, w.una, win))
		w.peerNxt += n
	case k < 16: // out of order, or old
		l := w.peerNxt + rng.IntN(5000) - 2000
		l = max(l, 1)
		w.do(at, fmt.Sprintf("< . %d:%d ack %d win %d", l, l+1+rng.IntN(1000), w.una, win))
		w.peerNxt = max(w.peerNxt, w.acked)
	case k < 18:
		if n := w.conn.Unread(); n > 0 {
			w.do(at, fmt.Sprint("read ", 1+rng.IntN(2*n)))
		}
	case k < 19:
		w.do(at, []string{"nodelay on", "cork on", "cork off", "quickack on", "quickack off", "nodelay off"}[rng.IntN(6)])
	default:
		if rng.IntN(3) > 0 {
			return
		}
		switch rng.IntN(3) {
		case 0:
			if w.conn.State() == tcp.Established || w.conn.State() == tcp.CloseWait {
				w.do(at, "shutdown")
			}
		case 1:
			if w.peerNxt == w.acked {
				w.do(at, fmt.Sprintf("< F. %d ack %d win %d", w.peerNxt, w.una, win))
				w.peerNxt++
			}
		case 2:
			w.do(at, fmt.Sprintf("< R. %d ack %d", w.peerNxt+rng.IntN(2)*10, w.una))
		}
	}
}
