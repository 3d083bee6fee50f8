package jobqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
	"github.com/muster-queue/muster/server"
)

// The defaults of ServerConfig.
const (
	ServerInterruptTime = time.Second
	ServerReserveTicker = time.Second
)

// Deployments: a server in development forgets everything at its start.
const (
	Production  = "production"
	Development = "development"
)

// ServerConfig says where a server is and what it keeps. Zero values mean the
// defaults.
type ServerConfig struct {
	// Port to listen on; WebPort, if given, for the same over HTTP.
	Port, WebPort string
	// Host is the address to listen on: by default that of this machine which only it
	// can reach. Any other has TLS; "0.0.0.0" is all of them.
	Host string
	// SchedulerName says who starts runners: "local", this machine, is the default.
	// SchedulerConfig is nil or a *LocalConfig.
	SchedulerName   string
	SchedulerConfig any
	// RunnerCmd is the command line of a runner, with six verbs for what it is to do:
	// queue (%s), scheduler group (%s), deployment (%s), the server's HOST:PORT (%s),
	// seconds to wait in ReserveScheduled (%d), and minutes after which to end (%d;
	// zero: never). Runners are started when jobs are ready and ended by the server's
	// Stop. Empty: none are started.
	RunnerCmd string
	// DBFile is the directory of the store, DBFileBackup that of a copy of it, which
	// is brought up to date at times and at the end, and taken when DBFile is not
	// there. Without a DBFile everything is lost at the end.
	DBFile, DBFileBackup string
	// Deployment is Production, the default, or Development, which begins with an
	// empty store.
	Deployment string
	// InterruptTime is how long requests under way, and then runners, may take to end
	// at a stop; ReserveTicker how often it is looked whether runners are wanted.
	InterruptTime, ReserveTicker time.Duration
	// RecMBRound and RecSecRound are what the memory and the seconds that were learned
	// are rounded up to; default: what was set with "muster kind set", at first 100 and
	// 1800. They stay with the store.
	RecMBRound, RecSecRound int
	// LogClientErrors has every request that fails logged as a warning; nil: yes.
	LogClientErrors *bool
	// Logger gets what is worth a look; default: slog's.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	muster *muster.Handle
	about  served
	port   string
	spawn  *spawner // nil: no runners are started
}

// Serve starts a server, which ends with Stop, with a client's ShutdownServer or
// DrainServer, and with SIGINT and SIGTERM. The message tells what became of the
// store: made, restored, emptied, or found.
func Serve(config ServerConfig) (s *Server, msg string, err error) {
	cfg := config.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, "", wrong("Serve", "", "", cmp.Or(hostText(err), ErrBadRequest), err)
	}
	if cfg.DBFile != "" {
		if err := os.MkdirAll(cfg.DBFile, 0o700); err != nil {
			return nil, "", wrong("Serve", "", cfg.DBFile, ErrDBError, job.Errorf(job.Invalid, "make its directory: %w", err))
		}
	}
	there := cfg.DBFile != "" && !isEmpty(server.Layout{Dir: cfg.DBFile}.Store())
	m, err := muster.Open(context.Background(), cfg.muster())
	if err != nil {
		return nil, "", wrong("Serve", "", cfg.DBFile, serveText(err), err)
	}
	where := m.Server().Where()
	s = &Server{muster: m, about: served{
		Data: m.Server().Layout().Dir, Deployment: cfg.Deployment, Scheduler: cfg.SchedulerName, PID: os.Getpid(),
	}}
	_, s.port, _ = net.SplitHostPort(where.Address)
	if err := s.about.note(s.port); err != nil {
		cfg.Logger.Warn("clients of this user have to be given the token", "err", err)
	}
	if cfg.RunnerCmd != "" {
		if s.spawn, err = newSpawner(cfg, m); err != nil {
			return nil, "", failed("Serve", "", cfg.DBFile, errors.Join(err, m.Stop()))
		}
	}
	if err := s.learns(cfg); err != nil {
		return nil, "", failed("Serve", "", cfg.DBFile, errors.Join(err, s.Stop()))
	}
	go s.follow()
	return s, cfg.message(there, m.Server().Restored()), nil
}

// learns sets how what was learned is rounded.
func (s *Server) learns(cfg ServerConfig) error {
	settings, fields := learn.Settings{}, []string{}
	if n := cfg.RecMBRound; n != 0 {
		settings.RoundMemory, fields = int64(n)*learn.MB, append(fields, "round_memory")
	}
	if n := cfg.RecSecRound; n != 0 {
		settings.RoundTime, fields = time.Duration(n)*time.Second, append(fields, "round_time")
	}
	if len(fields) == 0 {
		return nil
	}
	_, err := s.muster.Client().Namespace("").SetKind(context.Background(), "", settings, fields...)
	return err
}

func (cfg ServerConfig) withDefaults() ServerConfig {
	cfg.Host = cmp.Or(cfg.Host, "127.0.0.1")
	cfg.SchedulerName = cmp.Or(cfg.SchedulerName, "local")
	cfg.Deployment = cmp.Or(cfg.Deployment, Production)
	cfg.InterruptTime = cmp.Or(cfg.InterruptTime, ServerInterruptTime)
	cfg.ReserveTicker = cmp.Or(cfg.ReserveTicker, ServerReserveTicker)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return cfg
}

// errNoHost: a server for others has no address to tell them.
var errNoHost = job.Errorf(job.Unavailable, "only loopback addresses were found")

func (cfg *ServerConfig) check() error {
	switch {
	case cfg.Port == "":
		return job.Errorf(job.Invalid, "a Port is needed")
	case cfg.Deployment != Production && cfg.Deployment != Development:
		return job.Errorf(job.Invalid, "deployment %.80q; it is %s or %s", cfg.Deployment, Production, Development)
	case cfg.DBFileBackup != "" && cfg.DBFile == "":
		return job.Errorf(job.Invalid, "a DBFileBackup needs a DBFile")
	case cfg.SchedulerName == "lsf" || cfg.SchedulerName == "openstack":
		return job.Errorf(job.Unimplemented, "machines of %[1]s come from a muster pool of that kind, which this release does not have yet; start agents there (muster agent), or use the scheduler local", cfg.SchedulerName)
	case cfg.SchedulerName != "local":
		return job.Errorf(job.Invalid, "scheduler %.80q is unknown; use local", cfg.SchedulerName)
	case cfg.Host == "0.0.0.0" && CurrentIP() == "":
		return errNoHost
	case cfg.RecMBRound < 0 || cfg.RecSecRound < 0 || cfg.RecMBRound > 1<<20 || cfg.RecSecRound > 30*24*3600:
		return job.Errorf(job.Invalid, "a RecMBRound of %d and a RecSecRound of %d; choose at most 1048576 MB and 2592000 seconds", cfg.RecMBRound, cfg.RecSecRound)
	}
	if _, ok := cfg.SchedulerConfig.(*LocalConfig); !ok && cfg.SchedulerConfig != nil {
		return job.Errorf(job.Invalid, "the SchedulerConfig is a %T; for local it is a *jobqueue.LocalConfig", cfg.SchedulerConfig)
	}
	return checkTemplate(cfg.RunnerCmd)
}

func hostText(err error) string {
	if errors.Is(err, errNoHost) {
		return ErrNoHost
	}
	return ""
}

// serveText is wr's for what keeps a server from starting.
func serveText(err error) string {
	switch {
	case job.IsKind(err, job.Invalid):
		return ErrBadRequest
	case job.IsKind(err, job.Damaged), job.IsKind(err, job.Conflict), job.IsKind(err, job.NoSpace):
		return ErrDBError
	}
	return ErrInternalError
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err != nil || len(entries) == 0
}

// muster is the configuration of the server proper. At a stop leases are not held
// for absent clients: who is back in time goes on, and other jobs run again.
func (cfg *ServerConfig) muster() muster.Config {
	c := server.Config{
		Data: cfg.DBFile, Backup: cfg.DBFileBackup, Listen: net.JoinHostPort(cfg.Host, cfg.Port), HTTP: server.NoHTTP,
		Hold: -1, StopGrace: cfg.InterruptTime, Logger: cfg.Logger,
		LogErrors: cfg.LogClientErrors == nil || *cfg.LogClientErrors,
	}
	if cfg.WebPort != "" {
		c.HTTP = net.JoinHostPort(cfg.Host, cfg.WebPort)
	}
	if cfg.Deployment == Development {
		c.Ephemeral, c.Backup = true, ""
	}
	return muster.Config{Server: c, Signals: true}
}

func (cfg *ServerConfig) message(there, restored bool) string {
	switch {
	case cfg.DBFile == "":
		return "there is no database: nothing will outlive the server"
	case cfg.Deployment == Development && there:
		return fmt.Sprintf("emptied the database %s, for development", cfg.DBFile)
	case restored:
		return fmt.Sprintf("the database %s was not there and has been restored from %s", cfg.DBFile, cfg.DBFileBackup)
	case !there:
		return fmt.Sprintf("created a new, empty database in %s", cfg.DBFile)
	}
	return fmt.Sprintf("opened the database %s", cfg.DBFile)
}

// follow cleans up after a server that ended, for whatever reason.
func (s *Server) follow() {
	<-s.muster.Server().Done()
	if s.spawn != nil {
		s.spawn.close()
	}
	unnote(s.port, s.about)
}

// Data is the directory of what the server keeps; see package server.
func (s *Server) Data() string { return s.about.Data }

// Addr is where the server listens, as HOST:PORT.
func (s *Server) Addr() string { return s.muster.Server().Where().Address }

// Block waits until the server has ended. The error says why: ErrClosedInt,
// ErrClosedTerm or ErrClosedStop, the last also for clients that asked for it, and
// after draining.
func (s *Server) Block() error {
	err := s.muster.Wait()
	text := serveText(err)
	switch {
	case errors.Is(err, muster.ErrInterrupted):
		text = ErrClosedInt
	case errors.Is(err, muster.ErrTerminated):
		text = ErrClosedTerm
	case errors.Is(err, muster.ErrStopped), errors.Is(err, muster.ErrDrained):
		text = ErrClosedStop
	}
	return wrong("Block", "", s.Addr(), text, nil)
}

// Stop ends the runners and then the server, at once, and completes the backup.
func (s *Server) Stop() error {
	if s.spawn != nil {
		s.spawn.close()
	}
	err := s.muster.Stop()
	unnote(s.port, s.about)
	return failed("Stop", "", s.Addr(), err)
}

// Drain gives out no more jobs, and stops the server when the last running one has
// ended. Block tells when that is.
func (s *Server) Drain() error {
	_, _, err := s.muster.Drain(context.Background(), true)
	return failed("Drain", "", s.Addr(), err)
}

// GetServerStats tells how the server is; of one that has ended, nothing but where it
// was.
func (s *Server) GetServerStats() *ServerStats {
	stats, err := statsOf(context.Background(), s.muster.Client(), s.about)
	if err != nil {
		return &ServerStats{ServerInfo: &ServerInfo{
			Addr: s.Addr(), Port: s.port, PID: s.about.PID, Deployment: s.about.Deployment, Scheduler: s.about.Scheduler,
		}}
	}
	return stats
}

// HasRunners tells whether anybody is there to run jobs: runners that the server
// started, or agents.
func (s *Server) HasRunners() bool {
	if s.spawn != nil && s.spawn.alive() > 0 {
		return true
	}
	agents, err := s.muster.HasAgents(context.Background(), "")
	return err == nil && agents
}
