package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"sockeye/wire"
)

// unhex reads bytes in hex; white space and what follows a // on a line count
// for nothing.
func unhex(s string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

func addr(s string) wire.Addr { return wire.AddrFromNetip(netip.MustParseAddr(s)) }

// A parser is a Parse function without what follows the value.
type parser[T any] func(b []byte) (T, error)

// head makes a parser of a Parse function that also gives a payload.
func head[T any](parse func([]byte) (T, []byte, error)) parser[T] {
	return func(b []byte) (T, error) {
		v, _, err := parse(b)
		return v, err
	}
}

// A vector is a packet that is explained byte for byte, the value that it holds,
// and what of it is not built by Put: the payload behind the value.
type vector[T any] struct {
	name  string
	hex   string
	value T
}

// checkVectors tells that each packet parses to its value and that the value
// builds the packet.
func checkVectors[T any](t *testing.T, parse parser[T], put func(v T, b []byte) int, vectors []vector[T]) {
	t.Helper()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			packet := unhex(v.hex)
			got, err := parse(packet)
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			if !reflect.DeepEqual(got, v.value) {
				t.Errorf("parse:\n got %+v\nwant %+v", got, v.value)
			}
			built := dirty(len(packet))
			if n := put(v.value, built); !bytes.Equal(built[:n], packet[:n]) {
				t.Errorf("put:\n got %x\nwant %x", built[:n], packet[:n])
			}
		})
	}
}

// dirty is a buffer in which whatever is not written shows.
func dirty(n int) []byte { return bytes.Repeat([]byte{0xa5}, n) }

// A refusal is a packet made wrong and the reason that its parser must give.
type refusal struct {
	name string
	edit func(b []byte) []byte
	want error // nil: it is accepted all the same
}

// checkRefusals makes each edit on a copy of a good packet.
func checkRefusals(t *testing.T, good []byte, parse func(b []byte) error, refusals []refusal) {
	t.Helper()
	if err := parse(good); err != nil {
		t.Fatalf("the good packet: %v", err)
	}
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if err := parse(r.edit(bytes.Clone(good))); err != r.want {
				t.Errorf("got %v, want %v", err, r.want)
			}
		})
	}
}

// cut leaves the first n bytes.
func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

// set writes bytes at an offset.
func set(at int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[at:at+len(v)], v)
		return b
	}
}

// fuzz tells that parse never panics, gives no error but an Error, and that what
// it takes builds bytes that parse to the same value, and only those: normal, when
// not nil, is what a value becomes when it is built.
func fuzz[T any](f *testing.F, parse parser[T], size func(v T) int, put func(v T, b []byte) int, normal func(T) T, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parse(b)
		if err != nil {
			if reason, ok := errors.AsType[wire.Error](err); !ok || int(reason) >= wire.NumErrors {
				t.Fatalf("error %v is no reason", err)
			}
			return
		}
		built := dirty(size(v))
		if n := put(v, built); n != len(built) {
			t.Fatalf("Put wrote %d bytes, Len says %d", n, len(built))
		}
		again, err := parse(built)
		if err != nil {
			t.Fatalf("%v\n%x\n%x", err, b, built)
		}
		if normal != nil {
			v = normal(v)
		}
		if !reflect.DeepEqual(again, v) {
			t.Fatalf("built another value:\n%+v\n%+v", v, again)
		}
	})
}

// allocatesNothing tells it of f.
func allocatesNothing(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

// random is bytes that are the same in each run.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestErrorsNameTheirReason(t *testing.T) {
	seen := map[string]bool{}
	for e := range wire.Error(wire.NumErrors + 1) {
		if s := e.Error(); s == "" || seen[s] {
			t.Errorf("Error(%d) is %q, which is empty or another's text", e, s)
		}
		seen[e.Error()] = true
	}
}
