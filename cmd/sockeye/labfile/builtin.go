package labfile

import _ "embed"

// Demo is the text of the lab that comes up without a file.
//
//go:embed demo.yaml
var Demo []byte
