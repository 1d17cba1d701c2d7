package lab_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

// A web server behind a router. In a test, lab.New(t) takes the place of Open and Close, and
// testing/synctest that of real time.
func Example() {
	n := lab.Open(lab.Config{Seed: 1})
	defer n.Close()
	client, router, server := n.Host("client"), n.Router("router"), n.Host("server")
	n.Link(client, router, link.Faults{Loss: 0.01})
	n.Link(router, server)

	go http.Serve(server.MustListen("tcp", ":80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
	}))
	transport := client.Transport()
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://server/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s from %v\n", body, server.Addrs()[0])
	// Output: hello from 172.16.0.6
}

// A client behind a translator, which the server sees in its place.
func ExampleNetwork_NAT() {
	n := lab.Open(lab.Config{Seed: 1})
	defer n.Close()
	symmetric, _ := nat.Named("symmetric")
	home, server, client := n.NAT("home", symmetric), n.Host("server"), n.Host("client")
	n.Link(home, server) // the first link of a translator leads outside
	n.Link(home, client)

	c, err := server.ListenPacket("udp4", ":7")
	if err != nil {
		log.Fatal(err)
	}
	out, err := client.Dial("udp4", "server:7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(out, "hello")
	_, from, err := c.ReadFrom(make([]byte, 5))
	if err != nil {
		log.Fatal(err)
	}
	mappings, err := home.Stack().Mappings("eth0")
	fmt.Println(from.(*net.UDPAddr).IP, "is", home.Name(), "and stands for", mappings[0].Inside.Addr(), err)
	// Output: 172.16.0.1 is home and stands for 172.16.0.6 <nil>
}

func ExampleParseSchedule() {
	s, err := lab.ParseSchedule("cut:0@1.5s+300ms, lossy:1@2s+1s=0.25")
	fmt.Println(len(s), s, err)
	_, err = lab.ParseSchedule("melt:0@1s+1s")
	fmt.Println(err)
	// Output:
	// 2 cut:0@1.5s+300ms, lossy:1@2s+1s=0.25 <nil>
	// lab: the fault "melt:0@1s+1s" is none: kinds are cut, lossy, slow, isolate, split, crash, deaf; one is cut:0@1.5s+300ms, or lossy:2@2s+1s=0.25
}

// web is a network with a server that greets.
func web() (n *lab.Network, client *lab.Host) {
	n = lab.Open(lab.Config{Seed: 1})
	client, server := n.Host("client"), n.Host("server")
	n.Link(client, server)
	go http.Serve(server.MustListen("tcp", ":80"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
	}))
	return n, client
}

func ExampleHost_Transport() {
	n, client := web()
	defer n.Close()
	transport := client.Transport()
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://server/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %v\n", body, err)
	// Output: hello <nil>
}

func ExampleHost_DialContext() {
	n, client := web()
	defer n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.DialContext(ctx, "tcp", "server:80")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.RemoteAddr())
	_, err = client.DialContext(ctx, "tcp", "server:81")
	fmt.Println(err)
	// Output:
	// 172.16.0.2:80
	// dial tcp 172.16.0.2:81: connect: connection refused
}

// DialTCP has the form of the function that grpc.WithContextDialer takes:
//
//	grpc.NewClient("passthrough:///server:80", grpc.WithContextDialer(client.DialTCP))
func ExampleHost_DialTCP() {
	n, client := web()
	defer n.Close()
	var dialer func(context.Context, string) (net.Conn, error) = client.DialTCP
	c, err := dialer(context.Background(), "server:80")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.RemoteAddr().Network(), c.RemoteAddr())
	// Output: tcp 172.16.0.2:80
}

func ExampleHost_ListenPacket() {
	n := lab.Open(lab.Config{Seed: 1})
	defer n.Close()
	alice, bob := n.Host("alice"), n.Host("bob")
	n.Link(alice, bob)
	c, err := bob.ListenPacket("udp4", ":7")
	if err != nil {
		log.Fatal(err)
	}
	out, err := alice.Dial("udp4", "bob:7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(out, "hello")
	b := make([]byte, 100)
	k, from, err := c.ReadFrom(b)
	fmt.Printf("%s from %s, %v\n", b[:k], from.(*net.UDPAddr).IP, err)
	// Output: hello from 172.16.0.1, <nil>
}

func ExampleHost_Resolver() {
	n := lab.Open(lab.Config{Seed: 1})
	defer n.Close()
	lan, client, names, web := n.Switch("lan"), n.Host("client"), n.NameServer("names"), n.Host("web")
	n.Link(client, lan)
	n.Link(names, lan)
	n.Link(web, lan)
	n.SetService("http", "tcp", "shop", net.SRV{Target: "web", Port: 80})
	_, servers, err := client.Resolver().LookupSRV(context.Background(), "http", "tcp", "shop")
	if err != nil {
		log.Fatal(err)
	}
	addrs, err := client.Resolver().LookupNetIP(context.Background(), "ip4", servers[0].Target)
	fmt.Println(servers[0].Target, servers[0].Port, addrs, err)
	// Output: web. 80 [10.0.0.3] <nil>
}
