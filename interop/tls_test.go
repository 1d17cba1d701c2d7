package interop_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sockeye/internal/leak"
)

// identity makes, once, the certificate of the host "server", which is its own authority. It is
// valid in the years that bubbles begin in, and today.
var identity = sync.OnceValue(func() tls.Certificate {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"server"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func serverTLS(protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{identity()}, NextProtos: protocols}
}

func clientTLS(protocols ...string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(identity().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "server", NextProtos: protocols}
}

func TestTLSShakesHandsAndCarriesDataBothWays(t *testing.T) {
	leak.Check(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			everyWay(t, 1, func(t *testing.T, s *star) {
				config := serverTLS("echo")
				config.MaxVersion = version
				l := tls.NewListener(s.listen(t, ":443"), config)
				defer l.Close()
				go func() {
					c, err := l.Accept()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					io.Copy(c, c)
				}()
				raw, err := s.clients[0].Sockets().Dial("tcp", "server:443")
				if err != nil {
					t.Fatal(err)
				}
				c := tls.Client(raw, clientTLS("echo"))
				defer c.Close()
				start := time.Now()
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				trips := map[uint16]time.Duration{tls.VersionTLS12: 2, tls.VersionTLS13: 1}[version]
				if d := time.Since(start); d < trips*100*time.Millisecond {
					t.Errorf("the handshake took %v", d)
				}
				if state := c.ConnectionState(); state.Version != version || state.NegotiatedProtocol != "echo" {
					t.Errorf("spoken is %s, %q", tls.VersionName(state.Version), state.NegotiatedProtocol)
				}
				data := make([]byte, 1<<20)
				rand.NewChaCha8([32]byte{}).Read(data)
				go func() {
					if _, err := c.Write(data); err != nil {
						t.Error(err)
					}
					c.CloseWrite()
				}()
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back of %d, %x: %v", len(got), len(data), sha256.Sum256(got), err)
				}
			})
		})
	}
}
