package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"sockeye"
	"sockeye/addr"
)

// An app is one run of the command.
type app struct {
	host    *sockeye.Host
	stdin   *os.File
	stdout  *os.File
	console *console

	json    bool
	verbose bool
}

// run runs the command line and gives the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(helpWriter{a.stdout})
	root.SetErr(a.console)
	err := root.ExecuteContext(ctx)
	status, text := verdict(err)
	if text != "" {
		a.console.failure(text)
	}
	return status
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sockeye COMMAND",
		Short: "Sockets at a terminal",
		Example: `  sockeye listen 8888                  # at one terminal
  sockeye connect localhost:8888       # at another: what you type arrives there
  sockeye listen 8888 > copy           # a file from one computer
  sockeye connect host:8888 < file     # to another
  sockeye listen -v 8888               # see socket, bind, listen and accept happen
  sockeye up                           # a whole network, and sockeye fault to break it
  sockeye ping -c 3 localhost
  sockeye options tcp://example.org:80`,
		Long: `An ADDR is one of
` + addresses + `

Standard error tells who came and who went. With --json it does so in JSON, one
object a line, and commands that give data give it on standard output likewise.
With --verbose it shows each socket call, the way strace does.`,
		Annotations:   map[string]string{"exit": exitStatus},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          unknownCommand,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.console.json = a.json
			if a.verbose {
				a.host = a.host.WithTrace(a.console.trace)
			}
		},
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "write JSON, one object a line")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "show each socket call as it is made, with its result")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see %s --help", flagProblem(err), cmd.CommandPath())
	})
	cobra.EnableCommandSorting = false
	root.SetHelpTemplate(helpTemplate)
	root.AddCommand(a.commands()...)
	for _, c := range root.Commands() {
		if c.Annotations == nil {
			c.Annotations = map[string]string{"exit": exitStatus}
		}
		c.DisableFlagsInUseLine = true
	}
	return root
}

// A helpWriter writes help and completion scripts. A reader who goes away has
// seen enough.
type helpWriter struct{ w io.Writer }

func (h helpWriter) Write(p []byte) (int, error) {
	if _, err := h.w.Write(p); err != nil && !errors.Is(err, syscall.EPIPE) {
		return 0, err
	}
	return len(p), nil
}

const addresses = `  8888  :8888  host:8888  [::1]:8888    TCP
  tcp://host:8888  tcp4://  tcp6://     TCP, of one family if need be
  udp://host:8888  udp4://  udp6://     UDP
  unix:PATH  unix:@NAME                 unix stream socket; @ is an abstract name
  unixgram:PATH  unixpacket:PATH        unix datagram and seqpacket socket
  icmp://host  ip://host/89             raw sockets of ICMP and of any IP protocol`

const exitStatus = `  0    all went well
  1    the network said no: refused, unreachable, in use, not allowed, peer gone
  2    the command line is wrong
  130  ended by Ctrl-C before the end (143: by SIGTERM)`

const helpTemplate = `{{.Short}}.
{{with .Example}}
Examples:
{{.}}
{{end}}
Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}} [flags]{{end}}
{{with .Long}}
{{.}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{with index .Annotations "exit"}}
Exit status:
{{.}}
{{end}}`

// flagProblem says what is wrong with a flag, in the words of who typed it.
func flagProblem(err error) string {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	wanted, ok := map[string]string{
		"int": "a whole number", "duration": "a time, such as 1.5s", "time": "seconds, such as 0.2, or a time, such as 200ms", "bool": "true or false",
		"share": "a share, as 1% or 0.01", "rate": "bits per second, as 500kbit, 5mbit or 1gbit",
	}[bad.GetFlag().Value.Type()]
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("--%s wants %s, and %q is not", bad.GetFlag().Name, wanted, bad.GetValue())
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.Help()
		return usage("there is no command; start with sockeye listen 8888")
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("%s; try sockeye %s", text, strings.Join(near, " or sockeye "))
	}
	return usage("%s; see sockeye --help", text)
}

// arguments checks how many there are, and says which are missing.
func arguments(names ...string) cobra.PositionalArgs {
	required := len(names)
	if strings.HasPrefix(names[len(names)-1], "[") {
		required--
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < required:
			return usage("%s wants %s; try %s", cmd.CommandPath(), names[len(args)], cmd.Annotations["try"])
		case len(args) > len(names):
			return usage("%s wants %s and nothing more, but there is %q", cmd.CommandPath(), strings.Join(names, " "), args[len(names)])
		}
		return nil
	}
}

// completeAddress offers the schemes.
func completeAddress(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var forms []string
	for _, s := range addr.Schemes() {
		if strings.HasPrefix(s, "unix") {
			forms = append(forms, s+":")
		} else {
			forms = append(forms, s+"://")
		}
	}
	return forms, cobra.ShellCompDirectiveNoSpace
}

// A conflict is what can't be asked for together.
type conflict struct {
	when bool
	text string
}

func refuse(conflicts ...conflict) error {
	for _, c := range conflicts {
		if c.when {
			return usage("%s", c.text)
		}
	}
	return nil
}

// object writes one JSON object and ends the line.
func (a *app) object(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.output(append(b, '\n'))
}

// table writes rows: in columns under their names at a terminal, in a pipe with a
// tab between the fields and no names.
func (a *app) table(names []string, rows [][]string) error {
	var b bytes.Buffer
	if !terminal(a.stdout) {
		for _, row := range rows {
			fmt.Fprintln(&b, strings.Join(row, "\t"))
		}
		return a.output(b.Bytes())
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(names, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	var lines bytes.Buffer
	for line := range strings.Lines(b.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n") // empty cells end some
	}
	return a.output(lines.Bytes())
}

// terminal tells whether somebody sits there.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
