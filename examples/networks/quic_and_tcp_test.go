package networks_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"sockeye"
	"sockeye/lab"
	"sockeye/link"
)

// Eight files over one connection, on a line that loses one packet in fifty. TCP gives them out in the order of their
// bytes, so that each loss holds up all that is behind it; QUIC's streams (RFC 9000 section 2) wait each for its own
// losses alone. Both recover what was lost, and both share the line with others. Here they have a line each.
func TestQUICAndTCPDownloadUnderLoss(t *testing.T) {
	const (
		files = 8
		size  = 256 << 10
	)
	line := link.Faults{Delay: 25 * time.Millisecond, Rate: 20_000_000, Loss: 0.02}
	data := make([]byte, size)
	mathrand.NewChaCha8([32]byte{}).Read(data)
	for _, tt := range []struct {
		name     string
		download func(t *testing.T, client, server *lab.Host, data []byte, files int) []time.Duration
	}{
		{"TCP", overTCP},
		{"QUIC", overQUIC},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				client, server := n.Host("client"), n.Host("server")
				n.Link(client, server, line)
				took := tt.download(t, client, server, data, files)
				last := took[len(took)-1]
				t.Logf("files were there after %v: %.1f Mbit/s of %d", took, float64(files*size*8)/last.Seconds()/1e6, line.Rate/1_000_000)
				if least := time.Duration(files*size*8) * time.Second / time.Duration(line.Rate); last < least {
					t.Errorf("all was there after %v, before the line can carry it", last)
				}
			})
		})
	}
}

// overTCP sends the files one behind the other.
func overTCP(t *testing.T, client, server *lab.Host, data []byte, files int) (took []time.Duration) {
	l := server.MustListen("tcp", ":80")
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for range files {
			c.Write(data)
		}
	}()
	start := time.Now()
	c, err := client.Dial("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range files {
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("the file came damaged: %v", err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

// overQUIC sends each file in a stream of its own, all at once.
func overQUIC(t *testing.T, client, server *lab.Host, data []byte, files int) (took []time.Duration) {
	certificate, roots := certify(t, "server")
	listening := &quic.Transport{Conn: packetConn(t, server, ":443")}
	l, err := listening.Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"files"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		for range files {
			stream, err := c.OpenUniStream()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				stream.Write(data)
				stream.Close()
			}()
		}
	}()

	start := time.Now()
	dialing := &quic.Transport{Conn: packetConn(t, client, ":0")}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(server.Addrs()[0], 443))
	c, err := dialing.Dial(t.Context(), to, &tls.Config{RootCAs: roots, ServerName: "server", NextProtos: []string{"files"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseWithError(0, "")
		l.Close()
		for _, x := range []*quic.Transport{dialing, listening} {
			x.Close()
			x.Conn.Close()
		}
	})
	done := make(chan time.Duration)
	for range files {
		stream, err := c.AcceptUniStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if got, err := io.ReadAll(stream); err != nil || !bytes.Equal(got, data) {
				t.Errorf("a file came damaged: %d bytes, %v", len(got), err)
			}
			done <- time.Since(start)
		}()
	}
	for range files {
		took = append(took, <-done)
	}
	return took
}

// packetConn opens a UDP socket for quic-go, which must not see the method SyscallConn: it would take it for the
// promise of a file descriptor, which hosts in Go do not have.
func packetConn(t *testing.T, h *lab.Host, address string) net.PacketConn {
	c, err := h.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	u := c.(*sockeye.UDPConn)
	return struct {
		net.PacketConn
		buffers
	}{u, u}
}

type buffers interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// certify makes a certificate for a name, and the roots that vouch for it.
func certify(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(nil, form, form, public, private)
	if err != nil {
		t.Fatal(err)
	}
	form, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(form)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, roots
}
