package link

import (
	"maps"
	"slices"
	"time"
)

// A Profile is how a kind of access to the Internet behaves, from where its figures are.
type Profile struct {
	Down, Up Faults // towards the user, and from the user
	Source   string // of the figures
}

// kbit is a thousand bits per second.
const kbit = 1000

// Where the figures are from. A source that tells a round trip time is read as half of it each way; a queue
// holds what the link sends in the time that is told, or the 1000 packets of Linux's default.
const (
	webPageTest = "WebPageTest's connectivity profiles (connectivity.ini.sample: bandwidth, round trip time)"
	starlink    = "Michel et al., A First Look at Starlink Performance, IMC 2022: medians of round trip time (50 ms, quartiles 40 and 60), " +
		"of download (178 Mbit/s) and of upload (17 Mbit/s)"
	geo = "RFC 2488 section 2: 239.6 to 279.0 ms from ground station to ground station by a geostationary satellite; rates of a " +
		"common subscription (25 and 3 Mbit/s)"
	pingmesh = "Guo et al., Pingmesh, SIGCOMM 2015: a median round trip time of 268 us between pods, and 1 packet of 100,000 lost; " +
		"10 Gbit/s to a server"
	crowdedWifi = "no measurement: a crowded cell with 20 Mbit/s, a contention delay of a few ms, and the channel of Gilbert (1960) and Elliott (1963) " +
		"with a mean burst of 5 packets and 1 % in the bad state, where every second packet is lost"
)

// profiles are what there is, by name: made when somebody asks, so that programs that do not are without.
func profiles() map[string]Profile {
	return map[string]Profile{
		"2g":         access(280*kbit, 256*kbit, 800*time.Millisecond, webPageTest),
		"edge":       access(240*kbit, 200*kbit, 840*time.Millisecond, webPageTest),
		"3g-slow":    access(400*kbit, 400*kbit, 400*time.Millisecond, webPageTest),
		"3g":         access(1600*kbit, 768*kbit, 300*time.Millisecond, webPageTest),
		"3g-fast":    access(1600*kbit, 768*kbit, 150*time.Millisecond, webPageTest),
		"4g":         access(9000*kbit, 9000*kbit, 170*time.Millisecond, webPageTest),
		"lte":        access(12_000*kbit, 12_000*kbit, 70*time.Millisecond, webPageTest),
		"dial-up":    access(49*kbit, 30*kbit, 120*time.Millisecond, webPageTest),
		"dsl":        access(1500*kbit, 384*kbit, 50*time.Millisecond, webPageTest),
		"cable":      access(5000*kbit, 1000*kbit, 28*time.Millisecond, webPageTest),
		"fiber":      access(20_000*kbit, 5000*kbit, 4*time.Millisecond, webPageTest),
		"satellite":  access(25_000*kbit, 3000*kbit, 520*time.Millisecond, geo),
		"leo":        access(178_000*kbit, 17_000*kbit, 50*time.Millisecond, starlink).with(leoJitter),
		"lossy-wifi": access(20_000*kbit, 20_000*kbit, 6*time.Millisecond, crowdedWifi).with(wifiChannel),
		"datacenter": access(10_000_000*kbit, 10_000_000*kbit, 268*time.Microsecond, pingmesh).with(func(f *Faults) { f.Loss = 1e-5 }),
	}
}

// access is a link with a rate each way and a round trip time.
func access(down, up int64, roundTrip time.Duration, source string) Profile {
	return Profile{Down: Faults{Rate: down, Delay: roundTrip / 2}, Up: Faults{Rate: up, Delay: roundTrip / 2}, Source: source}
}

// with changes both directions.
func (p Profile) with(change func(*Faults)) Profile {
	change(&p.Down)
	change(&p.Up)
	return p
}

// leoJitter spreads the round trip so that its quartiles are 10 ms from the median: those of a normal
// distribution are 0.674 standard deviations away, and there are two directions.
func leoJitter(f *Faults) {
	f.Jitter, f.Distribution, f.KeepOrder = 10_490*time.Microsecond, Normal, true
}

func wifiChannel(f *Faults) {
	f.Burst = Burst{GoodToBad: 0.002, BadToGood: 0.2, LossBad: 0.5}
	f.Jitter, f.KeepOrder = 3*time.Millisecond, true
}

// ProfileNamed is the profile of a name: 2g, edge, 3g, 4g, lte, dsl, cable, satellite, leo, lossy-wifi,
// datacenter and others that ProfileNames gives.
func ProfileNamed(name string) (p Profile, ok bool) {
	p, ok = profiles()[name]
	return p, ok
}

// ProfileNames are the names of all profiles, sorted.
func ProfileNames() []string { return slices.Sorted(maps.Keys(profiles())) }
