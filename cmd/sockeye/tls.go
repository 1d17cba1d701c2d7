package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A serverTLS is what a server's flags say of TLS.
type serverTLS struct {
	on        bool
	cert, key string
}

func (t *serverTLS) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.on, "tls", false, "speak TLS; without --cert with a certificate of its own making, whose pin is told")
	cmd.Flags().StringVar(&t.cert, "cert", "", "a file with the certificate, in PEM (implies --tls)")
	cmd.Flags().StringVar(&t.key, "key", "", "a file with its key, in PEM")
}

// config gives the configuration; nil: no TLS.
func (t *serverTLS) config(a *app) (*tls.Config, error) {
	if err := refuse(
		conflict{t.cert != "" && t.key == "", "--cert wants --key with the certificate's key"},
		conflict{t.cert == "" && t.key != "", "--key wants --cert with the key's certificate"},
	); err != nil {
		return nil, err
	}
	if t.cert != "" {
		c, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, usage("--cert %s and --key %s: %s", t.cert, t.key, oneLine(err.Error()))
		}
		return &tls.Config{Certificates: []tls.Certificate{c}}, nil
	}
	if !t.on {
		return nil, nil
	}
	c, err := selfSigned()
	if err != nil {
		return nil, err
	}
	a.console.event(event{Event: "certificate", Pin: pin(c.Certificate[0])})
	return &tls.Config{Certificates: []tls.Certificate{c}}, nil
}

// selfSigned makes a certificate for a year, which is trusted by its pin.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	name, _ := os.Hostname()
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// pin is the SHA-256 of a certificate, as openssl x509 -fingerprint -sha256 has it without colons.
func pin(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// A clientTLS is what a client's flags say of TLS.
type clientTLS struct {
	on      bool
	ca, pin string
	roots   *x509.CertPool
}

func (t *clientTLS) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.on, "tls", false, "speak TLS")
	cmd.Flags().StringVar(&t.ca, "ca", "", "a file with the certificates to trust, in PEM (the system's; implies --tls)")
	cmd.Flags().StringVar(&t.pin, "pin", "", "trust the one certificate with this SHA-256, as chat serve --tls tells it (implies --tls)")
}

func (t *clientTLS) check() error {
	t.pin = strings.ToLower(strings.ReplaceAll(t.pin, ":", ""))
	if b, err := hex.DecodeString(t.pin); t.pin != "" && (err != nil || len(b) != sha256.Size) {
		return usage("--pin wants a SHA-256, 64 hexadecimal digits, and %q is not", t.pin)
	}
	if t.ca == "" {
		return nil
	}
	pem, err := os.ReadFile(t.ca)
	if err != nil {
		return usage("--ca: %s", oneLine(err.Error()))
	}
	t.roots = x509.NewCertPool()
	if !t.roots.AppendCertsFromPEM(pem) {
		return usage("--ca: there is no certificate in %s; it wants PEM, with BEGIN CERTIFICATE", t.ca)
	}
	return nil
}

// config gives the configuration for a server of this name; nil: no TLS.
func (t *clientTLS) config(name string) *tls.Config {
	switch {
	case t.pin != "":
		return &tls.Config{
			InsecureSkipVerify: true, // the pin is what counts
			VerifyConnection: func(s tls.ConnectionState) error {
				if got := pin(s.PeerCertificates[0].Raw); got != t.pin {
					return fmt.Errorf("the server's certificate has the pin %s, and not the one that is trusted", got)
				}
				return nil
			},
		}
	case t.on || t.roots != nil:
		if name == "" {
			name = "localhost"
		}
		return &tls.Config{ServerName: name, RootCAs: t.roots}
	}
	return nil
}
