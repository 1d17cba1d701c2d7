package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
)

// A record is a packet in a capture, as a reader of the format has it.
type record struct {
	number  int
	at      uint64
	flags   uint32
	comment string
	data    []byte
}

// A recording is what a capture holds.
type recording struct {
	names   []string
	types   []uint16
	records []record
}

// readPcapng reads a capture strictly.
func readPcapng(b []byte) (r recording, err error) {
	le := binary.LittleEndian
	defer func() {
		if v := recover(); v != nil { // an index out of range
			err = fmt.Errorf("block ends too early: %v", v)
		}
	}()
	for first := true; len(b) > 0; first = false {
		kind, n := le.Uint32(b), int(le.Uint32(b[4:]))
		if n%4 != 0 || le.Uint32(b[n-4:]) != uint32(n) {
			return r, fmt.Errorf("block of type %#x has length %d, and %d at its end", kind, n, le.Uint32(b[n-4:]))
		}
		body := b[8 : n-4]
		b = b[n:]
		var rec record
		var options []byte
		switch {
		case first != (kind == 0x0a0d0d0a):
			return r, fmt.Errorf("block of type %#x out of place", kind)
		case first:
			if le.Uint32(body) != 0x1a2b3c4d || le.Uint16(body[4:]) != 1 {
				return r, fmt.Errorf("section begins % x", body[:8])
			}
			options = body[16:]
		case kind == 1:
			r.types = append(r.types, le.Uint16(body))
			options = body[8:]
		case kind == 6:
			n := int(le.Uint32(body[12:]))
			if n != int(le.Uint32(body[16:])) {
				return r, errors.New("a packet was cut")
			}
			rec = record{number: int(le.Uint32(body)), at: uint64(le.Uint32(body[4:]))<<32 | uint64(le.Uint32(body[8:])), data: body[20 : 20+n]}
			options = body[20+(n+3)&^3:]
		default:
			return r, fmt.Errorf("block of type %#x", kind)
		}
		for {
			code, n := le.Uint16(options), int(le.Uint16(options[2:]))
			value := options[4 : 4+n]
			options = options[4+(n+3)&^3:]
			switch {
			case code == 0 && len(options) > 0:
				return r, errors.New("bytes after the last option")
			case kind == 1 && code == 2:
				r.names = append(r.names, string(value))
			case kind == 1 && code == 9 && value[0] != 9:
				return r, errors.New("not in nanoseconds")
			case kind == 6 && code == 1:
				rec.comment = string(value)
			case kind == 6 && code == 2:
				rec.flags = le.Uint32(value)
			}
			if code == 0 {
				break
			}
		}
		if kind == 6 {
			r.records = append(r.records, rec)
		}
	}
	return r, nil
}

// filmed is a run on an impaired cable with a capture at both ends.
func filmed(t *testing.T, base time.Time, ethernet bool) []byte {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		loop := network(t)
		a, b := link.Cable(loop, link.CableOptions{Ethernet: ethernet, MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
		file := link.NewPcapng(&out, base)
		slow, err := link.Impair(loop, a, link.Impairment{Seed: 1, Out: link.Faults{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		near := link.Capture(loop, slow, file, link.CaptureOptions{Name: "near", Comment: func(d link.Direction, p *packet.Packet) string {
			if d == link.Out && p.GSO.Size > 0 {
				return "a large packet"
			}
			return ""
		}})
		far := link.Capture(loop, b, file, link.CaptureOptions{Name: "far"})
		near.Attach(new(sink))
		far.Attach(&ponger{far, 3})
		near.Send(spec{ethernet: ethernet, slices: []int{2500}, gso: 1000}.build())
		near.Send(spec{ethernet: ethernet, v6: true, udp: true, slices: []int{5}}.build())
		loop.Run()
		time.Sleep(time.Second)
		if err := file.Err(); err != nil {
			t.Error(err)
		}
		if near.Properties() != a.Properties() {
			t.Error("the properties are not those of the port")
		}
	})
	return out.Bytes()
}

func TestCaptureCanBeReadBack(t *testing.T) {
	leak.Check(t)
	base := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, ethernet := range []bool{false, true} {
		r, err := readPcapng(filmed(t, base, ethernet))
		if err != nil {
			t.Fatal(err)
		}
		kind := uint16(101)
		if ethernet {
			kind = 1
		}
		if fmt.Sprint(r.names) != "[near far]" || r.types[0] != kind || r.types[1] != kind {
			t.Errorf("interfaces %v of types %v", r.names, r.types)
		}
		ways := map[string]int{}
		last := uint64(0)
		for _, rec := range r.records {
			ways[fmt.Sprintf("%s %d", r.names[rec.number], rec.flags)]++
			if rec.at < last || rec.at < uint64(base.UnixNano()) || rec.at > uint64(base.Add(time.Second).UnixNano()) {
				t.Errorf("a packet at %d", rec.at)
			}
			last = rec.at
		}
		// Two packets are sent; three segments and a datagram arrive; three are sent back.
		if got := fmt.Sprint(ways); got != "map[far 1:4 far 2:3 near 1:3 near 2:2]" {
			t.Error(got)
		}
		if c := r.records[0].comment; c != "a large packet" || r.records[1].comment != "" {
			t.Errorf("comments %q, %q", c, r.records[1].comment)
		}
		v6 := spec{ethernet: ethernet, v6: true, udp: true}
		if p := parse(t, r.records[1].data, v6); !p.valid || !bytes.Equal(p.payload, payload(5)) {
			t.Errorf("the second packet: checksum valid %v, % x", p.valid, p.payload)
		}
	}
}

func TestTheSameRunHasTheSameCapture(t *testing.T) {
	leak.Check(t)
	first := filmed(t, time.Time{}, true)
	for range 10 {
		if !bytes.Equal(filmed(t, time.Time{}, true), first) {
			t.Fatal("two captures differ")
		}
	}
}

// tshark runs tshark on a capture, and gives the lines it prints.
func tshark(t *testing.T, capture []byte, args ...string) []string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(name, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tshark", append([]string{"-r", name}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("this test needs tshark: apt-get install tshark")
	}
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestTsharkReadsTheCapture(t *testing.T) {
	leak.Check(t)
	base := time.Date(2030, 1, 2, 3, 4, 5, 999_000_000, time.UTC)
	for _, ethernet := range []bool{false, true} {
		capture := filmed(t, base, ethernet)
		r, err := readPcapng(capture)
		if err != nil {
			t.Fatal(err)
		}
		got := tshark(t, capture, "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
			"-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.len", "-e", "frame.comment",
			"-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "_ws.malformed")
		if len(got) != len(r.records) {
			t.Fatalf("tshark sees %d packets of %d", len(got), len(r.records))
		}
		for i, rec := range r.records {
			tcp, udp := "1", ""
			if f := strings.Split(got[i], "|"); len(f) > 6 && f[6] != "" {
				tcp, udp = "", "1"
			}
			if rec.comment == "a large packet" {
				tcp = strings.Split(got[i], "|")[5] // it has none
			}
			want := fmt.Sprintf("%s|%s|0x%08x|%d|%s|%s|%s|", epoch(rec.at), r.names[rec.number], rec.flags, len(rec.data), rec.comment, tcp, udp)
			if got[i] != want {
				t.Errorf("tshark says %s, want %s", got[i], want)
			}
		}
	}
}

func epoch(ns uint64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }

// A broken writer fails from its nth write on.
type brokenWriter struct{ left int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, os.ErrClosed
	}
	return len(b), nil
}

func TestACaptureThatFailsDoesNotStopTheLink(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	got := attach(b)
	file := link.NewPcapng(&brokenWriter{3}, time.Time{})
	port := link.Capture(loop, a, file, link.CaptureOptions{Name: "a"})
	for range 5 {
		port.Send(datagram(10))
	}
	loop.Run()
	if err := file.Err(); !errors.Is(err, os.ErrClosed) || len(got.arrivals()) != 5 {
		t.Errorf("error %v, %d packets arrived", err, len(got.arrivals()))
	}
}

func TestALostPacketCanBeNotedInTheCapture(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	var out bytes.Buffer
	loop := network(t)
	file := link.NewPcapng(&out, time.Time{})
	number := file.Interface("losses", false)
	a, _ := link.Cable(loop, link.CableOptions{})
	port, err := link.Impair(loop, a, link.Impairment{Out: link.Faults{Loss: 1}, Observe: func(now event.Time, d link.Direction, f link.Fate, p *packet.Packet) {
		if f != link.Sent {
			file.Packet(now, number, d, p, f.String())
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	port.Send(datagram(10))
	r, err := readPcapng(out.Bytes())
	if err != nil || len(r.records) != 1 || r.records[0].comment != "lost" || len(r.records[0].data) != 38 {
		t.Errorf("%v, %+v", err, r)
	}
}
