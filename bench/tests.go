package main

// tests are what there is to measure, in the order of the table. A goal's factor
// is how many times as good as the peer this project wants to be.
var tests = []*test{
	{
		name: "tcp-bulk", about: "one TCP connection, writes of 64 KiB",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   []string{ours, "net"},
		goals:   []goal{{"Gbit/s", "net", 1}},
		run:     libraryLoad("tcp-bulk"),
	},
	{
		name: "tcp-pingpong", about: "64 bytes there and back on one TCP connection",
		metrics: []metric{{name: "turns/s"}, {name: "allocs/call", count: true}},
		peers:   []string{ours, "net"},
		goals:   []goal{{"turns/s", "net", 1}},
		run:     libraryLoad("tcp-pingpong"),
	},
	{
		name: "connect", about: "connect, accept and close a TCP connection",
		metrics: []metric{{name: "conn/s"}},
		peers:   []string{ours, "net"},
		goals:   []goal{{"conn/s", "net", 1}},
		run:     libraryLoad("connect"),
	},
	{
		name: "udp-64", about: "datagrams of 64 bytes from one socket to another",
		metrics: []metric{{name: "datagrams/s"}},
		peers:   []string{ours, "net"},
		goals:   []goal{{"datagrams/s", "net", 3}},
		run:     libraryLoad("udp-64"),
	},
	{
		name: "udp-1400", about: "datagrams of 1400 bytes from one socket to another",
		metrics: []metric{{name: "datagrams/s"}},
		peers:   []string{ours, "net"},
		goals:   []goal{{"datagrams/s", "net", 3}},
		run:     libraryLoad("udp-1400"),
	},
	{
		name: "tun-rx", about: "iperf3 on the kernel sends to a host behind a TUN device, or a veth pair",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   []string{ours, gvisorTUN, gvisorPacket, veth},
		goals:   []goal{{"Gbit/s", gvisorTUN, 5}, {"Gbit/s", gvisorPacket, 1}},
		needs:   iperf,
		run:     libraryLoad("tun-rx"),
	},
	{
		name: "tun-tx", about: "iperf3 on the kernel receives from it",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   []string{ours, gvisorTUN, gvisorPacket, veth},
		goals:   []goal{{"Gbit/s", gvisorTUN, 5}, {"Gbit/s", gvisorPacket, 1}},
		needs:   iperf,
		run:     libraryLoad("tun-tx"),
	},
	{
		name: "tun-bad", about: "iperf3 on the kernel receives through a TUN device with 10 ms, 3 % loss, and duplicates, damage and reordering",
		metrics: []metric{{name: "Mbit/s"}},
		peers:   []string{ours, linux},
		needs:   iperf,
		run:     libraryLoad("tun-bad"),
	},
	{
		name: "relay-up", about: "iperf3 through a relay, from client to server",
		metrics: []metric{{name: "Gbit/s"}, {name: "cpu-s/GB", lower: true}},
		peers:   bulkRelays,
		goals:   relayGoals("Gbit/s", "cpu-s/GB"),
		needs:   iperf,
		run:     relayIperf(),
	},
	{
		name: "relay-down", about: "iperf3 through a relay, from server to client",
		metrics: []metric{{name: "Gbit/s"}, {name: "cpu-s/GB", lower: true}},
		peers:   bulkRelays,
		goals:   relayGoals("Gbit/s", "cpu-s/GB"),
		needs:   iperf,
		run:     relayIperf("-R"),
	},
	{
		name: "relay-conns", about: "short connections through a relay, 16 clients: connect, a byte each way, close",
		metrics: []metric{{name: "conn/s"}, {name: "failed", count: true}},
		peers:   []string{ours, direct, "net", "haproxy-splice", "haproxy", "socat", "ncat"},
		goals:   relayGoals("conn/s"),
		run:     relayLoad("connections"),
	},
	{
		name: "relay-close", about: "ends of a connection that a relay passes on (1: yes)",
		metrics: []metric{{name: "half-close", count: true}, {name: "server-close", count: true}},
		peers:   []string{ours, "haproxy-splice", "socat", "ncat"},
		run:     relayLoad("closes"),
	},
	{
		name: "web-small", about: "sockeye web's server: a file of 1 KiB, 16 clients with a connection each, in one process",
		metrics: []metric{{name: "requests/s"}},
		peers:   []string{oursOnKernel, ours, "net"},
		goals:   []goal{{"requests/s", "net", 0.9}},
		run:     libraryLoad("web-small"),
	},
	{
		name: "web-large", about: "the same: a file of 64 MiB, one client",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   []string{oursOnKernel, ours, "net"},
		goals:   []goal{{"Gbit/s", "net", 0.9}},
		run:     libraryLoad("web-large"),
	},
	{
		name: "run-up", about: "iperf3 from inside sockeye run to the machine, MTU 65520",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   gateways,
		goals:   []goal{{"Gbit/s", "slirp4netns", 3}, {"Gbit/s", "pasta", 1}},
		needs:   iperf,
		run:     behindGateway(iperf, "iperf3", 65520),
	},
	{
		name: "run-down", about: "the same from the machine to inside",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   gateways,
		goals:   []goal{{"Gbit/s", "slirp4netns", 3}, {"Gbit/s", "pasta", 1}},
		needs:   iperf,
		run:     behindGateway(iperf, "iperf3-R", 65520),
	},
	{
		name: "run-up-1500", about: "iperf3 from inside sockeye run to the machine, MTU 1500",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   gateways,
		goals:   []goal{{"Gbit/s", "slirp4netns", 3}, {"Gbit/s", "pasta", 1}},
		needs:   iperf,
		run:     behindGateway(iperf, "iperf3", 1500),
	},
	{
		name: "run-down-1500", about: "the same from the machine to inside",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   gateways,
		goals:   []goal{{"Gbit/s", "slirp4netns", 3}, {"Gbit/s", "pasta", 1}},
		needs:   iperf,
		run:     behindGateway(iperf, "iperf3-R", 1500),
	},
	{
		name: "run-conns", about: "short connections from inside sockeye run, 16 clients: connect, a byte each way, close",
		metrics: []metric{{name: "conn/s"}, {name: "failed", count: true}},
		peers:   gateways,
		goals:   []goal{{"conn/s", "slirp4netns", 1}, {"conn/s", "pasta", 1}},
		run:     behindGateway("one-answer", "connections", 65520),
	},
	{
		name: "run-turns", about: "one byte there and back on one connection from inside sockeye run",
		metrics: []metric{{name: "turns/s"}},
		peers:   gateways,
		goals:   []goal{{"turns/s", "slirp4netns", 1}, {"turns/s", "pasta", 1}},
		run:     behindGateway("echo-tcp", "turns", 65520),
	},
	{
		name: "run-delay", about: "how far off ping's mean is with --delay 40ms, in percent",
		metrics: []metric{{name: "off %", lower: true, most: 2}},
		peers:   []string{ours},
		needs:   "ping",
		run:     behindGateway("one-answer", "delay", 1500, "--delay", "40ms"),
	},
	{
		name: "run-loss", about: "how far off ping's loss is with --loss 5%, in standard deviations of as many chances",
		metrics: []metric{{name: "sigmas", lower: true, most: 3}},
		peers:   []string{ours},
		needs:   "ping",
		run:     behindGateway("one-answer", "loss", 1500, "--loss", "5%"),
	},
	{
		name: "run-rate-up", about: "how far off iperf3's rate is with --rate 20mbit, less headers, in percent",
		metrics: []metric{{name: "off %", lower: true, most: 2}},
		peers:   []string{ours},
		needs:   iperf,
		run:     behindGateway(iperf, "rate", 1500, "--rate", "20mbit"),
	},
	{
		name: "run-rate-down", about: "the same from the machine to inside",
		metrics: []metric{{name: "off %", lower: true, most: 2}},
		peers:   []string{ours},
		needs:   iperf,
		run:     behindGateway(iperf, "rate-R", 1500, "--rate", "20mbit"),
	},
	{
		name: "echo-32", about: "UDP echo of 64 bytes, 32 in flight from one socket",
		metrics: echoMetrics,
		peers:   []string{ours, "net", "socat", "ncat"},
		goals:   []goal{{"req/s", "net", 1.5}},
		run:     echoLoad("echo-32"),
	},
	{
		name: "echo-16", about: "UDP echo of 64 bytes, 16 clients with 4 in flight each, soon replaced by new ones",
		metrics: echoMetrics,
		peers:   []string{ours, "net", "socat", "ncat"},
		goals:   []goal{{"req/s", "net", 1.5}},
		run:     echoLoad("echo-16"),
	},
	{
		name: "echo-16x1", about: "the same with one in flight each, where the load takes longer than the servers",
		metrics: echoMetrics,
		peers:   []string{ours, "net", "socat", "ncat"},
		run:     echoLoad("echo-16x1"),
	},
	{
		name: "echo-new", about: "UDP echo for 16 clients that come at once, 5 times",
		metrics: append([]metric{{name: "own", count: true}}, echoMetrics[2:]...),
		peers:   []string{ours, "net", "socat", "socat-recvfrom", "ncat"},
		run:     echoLoad("echo-new"),
	},
	{
		name: "in-bulk", about: "inside one process: one TCP connection, writes of 64 KiB, large segments where there are any",
		metrics: []metric{{name: "Gbit/s"}},
		peers:   []string{ours, "gvisor", "net", "pipe", "bufconn"},
		goals:   []goal{{"Gbit/s", "gvisor", 2}, {"Gbit/s", "net", 3}},
		run:     libraryLoad("in-bulk"),
	},
	{
		name: "in-bulk-1500", about: "the same between two hosts at MTU 1500, with checksums",
		metrics: []metric{{name: "Gbit/s"}, {name: "allocs/segment", count: true, most: 0.01}},
		peers:   []string{ours, "gvisor"},
		goals:   []goal{{"Gbit/s", "gvisor", 5}},
		run:     libraryLoad("in-bulk-1500"),
	},
	{
		name: "in-pingpong", about: "inside one process: 64 bytes there and back on one TCP connection",
		metrics: []metric{{name: "turns/s"}, {name: "allocs/call", count: true, most: 0.01}},
		peers:   []string{ours, "gvisor", "net", "pipe", "bufconn"},
		goals:   []goal{{"turns/s", "gvisor", 10}},
		run:     libraryLoad("in-pingpong"),
	},
	{
		name: "in-connect", about: "inside one process: connect, accept and close, one client",
		metrics: []metric{{name: "conn/s"}},
		peers:   []string{ours, "gvisor", "net", "pipe", "bufconn"},
		goals:   []goal{{"conn/s", "gvisor", 8}},
		run:     libraryLoad("in-connect"),
	},
	{
		name: "in-udp-64", about: "inside one process: datagrams of 64 bytes from one socket to another",
		metrics: []metric{{name: "datagrams/s"}},
		peers:   []string{ours, "gvisor", "net"},
		goals:   []goal{{"datagrams/s", "gvisor", 6}},
		run:     libraryLoad("in-udp-64"),
	},
	{
		name: "in-idle", about: "heap of a TCP connection that is idle, both ends",
		metrics: []metric{{name: "B/pair", lower: true, most: 2500}, {name: "objects/pair", lower: true}},
		peers:   []string{ours, "gvisor", "net", "pipe"},
		run:     libraryLoad("in-idle"),
	},
	{
		name: "in-crowd", about: "100,000 idle connections, then one byte on each",
		metrics: []metric{{name: "conn/s"}, {name: "bytes/s"}, {name: "B/pair", lower: true, most: 2500}, {name: "missing", count: true}},
		peers:   []string{ours, "gvisor"},
		run:     libraryLoad("in-crowd"),
	},
	{
		name: "lab-small", about: "seconds of a lab per real second: 11 hosts with 10 connections each, which send at 1 Mbit/s",
		metrics: labMetrics,
		peers:   []string{ours},
		run:     simulated(11, 1e6),
	},
	{
		name: "lab-medium", about: "100 such hosts, 1,000 connections",
		metrics: labMetrics,
		peers:   []string{ours},
		run:     simulated(100, 1e6),
	},
	{
		name: "lab-busy", about: "the same at 10 Mbit/s",
		metrics: labMetrics,
		peers:   []string{ours},
		run:     simulated(100, 1e7),
	},
	{
		name: "lab-large", about: "1,000 such hosts, 10,000 connections at 1 Mbit/s",
		metrics: labMetrics,
		peers:   []string{ours},
		run:     simulated(1000, 1e6),
	},
	{
		name: "size", about: "the smallest program, and the modules outside of golang.org/x that it needs",
		metrics: []metric{{name: "bytes", lower: true, most: 4.5e6}, {name: "stripped", lower: true}, {name: "modules", count: true}},
		peers:   []string{ours, "gvisor"},
		needs:   "go",
		run:     programSize,
	},
}

// Where the growth is linear, Mbit/s, what is carried in a real second, stays as it is.
var labMetrics = []metric{{name: "s/s"}, {name: "Mbit/s"}, {name: "carried %"}}

var gateways = []string{ours, direct, "slirp4netns", "pasta"}

var bulkRelays = []string{ours, direct, "net", "haproxy-splice", "haproxy", "socat", "socat-128k", "ncat"}

var echoMetrics = []metric{
	{name: "req/s"}, {name: "server-us/req", lower: true}, {name: "foreign", count: true}, {name: "merged", count: true}, {name: "lost", count: true},
}

func relayGoals(metrics ...string) []goal {
	var goals []goal
	for _, m := range metrics {
		goals = append(goals, goal{m, "haproxy-splice", 1.1}, goal{m, "socat", 2})
	}
	return goals
}
