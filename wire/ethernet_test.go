package wire_test

import (
	"testing"

	"sockeye/wire"
)

var (
	macA = wire.MAC{2, 0, 0, 0, 0, 1}
	macB = wire.MAC{2, 0, 0, 0, 0, 2}
)

const frameHex = `
	02 00 00 00 00 02  // to
	02 00 00 00 00 01  // from
	08 00              // IPv4
	45 00              // what it carries`

const taggedHex = `
	02 00 00 00 00 02
	02 00 00 00 00 01
	81 00              // IEEE 802.1Q
	60 2a              // priority 3, VLAN 42
	86 dd              // IPv6`

func putEthernet(h wire.Ethernet, b []byte) int { return h.Put(b) }

func TestEthernetIsParsedAndBuilt(t *testing.T) {
	checkVectors(t, head(wire.ParseEthernet), putEthernet, []vector[wire.Ethernet]{
		{"plain", frameHex, wire.Ethernet{Dst: macB, Src: macA, Type: wire.ETH_P_IP}},
		{"tagged", taggedHex, wire.Ethernet{Dst: macB, Src: macA, Type: wire.ETH_P_IPV6, Tagged: true, TCI: 0x602a}},
	})
}

func TestEthernetSkipsOneTagToThePayload(t *testing.T) {
	h, payload, err := wire.ParseEthernet(append(unhex(taggedHex), 0x60, 1))
	if err != nil || h.VLAN() != 42 || string(payload) != "\x60\x01" {
		t.Errorf("VLAN %d, payload %x, %v", h.VLAN(), payload, err)
	}
}

func TestEthernetRefusals(t *testing.T) {
	parse := func(b []byte) error { _, _, err := wire.ParseEthernet(b); return err }
	checkRefusals(t, unhex(taggedHex), parse, []refusal{
		{"no byte is short", cut(0), wire.ErrShort},
		{"a header less a byte is short", cut(13), wire.ErrShort},
		{"half a tag is short", cut(17), wire.ErrShort},
		{"an IEEE 802.3 length is no type", set(12, 0x05, 0xff), wire.ErrVersion},
		{"a length behind a tag is no type", set(16, 0x00, 0x2e), wire.ErrVersion},
		{"a second tag is left to the host as a type", set(16, 0x81, 0x00), nil},
	})
}

func TestMACsTellGroupsFromStations(t *testing.T) {
	if macA.IsGroup() || !wire.BroadcastMAC.IsGroup() || !(wire.MAC{}).IsZero() || macA.IsZero() {
		t.Error("a station is a group, or broadcast is none")
	}
}

func FuzzEthernet(f *testing.F) {
	fuzz(f, head(wire.ParseEthernet), wire.Ethernet.Len, putEthernet, nil, unhex(frameHex), unhex(taggedHex))
}
