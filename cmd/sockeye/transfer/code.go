package transfer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"time"
)

// A Code is what both sides of a transfer have to know: 80 bits, written as ABCD-EFGH-IJKL-MNOP.
type Code string

const codeBits = 80

// NewCode makes one.
func NewCode() Code {
	b := make([]byte, codeBits/8)
	rand.Read(b)
	s := base32.StdEncoding.EncodeToString(b)
	return Code(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:])
}

// ParseCode reads a code as somebody typed it: in small letters, say, or without the dashes.
func ParseCode(text string) (Code, error) {
	s := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(text))
	if b, err := base32.StdEncoding.DecodeString(s); err != nil || len(b) != codeBits/8 {
		return "", fmt.Errorf("a code is 16 letters and digits from 2 to 7, as %s, and %q is not", NewCode(), text)
	}
	return Code(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]), nil
}

// ErrCode is a peer that does not know the code.
var ErrCode = errors.New("the two sides do not have the same code")

const codeTime = 20 * time.Second

// Sender makes c a TLS connection to a receiver that knows the code, and proves that this side does.
func (code Code) Sender(ctx context.Context, c net.Conn) (net.Conn, error) {
	// The certificate says nothing: the proofs, which belong to this very connection, do.
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	mine, theirs, err := code.proofs(ctx, t)
	if err != nil {
		return nil, err
	}
	if _, err := t.Write(mine); err != nil {
		return nil, err
	}
	return t, check(t, theirs)
}

// Receiver makes c a TLS connection to a sender that knows the code, and then proves that this side does.
func (code Code) Receiver(ctx context.Context, c net.Conn) (net.Conn, error) {
	certificate, err := fleeting()
	if err != nil {
		return nil, err
	}
	t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	theirs, mine, err := code.proofs(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := check(t, theirs); err != nil {
		return nil, err
	}
	_, err = t.Write(mine)
	return t, err
}

// proofs shakes hands, and gives what the sender and the receiver have to prove. There are twenty seconds for it all.
func (code Code) proofs(ctx context.Context, t *tls.Conn) (sender, receiver []byte, err error) {
	t.SetDeadline(time.Now().Add(codeTime))
	if err := t.HandshakeContext(ctx); err != nil {
		if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
			return nil, nil, errors.New("the peer does not speak TLS; both sides need the code, or neither")
		}
		return nil, nil, err
	}
	state := t.ConnectionState()
	key, err := state.ExportKeyingMaterial("EXPORTER-sockeye-send", nil, sha256.Size) // RFC 8446 section 7.5, RFC 9266
	if err != nil {
		return nil, nil, err
	}
	prove := func(who string) []byte {
		h := hmac.New(sha256.New, []byte(code))
		h.Write(key)
		h.Write([]byte(who))
		return h.Sum(nil)
	}
	return prove("sender"), prove("receiver"), nil
}

func check(t *tls.Conn, want []byte) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(t, got); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCode // whoever finds the proof wrong closes
	} else if err != nil {
		return err
	}
	if !hmac.Equal(got, want) {
		return ErrCode
	}
	t.SetDeadline(time.Time{})
	return nil
}

// fleeting makes a certificate for one connection.
func fleeting() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
