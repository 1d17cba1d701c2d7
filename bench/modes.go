package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// modes are what this program does as a child of itself: every load and every
// server runs in a process of its own.
var modes map[string]func(ctx context.Context, args []string) error

func init() {
	modes = map[string]func(context.Context, []string) error{
		"load":   runLoad,
		"serve":  runServer,
		"behind": runBehind,
		"lab":    runLab,
	}
}

// A load works for a while and gives figures. arg is what it works on: the
// library, or the address of a server.
type load func(arg string, d time.Duration) (map[string]float64, error)

var loads = map[string]load{
	"tcp-bulk":     byLibrary(library{netBulk, sockBulk}),
	"tcp-pingpong": byLibrary(library{netPingPong, sockPingPong}),
	"connect":      byLibrary(library{netConnect, sockConnect}),
	"udp-64":       byLibrary(library{netDatagrams(64), sockDatagrams(64)}),
	"udp-1400":     byLibrary(library{netDatagrams(1400), sockDatagrams(1400)}),
	"tun-rx":       behindDevice(iperfServers),
	"tun-tx":       behindDevice(iperfServers, "-R"),
	"tun-bad":      behindDevice(impairedServers, "-R"),
	"iperf3":       iperfClient(),
	"iperf3-R":     iperfClient("-R"),
	"turns":        turns,
	"delay":        delayOff,
	"loss":         lossOff,
	"rate":         rateOff(),
	"rate-R":       rateOff("-R"),
	"connections":  exchanges,
	"closes":       closes,
	"echo-32":      echoWindow,
	"echo-16":      echoBursts(echoBurst),
	"echo-16x1":    echoBursts(1),
	"echo-new":     echoNew,

	"in-bulk":      between(fast, bulkBetween),
	"in-bulk-1500": between(ethernet, bulkBetween),
	"in-pingpong":  between(fast, pingPongBetween),
	"in-connect":   between(fast, connectBetween),
	"in-udp-64":    between(fast, datagramsBetween(64)),
	"in-idle":      between(fast, idleBetween(5000)),
	"in-crowd":     between(fast, crowd),
	"web-small":    between(fast, gets(16, 1<<10)),
	"web-large":    between(fast, gets(1, 64<<20)),
}

// A library is the same work written against package net and against sockeye.
type library struct {
	net, sockeye func(d time.Duration) (map[string]float64, error)
}

func byLibrary(l library) load {
	return func(name string, d time.Duration) (map[string]float64, error) {
		switch name {
		case "net":
			return l.net(d)
		case ours:
			return l.sockeye(d)
		}
		return nil, fmt.Errorf("no library is called %q", name)
	}
}

// runLoad is "load NAME ARG DURATION".
func runLoad(_ context.Context, args []string) error {
	if len(args) != 3 || loads[args[0]] == nil {
		return fmt.Errorf("load %s: no such load", strings.Join(args, " "))
	}
	d, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	v, err := loads[args[0]](args[1], d)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// runServer is "serve NAME ADDRESS [TARGET]".
func runServer(ctx context.Context, args []string) error {
	if len(args) < 2 || servers[args[0]] == nil {
		return fmt.Errorf("serve %s: no such server", strings.Join(args, " "))
	}
	return servers[args[0]](ctx, args[1], slices.Concat(args[2:], []string{""})[0])
}
