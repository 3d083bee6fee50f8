// Package api is the wire contract of muster: the protobuf definitions of
// muster.v1 with the Go code and the OpenAPI document generated from them, and
// what converts between its messages and the types of package job, both ways.
// Servers, clients and agents use it; nothing else speaks protobuf.
//
// The contract only grows: a field is never given another number or meaning.
package api

import _ "embed"

//go:generate go tool -modfile=../tools/go.mod buf lint
//go:generate go tool -modfile=../tools/go.mod buf generate

// OpenAPI is the OpenAPI document of the HTTP face, in JSON.
//
//go:embed openapi.swagger.json
var OpenAPI []byte
