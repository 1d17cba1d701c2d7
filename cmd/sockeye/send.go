package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/cmd/sockeye/transfer"
)

func (a *app) sendCommand() *cobra.Command {
	var code string
	cmd := &cobra.Command{
		Use:   "send PATH... ADDR",
		Short: "Send files and folders to sockeye receive",
		Example: `  sockeye receive 7000                        # at one computer, in the folder for it
  sockeye send film.mkv Pictures host:7000    # at another
  sockeye send film.mkv Pictures host:7000    # after a cut: goes on at the byte where it was
  sockeye receive 7000 --code                 # encrypted: it tells a code
  sockeye send film.mkv host:7000 --code ABCD-EFGH-IJKL-MNOP`,
		Long: `Folders come with all that is in them. Permissions, times and holes are kept. A link is followed
if it is a PATH, and sent as a link if it is in a folder. Each file is compared by BLAKE3 once it is there; what is there
already is not sent again.

With --code the connection is encrypted, and both sides prove that they know the code that sockeye receive --code
tells. --code - reads it from standard input, where no list of processes shows it.`,
		Args:        sendArguments,
		Annotations: map[string]string{"exit": transferStatus, "try": "sockeye send film.mkv host:7000"},
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := parseStream("send", args[len(args)-1])
			if err != nil {
				return err
			}
			c, err := a.sendCode(code)
			if err != nil {
				return err
			}
			sources, err := transfer.Sources(args[:len(args)-1]...)
			if err != nil {
				return usage("%s", oneLine(err.Error()))
			}
			return a.send(cmd.Context(), to, sources, c)
		},
	}
	cmd.Flags().StringVar(&code, "code", "", "encrypt, with the code that sockeye receive --code tells; - reads it")
	return cmd
}

const transferStatus = `  0    all is there, whole and compared
  1    something is not there, which was told; or the network said no
  2    the command line is wrong
  130  ended by Ctrl-C before the end (143: by SIGTERM); the same command goes on from there`

// sendArguments checks that there is something to send, and somebody to send it to.
func sendArguments(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return usage("%s wants a PATH and an ADDR; try %s", cmd.CommandPath(), cmd.Annotations["try"])
	case 1:
		return usage("%s wants an ADDR behind %s; try sockeye send %[2]s host:7000", cmd.CommandPath(), args[0])
	}
	return nil
}

// sendCode reads the code that was given; "": none.
func (a *app) sendCode(text string) (transfer.Code, error) {
	if text == "" {
		return "", nil
	}
	if text == "-" {
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil && line == "" {
			return "", usage("--code - wants the code on standard input, and there is none")
		}
		text = strings.TrimSpace(line)
	}
	code, err := transfer.ParseCode(text)
	if err != nil {
		return "", usage("--code: %s", err)
	}
	return code, nil
}

func (a *app) send(ctx context.Context, to addr.Address, sources []transfer.Source, code transfer.Code) error {
	s, err := to.Connect(ctx, a.host)
	if err != nil {
		return failure{"connect to " + to.String(), err}
	}
	c, err := sockeye.NewConn(s)
	if err != nil {
		s.Close()
		return err
	}
	defer c.Close()
	if code != "" {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		c, err = code.Sender(ctx, c)
		if !stop() && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return failure{to.String(), err}
		}
	}
	tally := a.newTally("sent", to.String())
	tally.total(transfer.Total(sources))
	err = transfer.Sender{Progress: tally.progress, Result: tally.result}.Send(ctx, c, sources)
	return tally.end(ctx, err)
}

// A tally counts and shows what a transfer does.
type tally struct {
	a          *app
	verb, peer string
	bar        *progressbar.ProgressBar // nil: standard error is no terminal
	start      time.Time
	files      int
	bytes, had int64
	bad        int
	err        error // of standard output
}

func (a *app) newTally(verb, peer string) *tally {
	return &tally{a: a, verb: verb, peer: peer, start: time.Now()}
}

// total begins the progress bar.
func (t *tally) total(_ int, bytes int64) {
	if t.a.json || t.a.verbose || !terminal(os.Stderr) {
		return
	}
	t.bar = progressbar.NewOptions64(max(bytes, 1),
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionUseIECUnits(false))
}

func (t *tally) progress(n int64) {
	if t.bar != nil {
		t.bar.Add64(n)
	}
}

// result counts a file, and tells of it if something is wrong with it.
func (t *tally) result(r transfer.Result) {
	switch {
	case r.Bad():
		t.bad++
	default:
		t.files++
		t.bytes += r.Bytes
		t.had += r.From
	}
	if t.a.json {
		if err := t.a.object(r); err != nil && t.err == nil {
			t.err = err
		}
		return
	}
	if r.Bad() || r.As != "" {
		t.clear()
		e := event{Event: string(r.State), Name: r.Name, Error: r.Why}
		if r.As != "" {
			e = event{Event: "renamed", Name: r.Name, Target: r.As}
		}
		t.a.console.event(e)
	}
}

// clear makes room for a line.
func (t *tally) clear() {
	if t.bar != nil {
		t.bar.Clear()
	}
}

// end tells the sum, and gives what the command ends with.
func (t *tally) end(ctx context.Context, err error) error {
	t.clear()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return failure{t.peer, err}
	}
	moved, took := t.bytes-t.had, time.Since(t.start)
	e := event{Event: t.verb, Peer: t.peer, Text: fmt.Sprintf("%s, %s in %s (%s/s)", counted(t.files), sized(moved),
		took.Round(time.Millisecond), sized(int64(float64(moved)/max(took.Seconds(), 1e-6))))}
	if t.had > 0 {
		e.Text += "; " + sized(t.had) + " were there already"
	}
	t.a.console.event(e)
	switch {
	case t.err != nil:
		return t.err
	case t.bad > 0:
		return errors.New(counted(t.bad) + " not there as they should be; see above")
	}
	return nil
}

func counted(n int) string {
	if n == 1 {
		return "1 file or folder"
	}
	return fmt.Sprintf("%d files and folders", n)
}

// sized writes bytes for people.
func sized(n int64) string {
	f, unit := float64(n), 0
	for f >= 1000 && unit < 5 {
		f, unit = f/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %cB", f, " kMGTP"[unit])
}
