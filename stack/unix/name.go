package unix

import (
	"path"
	"strconv"
	"strings"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

// A Family holds the names of one host's unix sockets. They are no files: the
// path names of two hosts never meet.
type Family struct {
	host     *sock.Host
	paths    map[string]*node
	dirs     map[string]bool
	abstract map[abstractName]*Socket
	auto     int

	flights    []flight // of sockets in messages
	collecting bool
}

// An abstractName belongs to a type: a stream and a datagram socket may have
// the same one.
type abstractName struct {
	typ  sockeye.Type
	name string
}

// A node is a path name in the host's file system.
type node struct {
	socket *Socket // nil: left behind by a socket that is gone
	mode   uint32  // permissions, as chmod(2) sets them
}

// NewFamily is AF_UNIX of the host.
func NewFamily(h *sock.Host) *Family {
	return &Family{
		host: h, paths: make(map[string]*node), abstract: make(map[abstractName]*Socket),
		dirs: map[string]bool{"/": true, ".": true, "/run": true, "/tmp": true, "/var": true, "/var/run": true},
	}
}

// Mkdir makes a directory for path names. /run, /tmp and /var/run are there.
func (f *Family) Mkdir(dir string) error {
	dir = path.Clean(dir)
	if f.dirs[dir] || f.paths[dir] != nil {
		return syscall.EEXIST
	}
	if err := f.enter(dir); err != nil {
		return err
	}
	f.dirs[dir] = true
	return nil
}

// enter goes to the directory that name is in.
func (f *Family) enter(name string) error {
	switch dir := path.Dir(name); {
	case f.dirs[dir]:
		return nil
	case f.paths[dir] != nil:
		return syscall.ENOTDIR
	default:
		return syscall.ENOENT
	}
}

// Unlink removes a path name.
func (f *Family) Unlink(name string) error {
	if f.dirs[name] {
		return syscall.EISDIR
	}
	if _, ok := f.paths[name]; !ok {
		return syscall.ENOENT
	}
	delete(f.paths, name)
	return nil
}

// Chmod sets the permissions of a path name. Who is not privileged needs one of
// the write permissions to connect or send to it.
func (f *Family) Chmod(name string, mode uint32) error {
	n, ok := f.paths[name]
	if !ok {
		return syscall.ENOENT
	}
	n.mode = mode
	return nil
}

const maxPath = 108

// valid is unix_validate_addr.
func valid(sa sockeye.Sockaddr) error {
	if sa.Family() != sockeye.AF_UNIX || sa.Path() == "" || len(sa.Path()) > maxPath {
		return syscall.EINVAL
	}
	return nil
}

// find is unix_find_other: the socket of type typ that has the name.
func (f *Family) find(sa sockeye.Sockaddr, typ sockeye.Type) (*Socket, error) {
	name := sa.Path()
	if strings.HasPrefix(name, "\x00") {
		if s, ok := f.abstract[abstractName{typ, name}]; ok {
			return s, nil
		}
		return nil, syscall.ECONNREFUSED
	}
	if f.dirs[path.Clean(name)] {
		return nil, syscall.ECONNREFUSED
	}
	if err := f.enter(name); err != nil {
		return nil, err
	}
	n, ok := f.paths[name]
	switch {
	case !ok:
		return nil, syscall.ENOENT
	case n.mode&0o222 == 0 && !f.host.Privileged:
		return nil, syscall.EACCES
	case n.socket == nil:
		return nil, syscall.ECONNREFUSED
	case n.socket.Type != typ:
		return nil, syscall.EPROTOTYPE
	}
	return n.socket, nil
}

// Bind is unix_bind.
func (s *Socket) Bind(sa sockeye.Sockaddr) error {
	if sa == sockeye.SockaddrUnix("") {
		return s.autobind()
	}
	if err := valid(sa); err != nil {
		return err
	}
	if !strings.HasPrefix(sa.Path(), "\x00") {
		if s.family.paths[sa.Path()] != nil || s.family.dirs[path.Clean(sa.Path())] {
			return syscall.EADDRINUSE
		}
		if err := s.family.enter(sa.Path()); err != nil {
			return err
		}
		if s.bound() {
			return syscall.EINVAL
		}
		s.family.paths[sa.Path()] = &node{socket: s, mode: 0o755}
		s.name = sa
		return nil
	}
	if s.bound() {
		return syscall.EINVAL
	}
	name := abstractName{s.Type, sa.Path()}
	if _, taken := s.family.abstract[name]; taken {
		return syscall.EADDRINUSE
	}
	s.family.abstract[name] = s
	s.name = sa
	return nil
}

// autobind gives the socket an abstract name of five hexadecimal digits.
func (s *Socket) autobind() error {
	if s.bound() {
		return nil
	}
	for range 1 << 20 {
		s.family.auto = (s.family.auto + 1) & (1<<20 - 1)
		sa := sockeye.SockaddrAbstract(strconv.FormatUint(1<<20|uint64(s.family.auto), 16)[1:])
		name := abstractName{s.Type, sa.Path()}
		if _, taken := s.family.abstract[name]; !taken {
			s.family.abstract[name] = s
			s.name = sa
			return nil
		}
	}
	return syscall.ENOSPC
}

// forget takes the socket's name away from it. A path name stays, and refuses
// bind, until it is unlinked.
func (s *Socket) forget() {
	name := s.name.Path()
	if !strings.HasPrefix(name, "\x00") {
		if n := s.family.paths[name]; n != nil && n.socket == s {
			n.socket = nil
		}
		return
	}
	if key := (abstractName{s.Type, name}); s.family.abstract[key] == s {
		delete(s.family.abstract, key)
	}
}
