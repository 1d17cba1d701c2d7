package wire

// An Error is the reason why a packet was refused. It is small enough to index
// an array of counters:
//
//	var drops [wire.NumErrors]uint64
//	if reason, ok := err.(wire.Error); ok {
//		drops[reason]++
//	}
type Error uint8

// The reasons. The zero Error is none.
const (
	ErrShort     Error = iota + 1 // fewer bytes than the fixed part of the format
	ErrTruncated                  // a length field promises more bytes than there are
	ErrLength                     // a length field is below its minimum or contradicts another
	ErrVersion                    // not the version of the format, or an unknown type in it
	ErrChecksum                   // the checksum does not match
	ErrOptions                    // an option overruns, has a wrong length, or demands refusal
	ErrExtension                  // an IPv6 extension header out of place, unknown, or one too many
	ErrAddress                    // an address that must not stand there
	ErrCode                       // a code or a field that must have another value

	numErrors
)

// NumErrors is one more than the highest Error.
const NumErrors = int(numErrors)

var errorTexts = [NumErrors]string{
	0:            "no error",
	ErrShort:     "packet too short",
	ErrTruncated: "packet truncated",
	ErrLength:    "bad length",
	ErrVersion:   "bad version or type",
	ErrChecksum:  "bad checksum",
	ErrOptions:   "bad options",
	ErrExtension: "bad extension header",
	ErrAddress:   "bad address",
	ErrCode:      "bad code or field",
}

// Error is the reason in two or three words.
func (e Error) Error() string {
	if int(e) >= NumErrors {
		return "unknown reason"
	}
	return errorTexts[e]
}
