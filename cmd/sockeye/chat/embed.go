package chat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Mesh says how the NATS server within a chat server finds those within others.
type Mesh struct {
	ID     string   // the chat server's
	Listen string   // where the others reach this one: host:port
	Peers  []string // where to reach some of the others: host:port. Who is reached tells of the rest.
	Secret string   // what all of them know; "": nothing
}

// An Embedded is a NATS server within the process.
type Embedded struct {
	Conn *nats.Conn
	Addr net.Addr // where peers reach it
	ns   *server.Server
}

// Embed starts a NATS server in the process, joined to its peers, and connects to it. It takes no clients but this one, and
// runs on the machine's own sockets. Peers that cannot be reached are tried again and again.
func Embed(m Mesh) (*Embedded, error) {
	host, port, err := net.SplitHostPort(m.Listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	// Without a port for clients it would not listen to its peers either. Nobody else knows the password.
	password := rand.Text()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: "chat", Password: password,
		ServerName: m.ID, NoSigs: true, NoLog: true, NoSystemAccount: true,
		Cluster: server.ClusterOpts{Name: "sockeye-chat", Host: host, Port: number},
	}
	if m.Secret != "" {
		o.Cluster.Username, o.Cluster.Password = "chat", m.Secret
	}
	for _, p := range m.Peers {
		u := &url.URL{Scheme: "nats-route", Host: p}
		if m.Secret != "" {
			u.User = url.UserPassword("chat", m.Secret)
		}
		o.Routes = append(o.Routes, u)
	}
	// The server does not tell why it cannot listen.
	probe, err := net.Listen("tcp", m.Listen)
	if err != nil {
		return nil, err
	}
	probe.Close()
	ns, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	ns.Start()
	e := &Embedded{ns: ns}
	if !ns.ReadyForConnections(10 * time.Second) {
		e.Close()
		return nil, errors.New("the NATS server in the process did not start")
	}
	e.Addr = ns.ClusterAddr()
	if e.Conn, err = Connect("", nats.InProcessServer(ns), nats.UserInfo("chat", password)); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close ends the connection and the server.
func (e *Embedded) Close() {
	if e.Conn != nil {
		e.Conn.Close()
	}
	e.ns.Shutdown()
	e.ns.WaitForShutdown()
}

// Connect connects to NATS servers as Share needs it: again and again when the connection is lost.
func Connect(urls string, more ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(urls, append([]nats.Option{
		nats.Name("sockeye chat"), nats.NoEcho(), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("NATS at %s: %w", urls, err)
	}
	return nc, nil
}
