package transfer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sockeye/cmd/sockeye/transfer"
)

func TestACodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	code := transfer.NewCode()
	for _, text := range []string{string(code), strings.ToLower(string(code)), strings.ReplaceAll(string(code), "-", ""), strings.ReplaceAll(string(code), "-", " ")} {
		if got, err := transfer.ParseCode(text); got != code || err != nil {
			t.Errorf("%q is read as %q (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "AAAA", string(code) + "A", "0000-0000-0000-0000"} {
		if got, err := transfer.ParseCode(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

// both runs the two sides of a code over a connection.
func both(t *testing.T, p *pair, sender, receiver transfer.Code) (s, r net.Conn, sErr, rErr error) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := p.l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if r, rErr = receiver.Receiver(context.Background(), c); rErr != nil {
			c.Close()
		}
	})
	c, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	if s, sErr = sender.Sender(context.Background(), c); sErr != nil {
		c.Close()
	}
	wg.Wait()
	return s, r, sErr, rErr
}

func TestOnlyWhoHasTheCodeGetsThrough(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		code := transfer.NewCode()
		s, r, sErr, rErr := both(t, p, code, code)
		if sErr != nil || rErr != nil {
			t.Fatalf("with one code: %v, %v", sErr, rErr)
		}
		from, to := t.TempDir(), t.TempDir()
		content := noise(3<<20 + 1)
		sources, err := transfer.Sources(write(t, from, "big", content))
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(to)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var wg sync.WaitGroup
		wg.Go(func() { rErr = transfer.Receiver{Root: root}.Receive(context.Background(), r) })
		sErr = transfer.Sender{}.Send(context.Background(), s, sources)
		wg.Wait()
		if got, _ := os.ReadFile(filepath.Join(to, "big")); sErr != nil || rErr != nil || !bytes.Equal(got, content) {
			t.Errorf("the transfer ended with %v and %v", sErr, rErr)
		}
		_, _, sErr, rErr = both(t, p, transfer.NewCode(), code)
		if !errors.Is(sErr, transfer.ErrCode) || !errors.Is(rErr, transfer.ErrCode) {
			t.Errorf("with two codes: %v, %v", sErr, rErr)
		}
	})
}

// Somebody in between who speaks TLS with each side, and hands what they say from one to the other.
func TestWhoIsInBetweenGetsNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, p *pair) {
		code := transfer.NewCode()
		toReceiver, receiver := net.Pipe()
		defer toReceiver.Close()
		var wg sync.WaitGroup
		var rErr error
		wg.Go(func() {
			_, rErr = code.Receiver(context.Background(), receiver)
			receiver.Close()
		})
		wg.Go(func() {
			c, err := p.l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			between(t, c, toReceiver)
		})
		c, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, sErr := code.Sender(context.Background(), c)
		wg.Wait()
		if !errors.Is(sErr, transfer.ErrCode) || !errors.Is(rErr, transfer.ErrCode) {
			t.Errorf("it ended with %v, %v", sErr, rErr)
		}
	})
}

// between ends the sender's TLS, begins another with the receiver, and hands on the sender's proof.
func between(t *testing.T, c, toReceiver net.Conn) {
	defer c.Close()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Error(err)
		return
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, public, key)
	if err != nil {
		t.Error(err)
		return
	}
	left := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	right := tls.Client(toReceiver, &tls.Config{InsecureSkipVerify: true})
	proof := make([]byte, 32)
	if _, err := io.ReadFull(left, proof); err != nil {
		t.Error(err)
		return
	}
	if _, err := right.Write(proof); err != nil {
		t.Error(err)
		return
	}
	n, _ := io.ReadFull(right, proof)
	left.Write(proof[:n])
}
