package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"sockeye/cmd/sockeye/labctl"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/cmd/sockeye/labscreen"
	"sockeye/cmd/sockeye/labup"
)

// An upper brings a lab up.
type upper struct {
	a     *app
	path  string // of the file; "": the lab that is built in
	name  string
	log   string
	page  string
	plain bool

	capture string
}

func (a *app) upCommand() *cobra.Command {
	u := &upper{a: a}
	var show, schema, check bool
	cmd := &cobra.Command{
		Use:   "up [FILE]",
		Short: "Bring a network to life: hosts, links with faults, programs, ports",
		Example: `  sockeye up                          # three hosts behind a slow line; it says what to type
  sockeye up --print > lab.yaml       # that lab's file, to change
  sockeye up lab.yaml                 # what you change in it is applied while it is up
  sockeye fault wan loss=10%          # at another terminal
  sockeye up --check lab.yaml         # is anything wrong with it?
  sockeye up --schema > lab.schema.json`,
		Long: `Hosts in pure Go run echo, web, chat, sink and source, or an unmodified program; ports of
this machine's loopback lead to them, so that curl, nc and browsers can use them, and meet
the faults of the links on the way. At a terminal it shows what goes on; a page shows it to
a browser. The file is read again when it changes: what is the same in it goes on. A file
that is wrong is told with line and column, and changes nothing. It runs until Ctrl-C,
which is its orderly end: the exit status is 0. docs/up.md tells more.`,
		Args:        arguments("[FILE]"),
		Annotations: map[string]string{"exit": exitStatus, "try": "sockeye up"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				u.path = args[0]
			}
			switch {
			case show:
				return a.output(labfile.Demo)
			case schema:
				return a.output(labfile.Schema())
			}
			if check {
				_, err := u.read()
				return err
			}
			return u.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&show, "print", false, "write the file of the lab that is built in, and do no more")
	flags.BoolVar(&schema, "schema", false, "write the JSON Schema of lab files, for editors, and do no more")
	flags.BoolVar(&check, "check", false, "say what is wrong with the file, and do no more")
	flags.StringVar(&u.name, "name", "", "of the lab, instead of that in its file")
	flags.StringVar(&u.log, "log", "", "keep the log in this file (default: beside the lab's control socket)")
	flags.StringVar(&u.capture, "capture", "", "write what passes the links to this file (pcapng, an interface for each link)")
	flags.BoolVar(&u.plain, "plain", false, "write lines at a terminal too, and do not take the whole screen")
	flags.StringVar(&u.page, "page", "127.0.0.1:0", "where the page is, on this machine's loopback; none: there is none")
	return cmd
}

// read reads the file.
func (u *upper) read() (file *labfile.File, err error) {
	if u.path == "" {
		file, err = labfile.Parse("the lab that is built in", labfile.Demo)
	} else {
		file, err = labfile.Read(u.path)
	}
	if wrong, ok := errors.AsType[*labfile.Errors](err); ok {
		return nil, usageError{wrong.Error()}
	}
	if err != nil {
		return nil, usage("%v", err)
	}
	switch {
	case u.name != "":
		file.Name = u.name
	case file.Name == "":
		file.Name = labName(u.path)
	}
	if !labfile.IsName(file.Name) {
		return nil, usage("%q cannot be a lab's name, which is of letters, digits and inner hyphens; give it one with --name", file.Name)
	}
	return file, nil
}

// labName is the name of a lab whose file does not say it.
func labName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// run keeps the lab up until the context ends.
func (u *upper) run(ctx context.Context) (err error) {
	var changes *fsnotify.Watcher
	if u.path != "" {
		if _, err := os.Stat(u.path); err != nil {
			return usage("%v", err)
		}
		if changes, err = u.watcher(); err != nil {
			return err
		}
		defer changes.Close()
	}
	file, err := u.read()
	if err != nil {
		return err
	}
	control, err := labctl.Listen(file.Name)
	if err != nil {
		return err
	}
	defer control.Close()
	log, err := u.openLog(file.Name)
	if err != nil {
		return err
	}
	defer log.Close()
	var screen *labscreen.Log // nil: there is none
	if !u.plain && !u.a.json && !u.a.verbose && terminal(u.a.stdin) && terminal(u.a.stdout) {
		screen = new(labscreen.Log)
	}
	tell := func(text string) {
		fmt.Fprintf(log, "%s %s\n", time.Now().Format("2006-01-02T15:04:05.000Z07:00"), text)
		if screen != nil {
			screen.Add(text)
			return
		}
		u.a.console.event(event{Event: "log", Text: text})
	}
	config := labup.Config{
		Machine: u.a.host, Dir: filepath.Dir(u.path), AnyPort: u.path == "", Command: commander(file.Name, tell), Log: tell,
	}
	if u.capture != "" {
		f, err := os.Create(u.capture)
		if err != nil {
			return err
		}
		defer f.Close()
		config.Capture = f
	}
	l, err := labup.Start(file, config)
	if err != nil {
		return startError(err)
	}
	defer func() {
		if e := l.Close(); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", u.capture, e)
		}
	}()
	d, err := openDoors(ctx, l, control, u.page)
	if err != nil {
		return err
	}
	defer d.members.Close()
	if changes != nil {
		go u.watch(ctx, changes, l, d, tell)
	}
	head := append(whatToType(l, d.url), "its log is "+log.Name())
	if screen != nil {
		err = labscreen.Run(ctx, l, head, screen, u.a.stdin, u.a.stdout)
		if ctx.Err() != nil {
			err = nil
		}
	} else {
		tell(fmt.Sprintf("lab %s is up: %s; Ctrl-C ends it", file.Name, counts(file)))
		u.announce(l, d.url, head)
		<-ctx.Done()
	}
	tell("down")
	return err
}

// startError is why a lab did not come up.
func startError(err error) error {
	if port, ok := errors.AsType[*labup.PortError](err); ok {
		return failure{"port " + port.Address + ", which leads to " + port.To, port.Err}
	}
	return err
}

// openLog opens the log.
func (u *upper) openLog(name string) (*os.File, error) {
	path := u.log
	if path == "" {
		dir, err := labctl.Dir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(dir, name+".log")
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// announce says what there is: for people what to type, and in JSON the addresses.
func (u *upper) announce(l *labup.Lab, page string, head []string) {
	if !u.a.json {
		for _, text := range head {
			u.a.console.line("sockeye: " + text)
		}
		return
	}
	for _, p := range l.Ports() {
		u.a.console.event(event{Event: "listening", Address: p.Address, Target: p.To})
	}
	if page != "" {
		u.a.console.event(event{Event: "page", Address: page})
	}
}

// whatToType is lines that say how to use the lab.
func whatToType(l *labup.Lab, page string) (lines []string) {
	line := func(typed, meaning string) { lines = append(lines, fmt.Sprintf("  %-42s # %s", typed, meaning)) }
	file := l.File()
	for _, p := range l.Ports() {
		line(typed(p, file), p.To+", by way of "+p.By)
	}
	if len(file.Links) > 0 {
		name := file.Links[0].Name
		line("sockeye fault "+name+" loss=10% delay=200ms", "and sockeye fault "+name+" clear")
	}
	if page != "" {
		lines = append(lines, "  "+page)
	}
	return lines
}

// counts says how large the lab is.
func counts(f *labfile.File) string {
	return number(len(f.Hosts), "host") + ", " + number(len(f.Links), "link")
}

func number(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// typed is what to type to use a port.
func typed(p labup.Port, f *labfile.File) string {
	scheme, at, _ := strings.Cut(p.Address, "://")
	host, port, _ := net.SplitHostPort(at)
	target, targetPort, _ := net.SplitHostPort(p.To)
	if h := f.Host(target); h != nil && scheme == "tcp" {
		for _, run := range h.Run {
			if run.Kind == "web" && fmt.Sprint(run.Port) == targetPort {
				return "curl http://" + at
			}
		}
	}
	if scheme == "udp" {
		return "nc -u " + host + " " + port
	}
	return "nc " + host + " " + port
}
