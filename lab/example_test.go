package lab_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

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
	// lab: the fault "melt:0@1s+1s" is none: kinds are cut, lossy, slow, isolate, split, crash; one is cut:0@1.5s+300ms, or lossy:2@2s+1s=0.25
}
