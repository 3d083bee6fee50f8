// Package coordinate is the face of Coordinate: a Go API in the shape its
// programs know (Coordinate, Namespace, WorkSpec, WorkUnit, Worker, Attempt), the
// methods its Python clients call (JobServer), and the server that listens for
// them with package cborrpc. A work spec is a queue with a definition, a work
// unit a job in it, and nothing else of a namespace is visible from here. Package
// server serves it, package worker and programs written against Coordinate's Go
// API call it, and the command line makes queues from work specs with it.
package coordinate
