package wire_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"sockeye/wire"
)

// slowSum adds 16-bit words one after the other, as RFC 1071 section 4.1 does.
func slowSum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		s += w
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

func TestSumIsThatOfRFC1071Section3(t *testing.T) {
	if got := wire.Sum(0).Add(unhex("0001 f203 f4f5 f6f7")).Fold(); got != 0xddf2 {
		t.Errorf("sum %#x, want 0xddf2", got)
	}
}

func TestSumIsThatOfTheWordsAtEveryLengthAndAlignment(t *testing.T) {
	all := random(700)
	for start := range 9 {
		for end := start; end <= len(all); end++ {
			b := all[start:end]
			if got, want := wire.Sum(0).Add(b).Fold(), slowSum(b); got != want {
				t.Fatalf("%d bytes from %d: %#x, want %#x", len(b), start, got, want)
			}
		}
	}
}

func TestSumCarriesTheLargestWordsAroundItsEnd(t *testing.T) {
	for n := range 400 {
		b := bytes.Repeat([]byte{0xff}, n)
		if got, want := wire.Sum(0).Add(b).Fold(), slowSum(b); got != want {
			t.Fatalf("%d bytes of ff: %#x, want %#x", n, got, want)
		}
	}
}

func TestSumsOfPartsMakeTheSumOfTheWhole(t *testing.T) {
	b := random(97)
	want := slowSum(b)
	for i := range b {
		for j := i; j <= len(b); j++ {
			parts := wire.Sum(0).AddAt(0, b[:i]) + wire.Sum(0).AddAt(i, b[i:j]) + wire.Sum(0).AddAt(j, b[j:])
			if got := parts.Fold(); got != want {
				t.Fatalf("parts at %d and %d: %#x, want %#x", i, j, got, want)
			}
		}
	}
}

func TestCopySumCopiesAndSums(t *testing.T) {
	for _, n := range []int{0, 1, 7, 1448, 4095, 4096, 4097, 65535} {
		src, dst := random(n), make([]byte, n+3)
		if got, want := wire.CopySum(dst, src).Fold(), slowSum(src); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
		if !bytes.Equal(dst[:n], src) {
			t.Errorf("%d bytes: not copied", n)
		}
	}
	if got, want := wire.CopySum(make([]byte, 5), random(9)).Fold(), slowSum(random(9)[:5]); got != want {
		t.Errorf("into a shorter buffer: %#x, want %#x", got, want)
	}
}

func TestUpdateChecksumIsThatOfTheChangedPacket(t *testing.T) {
	b := random(60)
	for at := 0; at+4 <= len(b); at += 2 {
		for _, v := range []uint32{0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff, 0x12345678} {
			changed := bytes.Clone(b)
			binary.BigEndian.PutUint32(changed[at:], v)
			old := wire.Sum(binary.BigEndian.Uint32(b[at:]))
			got := wire.UpdateChecksum(wire.Sum(0).Add(b).Checksum(), old, wire.Sum(v))
			if want := wire.Sum(0).Add(changed).Checksum(); got != want {
				t.Fatalf("word at %d becomes %#x: %#x, want %#x", at, v, got, want)
			}
		}
	}
}

// RFC 1624 section 4: the case in which the older equation gives the wrong zero.
func TestUpdateChecksumGivesTheZeroOfRFC1624(t *testing.T) {
	if got := wire.UpdateChecksum(0xdd2f, 0x5555, 0x3285); got != 0 {
		t.Errorf("got %#x, want 0", got)
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 1)
	f.Add(random(300), 131)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		if at < 0 || at > len(b) {
			return
		}
		want := slowSum(b)
		if got := wire.Sum(0).Add(b).Fold(); got != want {
			t.Fatalf("%#x, want %#x", got, want)
		}
		if got := (wire.Sum(0).Add(b[:at]).AddAt(at, b[at:])).Fold(); got != want {
			t.Fatalf("in two parts at %d: %#x, want %#x", at, got, want)
		}
		dst := make([]byte, len(b))
		if got := wire.CopySum(dst, b).Fold(); got != want || !bytes.Equal(dst, b) {
			t.Fatalf("copied: %#x, want %#x", got, want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 40, 64, 1448, 9000, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := random(n)
			b.SetBytes(int64(n))
			var s wire.Sum
			for b.Loop() {
				s = s.Add(data)
			}
		})
	}
}

func BenchmarkCopySum(b *testing.B) {
	for _, n := range []int{1448, 65536, 1 << 20} {
		src, dst := random(n), make([]byte, n)
		b.Run(fmt.Sprintf("%d/CopySum", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				wire.CopySum(dst, src)
			}
		})
		b.Run(fmt.Sprintf("%d/copy,Sum", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				copy(dst, src)
				wire.Sum(0).Add(dst)
			}
		})
	}
}
