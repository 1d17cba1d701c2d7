package labscreen

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"charm.land/lipgloss/v2"

	"sockeye/cmd/sockeye/labup"
	"sockeye/lab"
)

// A View is what is shown of a lab at a moment.
type View struct {
	Head     []string // what to type
	Now, Was labup.State
	Over     time.Duration // from Was to Now
	Sockets  []Socket
	Log      []string
}

// A Socket is one on a host.
type Socket struct {
	Host string
	lab.SocketStatus
}

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
)

// A section is a table, or lines, under a title.
type section struct {
	title string
	lines []string
	least int // lines that stay when there is little room
}

// Draw draws the view in a window of a size. What finds no room is counted.
func (v *View) Draw(width, height int) string {
	up := time.Duration(v.Now.Up * float64(time.Second)).Round(time.Second)
	lines := []string{strong.Render(fmt.Sprintf("lab %s, up for %v", v.Now.Lab, up)) + faint.Render("   Ctrl-C ends it")}
	lines = append(lines, v.Head...)
	sections := []section{v.hosts(), v.links(), v.sockets(), {"LOG", v.Log, 3}}
	shares := share(height-len(lines), sections)
	for i, s := range sections {
		if len(s.lines) == 0 || shares[i] == 0 {
			continue
		}
		lines = append(lines, "", strong.Render(s.title))
		switch more := len(s.lines) - shares[i]; {
		case more <= 0:
			lines = append(lines, s.lines...)
		case s.title == "LOG": // of which the end counts
			lines = append(lines, s.lines[more:]...)
		default:
			lines = append(lines, s.lines[:shares[i]-1]...)
			lines = append(lines, faint.Render(fmt.Sprintf("and %d more", more+1)))
		}
	}
	lines = lines[:min(len(lines), height)]
	cut := lipgloss.NewStyle().MaxWidth(width)
	for i, l := range lines {
		lines[i] = cut.Render(l)
	}
	return strings.Join(lines, "\n")
}

// share deals lines out: to each section the least, then to the first ones what they want.
func share(room int, sections []section) []int {
	shares := make([]int, len(sections))
	for i, s := range sections {
		if len(s.lines) > 0 {
			shares[i] = min(s.least, len(s.lines), max(0, room-2))
			room -= shares[i] + 2 // the title, and the empty line above it
		}
	}
	for i, s := range sections {
		more := min(len(s.lines)-shares[i], max(0, room))
		shares[i] += more
		room -= more
	}
	return shares
}

// table puts rows in columns under their names, which are the title.
func table(names string, rows [][]string, least int) section {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, names)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	w.Flush()
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	return section{lines[0], lines[1:], least}
}

func (v *View) hosts() section {
	var rows [][]string
	for _, h := range v.Now.Hosts {
		state := "up"
		if !h.Up {
			state = "crashed"
		}
		for _, p := range v.Now.Parted {
			if i := slices.Index(p[:], h.Name); i >= 0 {
				state += ", parted from " + p[1-i]
			}
		}
		address := ""
		if len(h.Addresses) > 0 {
			address = h.Addresses[0].String()
		}
		runs := h.Runs
		if h.Router {
			runs = append([]string{"router"}, runs...)
		}
		rows = append(rows, []string{h.Name, address, fmt.Sprint(h.Sockets), strings.Join(runs, ", "), state})
	}
	return table("HOST\tADDRESS\tSOCKETS\tRUNS\tSTATE", rows, 4)
}

func (v *View) links() section {
	was := make(map[string]labup.WayState)
	for _, l := range v.Was.Links {
		for _, w := range l.Ways {
			was[l.Name+" "+w.From] = w
		}
	}
	var rows [][]string
	for _, l := range v.Now.Links {
		for i, w := range l.Ways {
			before := was[l.Name+" "+w.From]
			faults := w.Faults
			if w.Down {
				faults = strings.TrimSpace("down " + faults)
			}
			rows = append(rows, []string{
				l.Name, w.From + " → " + l.Ways[1-i].From, rate(w.Bytes-before.Bytes, v.Over),
				percent(w.Lost-before.Lost, w.Packets-before.Packets), fmt.Sprint(w.Queued), faults,
			})
		}
	}
	return table("LINK\tWAY\tRATE\tLOSS\tQUEUE\tFAULTS", rows, 6)
}

func (v *View) sockets() section {
	var rows [][]string
	for _, s := range v.Sockets {
		rows = append(rows, []string{s.Host, s.Network, s.State, fmt.Sprint(s.RecvQ), fmt.Sprint(s.SendQ), s.Local, s.Peer})
	}
	return table("HOST\tNETWORK\tSTATE\tRECV-Q\tSEND-Q\tLOCAL\tPEER", rows, 4)
}

// rate is bytes in a time as bits per second.
func rate(bytes uint64, over time.Duration) string {
	if over <= 0 || bytes == 0 {
		return "-"
	}
	r := float64(bytes) * 8 / over.Seconds()
	for _, u := range []struct {
		name string
		size float64
	}{{"Gbit/s", 1e9}, {"Mbit/s", 1e6}, {"kbit/s", 1e3}} {
		if r >= u.size {
			return fmt.Sprintf("%.1f %s", r/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.0f bit/s", r)
}

// percent is a share of packets.
func percent(part, of uint64) string {
	if part == 0 || of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(of))
}
