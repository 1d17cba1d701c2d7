package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"sockeye/cmd/sockeye/labjoin"
)

// insideName is what this program is called (argv[0]) when it is about to become the program of sockeye
// run, in namespaces of its own. Its first argument is a plan.
const insideName = "sockeye-inside"

// A plan is what the network of the program looks like.
type plan struct {
	Path string // of the program
	labjoin.Place
	Resolv string // /etc/resolv.conf; "": the machine's
	Hosts  string // /etc/hosts; "": the machine's
}

// setupSocket is the descriptor by which both sides talk until the program runs: a socket of
// SOCK_SEQPACKET. From inside come the devices' descriptors, or the text of an error; then, from outside,
// one byte. It is closed when the program has begun.
const setupSocket = 3

// inside sets up the namespaces that this process was started in and becomes the program. It
// returns only if that fails.
func inside(args []string) {
	runtime.LockOSThread()
	unix.CloseOnExec(setupSocket)
	err := becomeProgram(args)
	unix.Sendto(setupSocket, []byte(err.Error()), unix.MSG_NOSIGNAL, nil)
	os.Exit(statusNetwork)
}

// becomeProgram gives the error that keeps it from that.
func becomeProgram(args []string) error {
	var p plan
	if len(args) < 2 {
		return errors.New("there is no plan, or no program")
	}
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	devices, err := p.network()
	if err != nil {
		return err
	}
	if err := p.names(); err != nil {
		return err
	}
	if err := unix.Sendmsg(setupSocket, []byte{0}, unix.UnixRights(devices...), nil, 0); err != nil {
		return err
	}
	for _, fd := range devices {
		unix.Close(fd)
	}
	var ready [1]byte
	if n, _, err := unix.Recvfrom(setupSocket, ready[:], 0); n != 1 {
		return fmt.Errorf("the gateway did not come up: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	// It is the thread's, and this may be another than the process began with. Who has died before is told by
	// the socket.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_PDEATHSIG: %w", err)
	}
	if n, _, err := unix.Recvfrom(setupSocket, ready[:], unix.MSG_DONTWAIT); n == 0 && err == nil {
		return errors.New("the gateway has gone")
	}
	signal.Reset(syscall.SIGPIPE) // which this command ignores, and a program would inherit
	return notStarted{p.Path, syscall.Exec(p.Path, args[1:], os.Environ())}
}

// notStarted is the error of a program that the system does not start.
type notStarted struct {
	path string
	err  error
}

func (e notStarted) Error() string { return e.path + ": " + e.err.Error() }

// network makes the devices, with addresses and routes, and turns the loopback on.
func (p *plan) network() (devices []int, err error) {
	n, err := openNetlink(0)
	if err != nil {
		return nil, err
	}
	defer n.close()
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		return nil, err
	}
	if err := n.up(loopback); err != nil {
		return nil, err
	}
	_, noIPv6 := os.Stat("/proc/net/if_inet6")
	for _, i := range p.Interfaces {
		fd, err := n.device(i, noIPv6 == nil)
		if err != nil {
			return nil, err
		}
		devices = append(devices, fd)
	}
	for _, r := range p.Routes {
		if r.Dst.Addr().Is6() && noIPv6 != nil {
			continue
		}
		if err := n.route(r.Dst, r.Gateway); err != nil {
			return nil, err
		}
	}
	p.settings()
	return devices, nil
}

// settings allow the program what it may do on a network of its own. Where /proc/sys can't be written to, it does without.
func (p *plan) settings() {
	os.WriteFile("/proc/sys/net/ipv4/ping_group_range", fmt.Appendf(nil, "%d %d", os.Getgid(), os.Getgid()), 0)
	os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	if p.Forward {
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
		os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0)
	}
}

// device makes a device that is up, and has its addresses.
func (n netlink) device(i labjoin.Interface, ipv6 bool) (fd int, err error) {
	if fd, err = openDevice(i.Name, i.Ethernet); err != nil {
		return 0, err
	}
	changes, err := openNetlink(unix.RTMGRP_IPV6_ROUTE)
	if err != nil {
		return 0, err
	}
	defer changes.close()
	device, err := net.InterfaceByName(i.Name)
	if err != nil {
		return 0, err
	}
	if i.Ethernet {
		if err := n.hardware(device, i.Hardware); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(setMTU(i.Name, i.MTU), n.up(device)); err != nil {
		return 0, err
	}
	for _, a := range i.Addrs {
		if a.Addr().Is6() && !ipv6 {
			continue
		}
		err := n.address(device, a)
		if err == nil && a.Addr().Is6() {
			err = changes.awaitAddress(a.Addr())
		}
		if err != nil {
			return 0, err
		}
	}
	return fd, nil
}

// openDevice makes a TUN or TAP device, as link.AdoptTUN wants it.
func openDevice(name string, ethernet bool) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return 0, fmt.Errorf("/dev/net/tun: %w: an administrator can let users open it: chmod 666 /dev/net/tun", err)
	case err != nil:
		return 0, fmt.Errorf("/dev/net/tun: %w: the kernel has no TUN devices; an administrator can load them: modprobe tun", err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	kind := uint16(unix.IFF_TUN)
	if ethernet {
		kind = unix.IFF_TAP
	}
	req.SetUint16(kind | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return 0, fmt.Errorf("TUNSETIFF %s: %w", name, err)
	}
	return fd, nil
}

func setMTU(device string, mtu int) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	req.SetUint32(uint32(mtu))
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, req); err != nil {
		return fmt.Errorf("MTU %d: %w", mtu, err)
	}
	return nil
}

// names puts other files in the place of /etc/resolv.conf and /etc/hosts, in this mount namespace alone.
func (p *plan) names() error {
	if p.Resolv == "" && p.Hosts == "" {
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("mount /: %w", err)
	}
	return errors.Join(replaceFile("/etc/resolv.conf", p.Resolv), replaceFile("/etc/hosts", p.Hosts))
}

// replaceFile gives a file, if there is one, another text; "": its own.
func replaceFile(name, text string) error {
	if text == "" {
		return nil
	}
	f, err := os.CreateTemp("", filepath.Base(name))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // what is mounted stays
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := unix.Mount(f.Name(), name, "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("mount %s: %w", name, err)
	}
	return nil
}

// neededCapabilities are those that setting up takes, of a user who has them in the new namespace alone.
var neededCapabilities = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}

// dropCapabilities takes them away again, unless the user is root, whose program has all of them anyway.
func dropCapabilities() error {
	if os.Geteuid() == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_CAP_AMBIENT_CLEAR_ALL: %w", err)
	}
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&h, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
