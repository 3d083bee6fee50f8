// Package cli is the command line of muster: what people type, and what they
// see. Main is called by cmd/muster and by tests.
//
// One file has one noun or verb. Commands read jobs with package input, show
// them with package output, and do everything else through package client, on a
// server that is there or on one that is opened for the moment.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// System is what surrounds a command.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ are "NAME=value" settings; commands of jobs get them.
	Environ []string
	// Dir is the present directory.
	Dir     string
	Version string
}

// Main runs a command line, without the program's name, until it is done or ctx
// ends, and gives the exit code: 0, or 1 when a job failed, or that of the kind
// of error that was told to stderr.
func Main(ctx context.Context, sys System, args []string) int {
	a := newApp(sys)
	root := newRoot(a)
	root.SetArgs(twoDashes(args))
	err := root.ExecuteContext(ctx)
	if cerr := a.close(); err == nil {
		err = cerr
	}
	return a.report(ctx, err)
}

// app is one run of the program.
type app struct {
	System

	out, err *output.Screen
	told     *counting // on out
	now      func() time.Time

	jobs      *input.Source // the file of jobs, if the command has one
	namespace string
	format    string
	closers   []func() error
}

func newApp(sys System) *app {
	a := &app{System: sys, now: time.Now}
	getenv := func(name string) string { v, _ := a.lookup(name); return v }
	a.out = output.NewScreen(sys.Stdout, getenv)
	a.told = &counting{Writer: sys.Stdout}
	a.out.Writer = a.told
	a.err = output.NewScreen(sys.Stderr, getenv)
	return a
}

// lookup is a variable of the environment.
func (a *app) lookup(name string) (string, bool) {
	for i := len(a.Environ) - 1; i >= 0; i-- {
		if n := len(name); len(a.Environ[i]) > n && a.Environ[i][n] == '=' && a.Environ[i][:n] == name {
			return a.Environ[i][n+1:], true
		}
	}
	return "", false
}

// source opens the command's file of jobs, once: a command that has to begin
// anew finds all of the standard input again.
func (a *app) source(path string) (*input.Source, error) {
	if a.jobs != nil {
		return a.jobs, nil
	}
	s, err := input.OpenSource(path, a.Stdin)
	if err != nil {
		return nil, err
	}
	a.jobs = s
	a.closers = append(a.closers, s.Close)
	return s, nil
}

// close closes what was opened, the last first.
func (a *app) close() (err error) {
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(a.closers[i](), err)
	}
	return err
}

// say tells a person something that is not the answer.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// exitStatus ends the program with a code, when everything is said already.
type exitStatus int

// Error is never shown.
func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// failed is the exit status when jobs failed.
const failed exitStatus = 1

// report tells what went wrong and gives the exit code.
func (a *app) report(ctx context.Context, err error) int {
	var status exitStatus
	var known *job.Error
	var emulated *emulate.Failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &emulated):
		fmt.Fprint(a.err, output.CleanLines(emulated.Text))
		return emulated.Code
	case ctx.Err() != nil:
		return job.Cancelled.ExitCode()
	case errors.As(err, &known):
		fmt.Fprintln(a.err, a.err.Paint(output.Red, "muster:"), output.CleanLines(err.Error()))
		return known.Kind.ExitCode()
	}
	// What cobra finds wrong with a command line.
	fmt.Fprintln(a.err, a.err.Paint(output.Red, "muster:"), output.CleanLines(err.Error()))
	return job.Invalid.ExitCode()
}
