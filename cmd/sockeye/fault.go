package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sockeye/cmd/sockeye/labctl"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/cmd/sockeye/labup"
)

func (a *app) faultCommand() *cobra.Command {
	var name, from string
	cmd := &cobra.Command{
		Use:   "fault [TARGET WHAT...]",
		Short: "Break a lab that is up, and mend it",
		Example: `  sockeye fault                             # which faults there are
  sockeye fault wan loss=10% delay=200ms    # the rest of the link stays as it is
  sockeye fault wan --from server rate=1mbit
  sockeye fault wan profile=3g
  sockeye fault wan down                    # up again: up; as in the file: clear
  sockeye fault laptop,web loss=5%          # what two hosts send each other; also clear
  sockeye fault web crash                   # and restart
  sockeye fault part laptop,router web      # groups that do not reach each other; the end: join`,
		Long: `What can be said of a link, alone or together:

` + faultHelp() + `

Packets on their way keep the delay and the fate that they have.`,
		Annotations: map[string]string{"exit": exitStatus},
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, err := labctl.Choose(name)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listFaults(lab)
			}
			return postFault(lab, labup.FaultRequest{Target: args[0], From: from, Words: args[1:]})
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return faultWords(name, args)
	}
	cmd.Flags().StringVar(&name, "lab", "", "the lab, if several are up")
	cmd.Flags().StringVar(&from, "from", "", "only what comes from this end of the link")
	return cmd
}

// faultWords are what may come behind the arguments, for the shell's completion.
func faultWords(name string, args []string) ([]string, cobra.ShellCompDirective) {
	lab, err := labctl.Choose(name)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := labState(lab)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var links, hosts []string
	for _, l := range s.Links {
		links = append(links, l.Name)
	}
	for _, h := range s.Hosts {
		hosts = append(hosts, h.Name)
	}
	switch {
	case len(args) == 0:
		return slices.Concat(links, hosts, labfile.Reserved), cobra.ShellCompDirectiveNoFileComp
	case args[0] == "part":
		return hosts, cobra.ShellCompDirectiveNoFileComp
	case slices.Contains(hosts, args[0]):
		return []string{"crash", "restart"}, cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{"down", "up", "clear"}
	for _, f := range labfile.FaultNames() {
		words = append(words, f+"=")
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// faultHelp is a line for each fault.
func faultHelp() string {
	var b strings.Builder
	for _, name := range labfile.FaultNames() {
		fmt.Fprintf(&b, "  %-13s %s\n", name, labfile.FaultDoc(name))
	}
	return strings.TrimRight(b.String(), "\n")
}

// postFault asks the lab for a fault.
func postFault(lab string, f labup.FaultRequest) error {
	body, err := json.Marshal(f)
	if err != nil {
		return err
	}
	r, err := labctl.Client(lab).Post("http://lab/fault", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer labup.Answer
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return usage("%s", answer.Error)
	}
	return nil
}

// labState asks the lab for its state.
func labState(lab string) (s labup.State, err error) {
	r, err := labctl.Client(lab).Get("http://lab/lab")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// listFaults shows the links with their faults, and the hosts that are down or parted.
func (a *app) listFaults(lab string) error {
	s, err := labState(lab)
	if err != nil {
		return err
	}
	if a.json {
		return a.object(s)
	}
	var rows [][]string
	for _, l := range s.Links {
		one, other := l.Ways[0], l.Ways[1]
		if faultText(one) == faultText(other) {
			rows = append(rows, []string{l.Name, "both", faultText(one)})
			continue
		}
		rows = append(rows, []string{l.Name, one.From, faultText(one)}, []string{l.Name, other.From, faultText(other)})
	}
	for _, h := range s.Hosts {
		if !h.Up {
			rows = append(rows, []string{h.Name, "", "crashed"})
		}
	}
	for _, p := range s.Pairs {
		rows = append(rows, []string{p.From + "," + p.To, p.From, p.Faults})
	}
	for _, p := range s.Parted {
		rows = append(rows, []string{p[0], "", "parted from " + p[1]})
	}
	return a.table([]string{"TARGET", "FROM", "FAULTS"}, rows)
}

// faultText is the faults of one way of a link.
func faultText(w labup.WayState) string {
	if w.Down {
		return strings.TrimSpace("down " + w.Faults)
	}
	return cmp.Or(w.Faults, "none")
}
