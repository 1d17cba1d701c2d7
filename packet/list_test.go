package packet_test

import (
	"fmt"
	"testing"

	"sockeye/packet"
)

func listOf(parts ...string) (l packet.List) {
	for _, p := range parts {
		l.Push(packet.Of([]byte(p)))
	}
	return l
}

func text(l *packet.List) string {
	b := make([]byte, l.Len())
	return string(b[:l.CopyTo(b, 0)])
}

func TestListTrimsAtAnyByte(t *testing.T) {
	t.Parallel()
	const all = "abcdefghij"
	for _, parts := range [][]string{{all}, {"abc", "defghij"}, {"a", "bcd", "ef", "ghi", "j"}} {
		for i := range len(all) + 1 {
			for j := i; j <= len(all); j++ {
				l := listOf(parts...)
				l.TrimBack(j)
				l.TrimFront(i)
				if got := text(&l); got != all[i:j] || l.Len() != j-i {
					t.Errorf("%q trimmed to [%d:%d] is %q with length %d", parts, i, j, got, l.Len())
				}
				l.Release()
				if l.Len() != 0 || len(l.Slices()) != 0 {
					t.Error("a released list is not empty")
				}
			}
		}
	}
}

func TestListCopiesFromAnOffset(t *testing.T) {
	t.Parallel()
	l := listOf("ab", "cd", "ef")
	defer l.Release()
	b := make([]byte, 3)
	if n := l.CopyTo(b, 1); n != 3 || string(b) != "bcd" {
		t.Errorf("got %d bytes %q", n, b)
	}
}

func TestRetainedListOutlivesTheFirst(t *testing.T) {
	t.Parallel()
	l := listOf("one", "two", "three")
	second := l.Retain()
	l.Release()
	if got := text(&second); got != "onetwothree" {
		t.Errorf("after the first was released the second reads %q", got)
	}
	second.Release()
}

func ExampleList() {
	var l packet.List
	l.Push(packet.Of([]byte("head, ")))
	l.Push(packet.Of([]byte("payload")))
	l.TrimFront(6)
	b := make([]byte, l.Len())
	l.CopyTo(b, 0)
	fmt.Printf("%s\n", b)
	l.Release()
	// Output: payload
}
