// Package cborrpc is the wire that Coordinate's clients speak: messages of CBOR
// in frames, requests answered in order on each connection, values that keep
// every kind Python knows. Package coordinate serves its methods with it; the
// Client here is for programs and tests that speak to such a server from Go.
package cborrpc
